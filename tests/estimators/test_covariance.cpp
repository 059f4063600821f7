#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "core/random.hpp"
#include "estimators/covariance.hpp"

namespace partita {
namespace {

constexpr Index chains = 1000, draws = 3, dimension = 4;
std::vector<double> const mean = {1, -2, 0, 0.5};

Matrix factor() {
  Matrix l(dimension, dimension);
  for (Index i = 0; i < dimension; i++)
    for (Index j = 0; j <= i; j++) l(i, j) = i == j ? 1 : 0.5 / double(1 + i + j);
  return l;
}
Matrix covariance() {
  Matrix const l = factor();
  Matrix c(dimension, dimension);
  for (Index i = 0; i < dimension; i++)
    for (Index j = 0; j < dimension; j++)
      for (Index k = 0; k < dimension; k++) c(i, j) += l(i, k) * l(j, k);
  return c;
}

// x = mean + L xi with independent normals xi.
SampleSet gaussian_samples() {
  Communicator const ranks = Communicator::world();
  Tiling const tiling{chains, 64};
  SampleSet s{ranks, tiling, share_of_tiles(tiling.tiles(), ranks.rank(), ranks.ranks()), draws, dimension, {}, {}};
  Matrix const l = factor();
  Index const first = tiling.first_chain(s.mine.first);
  for (Index c = first; c < first + s.chains_here(); c++)
    for (Index d = 0; d < draws; d++) {
      auto const w = random::words({3, 4}, std::uint64_t(c), random::Stream::test, std::uint64_t(d), 0);
      auto const p = random::normal_pair(w.w[0], w.w[1], double()), q = random::normal_pair(w.w[2], w.w[3], double());
      double const xi[] = {p.a, p.b, q.a, q.b};
      for (Index i = 0; i < dimension; i++) {
        double x = mean[i];
        for (Index k = 0; k <= i; k++) x += l(i, k) * xi[k];
        s.x.push_back(float(x));
      }
    }
  return s;
}

TEST(CovarianceTest, AgreesWithTheTruth) {
  auto const test = test_covariance(gaussian_samples(), mean, covariance());
  EXPECT_LT(test.largest_z, 4);  // ten entries: exceeded once in 1600 seeds
  EXPECT_GT(test.largest_z, 0.1);
  EXPECT_LT(test.largest_error, 4 * std::sqrt(2. / (chains * draws)) * 1.5);  // variances are below 1.5
}

TEST(CovarianceTest, FindsTheWrongEntry) {
  for (auto const& [row, column] : {std::pair<Index, Index>{2, 2}, {1, 3}}) {
    Matrix wrong = covariance();
    wrong(row, column) += 0.5;
    wrong(column, row) = wrong(row, column);
    auto const test = test_covariance(gaussian_samples(), mean, wrong);
    EXPECT_GT(test.largest_z, 10);  // an error of 0.5 in standard errors of at most 0.04
    EXPECT_NEAR(test.largest_error, 0.5, 0.12);
    EXPECT_EQ(test.row, row);
    EXPECT_EQ(test.column, column);
  }
}

TEST(CovarianceTest, NoNaNGoesUnseen) {
  SampleSet s = gaussian_samples();
  if (!s.x.empty()) s.x[0] = std::numeric_limits<float>::quiet_NaN();  // entries (0, j) alone
  auto const test = test_covariance(s, mean, covariance());
  EXPECT_TRUE(std::isnan(test.largest_z));
  EXPECT_TRUE(std::isnan(test.largest_error));
  EXPECT_EQ(test.row, 0);
}

}  // namespace
}  // namespace partita
