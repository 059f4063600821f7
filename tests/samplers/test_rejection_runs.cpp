#include <gtest/gtest.h>

#include <cmath>

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

  // Every lane accepts `all` proposals, padding included, but chain `chain`, which accepts `its`.
  void add(Index proposals, std::int32_t all, Index chain, std::int32_t its) {
    Kokkos::deep_copy(chains.accepted, all);
    for (Index t = 0; t < mine.count; t++)
      for (Index l = 0; l < tiling.width; l++)
        if ((mine.first + t) * tiling.width + l == chain) chains.accepted(t, l) = its;
    runs.add(chains, proposals);
  }
};

TEST(RejectionRuns, RunsGoOnOverResets) {
  Counted c;
  for (int k = 0; k < 10; k++) c.add(10, 5, 36, 0);  // what thin = 10 makes of a chain that never moves
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
  for (int k = 0; k < 15; k++) c.add(10, 5, 3, 0);
  for (int k = 0; k < 15; k++) c.add(10, 5, 3, 5);
  EXPECT_EQ(c.runs.still(world(), 10), 0);
  EXPECT_EQ(c.runs.find(world()).stuck, 1);
  c.runs.forget();
  c.add(10, 5, 3, 5);
  EXPECT_EQ(c.runs.find(world()).stuck, 0);
}

TEST(RejectionRuns, SmallAcceptanceIsNotBeingStuck) {
  Counted c;
  for (int k = 0; k < 1000; k++) c.add(100, 1, 0, k % 3 == 0 ? 1 : 0);  // acceptance 1 %: 200 rejections in a row are usual
  auto const found = c.runs.find(world());
  // (1 - a)^length x 37 chains x 1e5 proposals < 1e-3, a little below a = .01
  EXPECT_NEAR(static_cast<double>(found.length), std::log(1e-3 / 37e5) / std::log1p(-found.acceptance), 1);
  EXPECT_GT(found.length, 2000);
  EXPECT_EQ(found.stuck, 0);
}

TEST(RejectionRuns, DivergingChainsAreCounted) {
  Counted c;
  if (c.mine.count > 0 && c.mine.first == 0) c.chains.diverging(0, 7) = 2;
  c.add(10, 5, 0, 5);
  EXPECT_EQ(c.runs.find(world()).diverging, 1);
}

}  // namespace
}  // namespace partita
