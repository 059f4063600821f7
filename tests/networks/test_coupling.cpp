#include <gtest/gtest.h>

#include <algorithm>

#include "core/require.hpp"
#include "networks/coupling.hpp"

namespace partita {
namespace {

using Indices = std::vector<Index>;

Couplings stack(Index dimension, Masks masks, std::uint64_t seed = 0) { return {dimension, 6, {4}, Activation::tanh, masks, seed}; }

TEST(Couplings, AlternatingHalvesAreEvenAndOddCoordinates) {
  auto const c = stack(5, Masks::alternating);
  EXPECT_EQ(c.kept(0), (Indices{0, 2, 4}));
  EXPECT_EQ(c.kept(1), (Indices{1, 3}));
  EXPECT_EQ(c.kept(2), c.kept(0));
}

TEST(Couplings, RandomHalvesAreComplementsByTurns) {
  auto const c = stack(9, Masks::random, 5);
  for (Index k = 0; k < 6; k += 2) {
    Indices both = c.kept(k);
    EXPECT_EQ(both.size(), 5u);
    Indices const other = c.kept(k + 1);
    both.insert(both.end(), other.begin(), other.end());
    std::sort(both.begin(), both.end());
    EXPECT_EQ(both, (Indices{0, 1, 2, 3, 4, 5, 6, 7, 8}));
  }
  EXPECT_NE(c.kept(0), c.kept(2));
  EXPECT_EQ(c.kept(2), stack(9, Masks::random, 5).kept(2));
  EXPECT_NE(c.kept(0), stack(9, Masks::random, 6).kept(0));
}

TEST(Couplings, NeedTwoCoordinates) { EXPECT_THROW(stack(1, Masks::alternating), Failure); }

}  // namespace
}  // namespace partita
