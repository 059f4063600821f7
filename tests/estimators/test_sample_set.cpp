#include <gtest/gtest.h>

#include <cmath>

#include "core/random.hpp"
#include "estimators/sample_set.hpp"
#include "tree.hpp"

namespace partita {
namespace {

constexpr Index chains = 75, draws = 6, dimension = 3;  // five tiles, the last of 11 chains
Tiling const tiling{chains, 16};

// Entry i of a chain's draw; i = dimension is its energy.
float entry(Index chain, Index draw, Index i) {
  auto const w = random::words({1, 2}, std::uint64_t(chain), random::Stream::test, std::uint64_t(draw), std::uint32_t(i));
  return float(random::uniform_double(w.w[0])) + 0.01f * float(chain);
}

SampleSet samples() {
  Communicator const ranks = Communicator::world();
  SampleSet s{ranks, tiling, share_of_tiles(tiling.tiles(), ranks.rank(), ranks.ranks()), draws, dimension, {}, {}};
  Index const first = tiling.first_chain(s.mine.first);
  for (Index c = first; c < first + s.chains_here(); c++)
    for (Index d = 0; d < draws; d++) {
      for (Index i = 0; i < dimension; i++) s.x.push_back(entry(c, d, i));
      s.energy.push_back(entry(c, d, dimension));
    }
  return s;
}

void functions(float const* x, double energy, double* values) {
  values[0] = x[0];
  values[1] = std::exp(x[1]) * x[2];
  values[2] = energy;
}

TEST(SampleSet, RanksHoldAllChains) {
  SampleSet const s = samples();
  EXPECT_EQ(s.ranks.all_reduce(s.chains_here(), Reduction::sum), chains);
}

TEST(Expectations, ValueAndErrorAreThoseOfIndependentChains) {
  auto const found = expectations(samples(), 3, functions);
  for (std::size_t k = 0; k < 3; k++) {
    std::vector<double> means(chains), per_tile(tiling.tiles());
    for (Index c = 0; c < chains; c++) {
      for (Index d = 0; d < draws; d++) {
        float const x[] = {entry(c, d, 0), entry(c, d, 1), entry(c, d, 2)};
        double values[3];
        functions(x, entry(c, d, dimension), values);
        means[c] += values[k] / double(draws);
      }
      per_tile[c / tiling.width] += means[c];
    }
    double const mean = test::tree_sum(per_tile) / chains;
    std::fill(per_tile.begin(), per_tile.end(), 0.);
    for (Index c = 0; c < chains; c++) per_tile[c / tiling.width] += std::pow(means[c] - mean, 2);
    // The same bits, whatever the number of ranks.
    EXPECT_EQ(found[k].value, mean);
    EXPECT_EQ(found[k].error, std::sqrt(test::tree_sum(per_tile) / (chains - 1) / chains));
    EXPECT_EQ(found[k].degrees_of_freedom, chains - 1);
  }
}

SampleSet one_chain(std::vector<float> const& values) {
  Communicator const ranks = Communicator::world();
  SampleSet s{ranks, {1, 16}, share_of_tiles(1, ranks.rank(), ranks.ranks()), std::ssize(values), 1, {}, {}};
  if (s.mine.count == 1) s.x = values;
  return s;
}
std::vector<Estimate> mean_of(SampleSet const& s) {
  return expectations(s, 1, [](float const* x, double energy, double* v) { *v = x[0] + energy; });
}

TEST(Expectations, OneChainOfTooFewDrawsHasNoError) {
  auto const found = mean_of(one_chain({1, 2}));
  EXPECT_EQ(found[0].value, 1.5);  // energies that are not known count as 0
  EXPECT_TRUE(std::isnan(found[0].error));
}

TEST(Expectations, OfTheSameNumberInAllChainsNoErrorIsKnown) {
  SampleSet s = samples();
  std::fill(s.x.begin(), s.x.end(), 0.1f);
  auto const found = expectations(s, 2, [](float const* x, double energy, double* v) { v[0] = x[0], v[1] = energy; });
  EXPECT_NEAR(found[0].value, 0.1f, 1e-15);
  EXPECT_TRUE(std::isnan(found[0].error));
  EXPECT_FALSE(std::isnan(found[1].error));
  EXPECT_TRUE(std::isnan(mean_of(one_chain(std::vector<float>(100, 0.1f)))[0].error));
}

// The spread of chains that never moved tells of where they started; a single draw of each is a sample.
TEST(Expectations, OfChainsThatNeverMovedNoErrorIsKnown) {
  SampleSet s = samples();
  s.energy.clear();
  Index const here = s.chains_here();
  for (Index c = 0; c < here; c++)
    for (Index k = 0; k < s.draws * s.dimension; k++) s.x[c * s.draws * s.dimension + k] = float(c % 5);
  EXPECT_TRUE(std::isnan(mean_of(s)[0].error));
  if (s.ranks.is_root()) s.x.front() += 1;  // one chain moves once
  EXPECT_FALSE(std::isnan(mean_of(s)[0].error));
}

// An autoregressive chain, x <- .8 x + xi, of mean 0: over 40 seeds the error holds. The mean of z^2 then has a standard deviation of
// sqrt(2/40) = .22 or a little more, for the error itself is estimated; its root stays between .75 and 1.3 (bounds on z^2 of .56 and 1.69).
TEST(Expectations, OneChainsErrorHolds) {
  constexpr int seeds = 40, draws_of_one = 2000;
  double squares = 0;
  for (int seed = 0; seed < seeds; seed++) {
    std::vector<float> values;
    double x = 0;
    for (int d = -50; d < draws_of_one; d++) {
      auto const w = random::words({9, 9}, std::uint64_t(seed), random::Stream::test, std::uint64_t(d + 50), 0);
      x = 0.8 * x + random::normal_pair(w.w[0], w.w[1], double()).a;
      if (d >= 0) values.push_back(float(x));
    }
    auto const found = mean_of(one_chain(values));
    EXPECT_GT(found[0].degrees_of_freedom, 50);
    squares += found[0].value * found[0].value / (found[0].error * found[0].error);
  }
  double const rms = std::sqrt(squares / seeds);
  EXPECT_GT(rms, 0.75);
  EXPECT_LT(rms, 1.3);
}

// As a test of 3 of 10 gives it: (5 / 14) (9 / 14) / 14 is the variance; and none of 10 is not for certain none.
TEST(Shares, HaveAnErrorWhereNothingHappened) {
  Estimate const some = share_and_error(3, 10), none = share_and_error(0, 10);
  EXPECT_DOUBLE_EQ(some.value, 0.3);
  EXPECT_NEAR(some.error, std::sqrt(45. / 14 / 14 / 14), 1e-15);
  EXPECT_EQ(none.value, 0);
  EXPECT_NEAR(none.error, std::sqrt(2. * 12 / 14 / 14 / 14), 1e-15);
}

TEST(Quotient, AddsRelativeErrorsInSquares) {
  Estimate const q = quotient({-6, 0.3, 7}, {2, 0.2, 3});
  EXPECT_DOUBLE_EQ(q.value, -3);
  EXPECT_NEAR(q.error, 3 * std::hypot(0.05, 0.1), 1e-15);
  EXPECT_EQ(q.degrees_of_freedom, 7);
  EXPECT_DOUBLE_EQ(quotient({0, 0.3}, {2, 0.2}).error, 0.15);
}

TEST(Gather, PointsAreTheLastDrawsOfAllChains) {
  SampleSet const s = samples();
  for (Index count : {Index{1}, Index{50}, chains, Index{200}, chains * draws, Index{100000}}) {
    auto const points = gather_points(s, count);
    Index const expected = std::min(count, chains * draws);
    ASSERT_EQ(std::ssize(points), expected * dimension);
    for (Index p = 0; p < expected; p++)
      for (Index i = 0; i < dimension; i++) ASSERT_EQ(points[p * dimension + i], entry(p % chains, draws - 1 - p / chains, i)) << p;
  }
}

TEST(Gather, SeriesAreInTheOrderOfChains) {
  auto const series = gather_series(samples(), [](float const* x, double energy) { return x[1] + 10 * energy; });
  ASSERT_EQ(std::ssize(series), chains * draws);
  for (Index c = 0; c < chains; c++)
    for (Index d = 0; d < draws; d++) ASSERT_EQ(series[c * draws + d], entry(c, d, 1) + 10 * double(entry(c, d, dimension)));
}

}  // namespace
}  // namespace partita
