#include <gtest/gtest.h>

#include <cmath>

#include "core/copy.hpp"
#include "samplers/rejection_runs.hpp"

namespace partita {
namespace {

constexpr Index number = 37;  // three tiles, the last of five chains
Communicator world() { return Communicator::world(); }

struct Counted {
  Tiling tiling{number, 16};
  TileRange mine = share_of_tiles(tiling.tiles(), world().rank(), world().ranks());
  Chains chains{"chains", tiling, mine, 1};
  RejectionRuns runs{tiling, mine};

  // Every lane accepts `all` of so many proposals, padding included, but chain `chain`, which accepts `its`.
  void take(std::int32_t all, Index chain, std::int32_t its) {
    fill_array(chains.accepted, all);
    Index const tile = chain / tiling.width - mine.first;
    if (tile >= 0 && tile < mine.count) fill_array(Kokkos::subview(chains.accepted, tile, chain % tiling.width), its);
  }
  // A window that begins and ends with cleared counts.
  void window(Index proposals, std::int32_t all, Index chain, std::int32_t its) {
    take(all, chain, its);
    runs.look(chains, proposals);
    runs.counts_cleared();
    runs.end_window();
  }
};

TEST(RejectionRuns, RunsGoOnOverWindows) {
  Counted c;
  for (int k = 0; k < 10; k++) c.window(10, 5, 36, 0);
  EXPECT_EQ(c.runs.still(world(), 100), 1);
  EXPECT_EQ(c.runs.still(world(), 101), 0);
  auto const found = c.runs.find(world());
  EXPECT_EQ(found.proposals, 100);
  EXPECT_EQ(found.stuck, 1);
  EXPECT_EQ(found.diverging, 0);
  EXPECT_DOUBLE_EQ(found.acceptance, 36. / 37 / 2);  // padding lanes do not count
}

TEST(RejectionRuns, AChainThatWasStuckAndCameFreeIsStillNamed) {
  Counted c;
  for (int k = 0; k < 25; k++) c.window(10, 5, 3, 0);
  for (int k = 0; k < 15; k++) c.window(10, 5, 3, 5);
  EXPECT_EQ(c.runs.still(world(), 10), 0);
  EXPECT_EQ(c.runs.find(world()).stuck, 1);
  c.runs.forget();
  c.window(10, 5, 3, 5);
  EXPECT_EQ(c.runs.find(world()).stuck, 0);
}

TEST(RejectionRuns, SmallAcceptanceIsNotBeingStuck) {
  Counted c;
  for (int k = 0; k < 1000; k++) c.window(100, 1, 0, k % 20 == 0 ? 1 : 0);  // acceptance 1 %, of chain 0 a twentieth of it
  auto const found = c.runs.find(world());
  // (1 - a)^(length / 3) x 37 chains x 1e5 proposals < 1e-3, a little below a = .01
  EXPECT_NEAR(double(found.length), 3 * std::log(1e-3 / 37e5) / std::log1p(-found.acceptance), 3);
  EXPECT_GT(found.length, 6000);
  EXPECT_EQ(found.stuck, 0);
}

// The same history of a chain, whether its counts are cleared every 10 or every 400 proposals: windows of 100 decide.
TEST(RejectionRuns, WhenCountsAreClearedDoesNotMatter) {
  auto const stuck_after = [](Index clear_every) {
    Counted c;
    std::int32_t others = 0, its = 0;
    for (Index step = 1; step <= 2000; step++) {
      others += 1;
      its += step <= 150 || step > 460 ? 1 : 0;  // rejects 151 ... 460, which holds two whole windows
      c.take(others, 20, its);
      bool const clear = step % clear_every == 0;
      if (clear || step % 100 == 0) c.runs.look(c.chains, (step - 1) % clear_every + 1);
      if (clear) {
        others = its = 0;
        c.runs.counts_cleared();
      }
      if (step % 100 == 0) c.runs.end_window();
    }
    auto const found = c.runs.find(world());
    EXPECT_EQ(found.proposals, 2000);
    EXPECT_NEAR(found.acceptance, (36. * 2000 + 1690) / (37. * 2000), 1e-12);
    EXPECT_EQ(found.length, 200);
    return found.stuck;
  };
  EXPECT_EQ(stuck_after(10), 1);
  EXPECT_EQ(stuck_after(400), 1);
  EXPECT_EQ(stuck_after(2000), 1);
}

TEST(RejectionRuns, DivergingChainsAreCounted) {
  Counted c;
  if (c.mine.count > 0 && c.mine.first == 0) fill_array(Kokkos::subview(c.chains.diverging, 0, 7), 2);
  c.window(10, 5, 0, 5);
  EXPECT_EQ(c.runs.find(world()).diverging, 1);
}

}  // namespace
}  // namespace partita
