#include <gtest/gtest.h>

#include "core/copy.hpp"
#include "energies/double_well.hpp"
#include "models/rbm.hpp"
#include "samplers/mala.hpp"
#include "samplers/start_chains.hpp"
#include "samplers/ula.hpp"
#include "samplers/underdamped.hpp"
#include "sampling.hpp"

namespace {

using namespace partita;
using namespace partita::sampling;

auto const key = random::make_key(9);

TEST(InitialState, DistributionsAreThoseNamed) {
  constexpr Index n = 1 << 16;
  auto const normal = states(make_chains(n, 3, {InitialState::normal, 2, -1}, key)),
             uniform = states(make_chains(n, 3, {InitialState::uniform, 2, -1}, key));
  Matrix normal_covariance(3, 3), uniform_covariance(3, 3);
  for (Index i = 0; i < 3; i++) normal_covariance(i, i) = 4, uniform_covariance(i, i) = 4 / 3.;
  EXPECT_LT(largest_z(normal, {-1, -1, -1}, normal_covariance), 4);
  EXPECT_LT(largest_z(uniform, {-1, -1, -1}, uniform_covariance), 4);
  for (auto const& x : uniform)
    for (double v : x) ASSERT_LE(std::abs(v + 1), 2);
  for (auto const& x : states(make_chains(100, 3, {InitialState::zero, 2, -1}, key))) ASSERT_EQ(x, Point(3, -1));
}

TEST(InitialState, IsKeyedByChain) {
  auto const whole = states(make_chains(1000, 5, {}, key, 64));
  for (Index width : {16, 48, 256}) EXPECT_EQ(states(make_chains(1000, 5, {}, key, width)), whole) << "width " << width;
  auto const part = states(make_chains(1000, 5, {}, key, 64, {7, 3}));
  EXPECT_EQ(part, std::vector<Point>(whole.begin() + 7 * 64, whole.begin() + 10 * 64));
}

TEST(RestartSome, TakesAKeyedShareOfTheChains) {
  constexpr Index n = 1 << 16;
  InitialDistribution const place{InitialState::uniform, 1, 100};
  auto const restarted = [&](Index width, TileRange mine, Index step, double fraction) {
    Chains const c = make_chains(n, 3, {}, key, width, mine);
    restart_some(c, key, step, place, fraction);
    return states(c);
  };
  auto const before = states(make_chains(n, 3, {}, key)), after = restarted(256, {0, -1}, 5, 0.25), next = restarted(256, {0, -1}, 6, 0.25);
  Index taken = 0, taken_twice = 0;
  for (std::size_t c = 0; c < after.size(); c++) {
    bool const now = after[c] != before[c];
    for (double v : after[c]) ASSERT_EQ(v > 98, now);  // a chain as a whole
    taken += now, taken_twice += now && next[c] != before[c];
    ASSERT_TRUE(!now || after[c] != next[c]);
  }
  // binomial: n p and n p^2 if the choice at another step is independent
  EXPECT_NEAR(double(taken), n * .25, 4 * std::sqrt(n * .25 * .75));
  EXPECT_NEAR(double(taken_twice), n * .0625, 4 * std::sqrt(n * .0625 * .9375));
  EXPECT_EQ(restarted(48, {0, -1}, 5, 0.25), after);
  auto const part = restarted(256, {100, 3}, 5, 0.25);
  EXPECT_EQ(part, std::vector<Point>(after.begin() + 100 * 256, after.begin() + 103 * 256));
  EXPECT_EQ(restarted(256, {0, -1}, 5, 0), before);
  for (auto const& x : restarted(256, {0, -1}, 5, 1)) ASSERT_GT(x[0], 98);
}

TEST(FirstNonfiniteChain, NamesTheFirstOfTheRealChains) {
  Index const width = 48;
  Chains const all = make_chains(200, 3, {}, key, width), second = make_chains(200, 3, {}, key, width, {2, 3});
  auto const set = [&](Chains const& c, Index chain, Index i, Real value) {
    auto const host = values_on_host(c.x);
    host(chain / width - c.mine.first, i, chain % width) = value;
    copy_array(c.x, host);
  };
  EXPECT_EQ(first_nonfinite_chain(all), -1);
  set(all, 200, 0, NAN);  // a lane past the last chain
  EXPECT_EQ(first_nonfinite_chain(all), -1);
  set(all, 199, 2, INFINITY);
  EXPECT_EQ(first_nonfinite_chain(all), 199);
  set(all, 47, 1, -INFINITY);
  set(all, 48, 0, NAN);
  EXPECT_EQ(first_nonfinite_chain(all), 47);
  set(all, 0, 0, NAN);
  EXPECT_EQ(first_nonfinite_chain(all), 0);
  EXPECT_EQ(first_nonfinite_chain(second), -1);
  set(second, 100, 1, NAN);  // the number is global
  EXPECT_EQ(first_nonfinite_chain(second), 100);
}

// 37 chains in tiles of 32: 11 lanes of the second are chains that nobody asked for, and the rest of its rows is unused.
TEST(PaddingLanes, RepeatTheLastChain) {
  auto const model = make_double_well({.dimension = 2});
  Ula ula({.step_size = 0.02});
  Mala mala({.step_size = 0.02});
  Underdamped underdamped({.step_size = 0.1});
  auto const host = [](auto const& v) { return values_on_host(v); };
  for (Sampler* sampler : {static_cast<Sampler*>(&ula), static_cast<Sampler*>(&mala), static_cast<Sampler*>(&underdamped)}) {
    auto const moved = [&](Real padding) {
      Chains c = make_chains(37, 2, {InitialState::uniform, 1}, key, 32);
      sampler->prepare(*model, c, key);
      fill_array(Kokkos::subview(c.x, 1, Kokkos::ALL, std::pair(5, int(c.tiling.pitch()))), padding);
      sampler->advance(*model, c, key, 0, 20);
      auto const x = host(c.x);
      for (Index i = 0; i < 2; i++)
        for (Index l = 5; l < c.tiling.pitch(); l++) EXPECT_EQ(x(1, i, l), x(1, i, 4));
      if (sampler->keeps_velocity()) {
        auto const v = host(c.velocity);
        for (Index l = 5; l < c.tiling.pitch(); l++) EXPECT_EQ(v(1, 1, l), v(1, 1, 4));
      }
      return states(c);
    };
    EXPECT_EQ(moved(Real(1e30)), moved(Real(0)));
    EXPECT_EQ(moved(NAN), moved(Real(0)));
  }
  // A rank that does not have the last tile has no such lanes.
  Chains const first = make_chains(37, 2, {}, key, 32, {0, 1});
  auto const before = host(first.x);
  repeat_last_chain(first, {0, 1});
  auto const after = host(first.x);
  for (std::size_t n = 0; n < before.size(); n++) EXPECT_EQ(after.data()[n], before.data()[n]);
}

TEST(PaddingLanes, AreNotCounted) {
  auto const model = make_double_well({});
  Chains c = make_chains(37, 1, {InitialState::uniform, 1.5}, key, 48);
  Mala cautious({.step_size = 1e-9});
  cautious.advance(*model, c, key, 0, 25);
  EXPECT_EQ(count_acceptance(c), 37 * 25);
}

// Units start anew with the probability asked for, each chain as a whole; the others keep every unit.
TEST(RestartSome, TakesThatShareOfChainsOfUnits) {
  constexpr Index n = 1 << 14;
  Rbm const machine(RbmOptions{.visible = 3, .hidden = 2});
  auto const restarted = [&](double fraction) {
    Chains const c = make_chains(n, 3, {InitialState::zero, 0, 7}, key);  // no value of a unit
    start_chains(machine, c, {.key = key, .stream = random::Stream::restart_state, .step = 3, .fraction = fraction}, {});
    double taken = 0;
    for (Point const& x : states(c)) {
      bool const now = x[0] != 7;
      for (double v : x) EXPECT_TRUE(now ? v == 0 || v == 1 : v == 7);
      taken += now ? 1 : 0;
    }
    return taken;
  };
  EXPECT_EQ(restarted(0), 0);
  EXPECT_EQ(restarted(1), n);
  EXPECT_NEAR(restarted(0.2), 0.2 * n, 4 * std::sqrt(n * 0.2 * 0.8));  // binomial
}

TEST(TileWidth, FitsTheCacheAndTheChains) {
  EXPECT_EQ(default_tile_width(1 << 20, 2, 2), 256);
  EXPECT_EQ(default_tile_width(1 << 20, 1 << 20, 2), 64);
  EXPECT_EQ(default_tile_width(100, 2, 2), 112);
  EXPECT_EQ(default_tile_width(1, 2, 2), 16);
  for (Index d : {1, 100, 1000, 3000, 10000}) EXPECT_EQ(default_tile_width(1 << 20, d, 3) % pitch_quantum, 0);
}

}  // namespace
