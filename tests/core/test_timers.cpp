#include <gtest/gtest.h>

#include <numeric>
#include <thread>

#include "core/timers.hpp"

namespace partita {
namespace {

using Milliseconds = std::chrono::milliseconds;

TEST(Timers, phases_exclude_their_inner_phases) {
  auto const start = std::chrono::steady_clock::now();
  Timers timers;
  {
    Timers::Scope const step(timers, "step");
    {
      Timers::Scope const gradient(timers, "gradient");
      std::this_thread::sleep_for(Milliseconds(30));
    }
    std::this_thread::sleep_for(Milliseconds(10));
  }
  auto const phases = timers.phases();
  double const wall = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();

  ASSERT_EQ(phases.size(), 3u);
  EXPECT_EQ(phases[0].name, "other");
  EXPECT_EQ(phases[1].name, "step");
  EXPECT_EQ(phases[2].name, "gradient");
  // A sleep may be longer, never shorter; and all parts fit into the whole.
  EXPECT_GE(phases[2].seconds, .03);
  EXPECT_GE(phases[1].seconds, .01);
  EXPECT_LE(phases[0].seconds + phases[1].seconds + phases[2].seconds, wall);
}

TEST(Timers, calls_are_counted_and_recursion_is_one_phase) {
  Timers timers;
  for (int i = 0; i < 3; i++) {
    Timers::Scope const outer(timers, "sample");
    Timers::Scope const inner(timers, "sample");
  }
  auto const phases = timers.phases();
  ASSERT_EQ(phases.size(), 2u);
  EXPECT_EQ(phases[1].calls, 6);
}

TEST(Timers, an_open_phase_counts_up_to_now) {
  Timers timers;
  Timers::Scope const scope(timers, "checkpoint");
  std::this_thread::sleep_for(Milliseconds(10));
  EXPECT_GE(timers.phases()[1].seconds, .01);
}

TEST(Timers, a_scope_costs_little) {
  Timers timers;
  constexpr int scopes = 10000;
  for (int i = 0; i < scopes; i++) Timers::Scope const scope(timers, "step");
  auto const phases = timers.phases();
  // A scope reads the clock twice; 10 microseconds leave room for a busy machine and sanitizers.
  EXPECT_LT((phases[0].seconds + phases[1].seconds) / scopes, 1e-5);
}

}  // namespace
}  // namespace partita
