#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "data/permutation.hpp"

namespace partita::data {
namespace {

random::Key const key = random::make_key(7);

TEST(Permutation, IsOneForEverySize) {
  for (Index n : {1, 2, 3, 4, 5, 15, 16, 17, 255, 256, 257, 1000, 60000}) {
    Permutation const order(n, key, random::Stream::test, 3);
    std::vector<int> seen(n, 0);
    for (Index i = 0; i < n; i++) {
      ASSERT_GE(order(i), 0);
      ASSERT_LT(order(i), n);
      seen[order(i)]++;
    }
    for (int count : seen) ASSERT_EQ(count, 1) << "n = " << n;
  }
}

// Far beyond memory: distinct entries stay distinct, and all over the range.
TEST(Permutation, HugeSizes) {
  Index const n = Index{1} << 46;
  Permutation const order(n, key, random::Stream::test);
  double mean = 0;
  for (Index i = 0; i < 1000; i++) mean += double(order(i)) / double(n) / 1000;
  EXPECT_NEAR(mean, 0.5, 4 * std::sqrt(1. / 12 / 1000));
}

// Where each of n entries goes over many keyed permutations: every cell of the n x n table is Binomial(trials, 1/n).
TEST(Permutation, EveryPlaceIsEquallyLikely) {
  for (Index n : {6, 10, 30}) {
    int const trials = 20000;
    std::vector<double> table(n * n, 0);
    for (int t = 0; t < trials; t++) {
      Permutation const order(n, key, random::Stream::test, std::uint64_t(t));
      for (Index i = 0; i < n; i++) table[i * n + order(i)]++;
    }
    double const expected = double(trials) / double(n);
    double chi_squared = 0;
    for (double count : table) chi_squared += (count - expected) * (count - expected) / expected;
    double const freedom = double((n - 1) * (n - 1));
    EXPECT_NEAR(chi_squared, freedom, 4 * std::sqrt(2 * freedom)) << "n = " << n;
  }
}

// Neighbours are as unrelated as in a random order: their order and their distance. For a uniform permutation |p(i+1) - p(i)| / n has mean
// 1/3 and variance 1/18, and half the steps go up, with variance 1/12 per step (runs up and down).
TEST(Permutation, NeighboursAreUnrelated) {
  Index const n = 10000;
  for (std::uint64_t epoch = 0; epoch < 20; epoch++) {
    Permutation const order(n, key, random::Stream::test, epoch);
    double distance = 0, up = 0;
    for (Index i = 0; i + 1 < n; i++) {
      double const step = double(order(i + 1) - order(i));
      distance += std::abs(step) / double(n) / double(n);
      up += step > 0;
    }
    EXPECT_NEAR(distance, 1. / 3, 4.5 * std::sqrt(1. / 18 / double(n)));  // 4.5: 20 epochs
    EXPECT_NEAR(up, 0.5 * double(n), 4.5 * std::sqrt(double(n) / 12));
  }
}

TEST(Permutation, EpochsAndSeedsDiffer) {
  Permutation const a(1000, key, random::Stream::test, 0), b(1000, key, random::Stream::test, 1),
      c(1000, random::make_key(8), random::Stream::test, 0);
  int same_epoch = 0, same_seed = 0;
  for (Index i = 0; i < 1000; i++) same_epoch += a(i) == b(i), same_seed += a(i) == c(i);
  EXPECT_LE(same_epoch, 6);  // Poisson(1): P(> 6) < 1e-4
  EXPECT_LE(same_seed, 6);
}

}  // namespace
}  // namespace partita::data
