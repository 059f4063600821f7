#include <gtest/gtest.h>

#include <chrono>
#include <sstream>
#include <thread>

#include "comm/phase_table.hpp"

namespace partita {
namespace {

TEST(PhaseTable, collects_what_each_rank_has_measured) {
  Communicator const ranks = Communicator::world();
  Timers timers;
  auto const pause = std::chrono::milliseconds(10);
  for (int i = 0; i < 2; i++) {
    Timers::Scope const scope(timers, "energy gradient");
    std::this_thread::sleep_for(pause);
  }
  if (ranks.rank() == ranks.ranks() - 1) {
    Timers::Scope const scope(timers, "only on the last rank");
    std::this_thread::sleep_for(pause);
  }
  PhaseTable const table = phase_table(timers, ranks);

  ASSERT_EQ(table.phases.size(), 3u);
  PhaseTimes const &all = table.phases[0], &last = table.phases[1], &other = table.phases[2];
  EXPECT_EQ(all.name, "energy gradient");
  EXPECT_EQ(all.calls, 2);
  EXPECT_GE(all.minimum, .02);  // a sleep may be longer, never shorter
  EXPECT_EQ(last.name, "only on the last rank");
  EXPECT_EQ(last.calls, 1);
  EXPECT_EQ(last.minimum == 0, ranks.ranks() > 1);
  EXPECT_GE(last.maximum, .01);
  EXPECT_NEAR(last.mean * ranks.ranks(), last.maximum, 1e-12);  // one rank's
  EXPECT_EQ(other.name, "other");
  EXPECT_NEAR(all.share + last.share + other.share, 1, 1e-12);
  for (PhaseTimes const& p : table.phases) {
    EXPECT_LE(p.minimum, p.mean * (1 + 1e-12));
    EXPECT_LE(p.mean, p.maximum * (1 + 1e-12));
    EXPECT_LE(p.maximum, table.wall_seconds);
  }
}

TEST(PhaseTable, text_has_aligned_columns) {
  PhaseTable const table{{{"energy gradient", 1200, 1.5, 2, 2.5, .8}, {"other", 0, .25, .5, .75, .2}}, 3};
  EXPECT_EQ(table.text(),
            "phase               calls       min s      mean s       max s   share\n"
            "energy gradient      1200       1.500       2.000       2.500   80.0%\n"
            "other                   0       0.250       0.500       0.750   20.0%\n"
            "wall                                                    3.000  100.0%");
}

}  // namespace
}  // namespace partita
