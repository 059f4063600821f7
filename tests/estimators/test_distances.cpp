#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "comm/communicator.hpp"
#include "core/require.hpp"
#include "core/tiling.hpp"
#include "estimators/distances.hpp"
#include "tree.hpp"

namespace partita {
namespace {

using Points = std::vector<double>;
using std::numbers::pi;

Communicator ranks() { return Communicator::world(); }

// n standard normal points; `set` tells independent sets apart.
Points normals(Index n, Index d, Index set) {
  Points out;
  for (Index k = 0; k < n * d; k++) {
    auto const w = random::words({5, 6}, std::uint64_t(k), random::Stream::test, std::uint64_t(set), 0);
    out.push_back(random::normal_pair(w.w[0], w.w[1], double()).a);
  }
  return out;
}

Points shifted(Points p, Points const& by) {
  for (std::size_t k = 0; k < p.size(); k++) p[k] += by[k % by.size()];
  return p;
}

struct MeanOf {
  double mean, error;
};
template <class F>
MeanOf repeat(Index times, F const& f) {
  double sum = 0, squares = 0;
  for (Index k = 0; k < times; k++) {
    double const v = f(k);
    sum += v, squares += v * v;
  }
  double const n = double(times), mean = sum / n;
  return {mean, std::sqrt((squares / n - mean * mean) / (n - 1))};
}

TEST(EnergyDistance, OfPointMassesIsTwiceTheirDistance) { EXPECT_DOUBLE_EQ(squared_energy_distance(ranks(), {0, 0}, {3, 4}, 2), 10); }

TEST(EnergyDistance, ByHand) {
  // E|X - Y| = 7/6, E|X - X'| = 12/9, E|Y - Y'| = 1/2
  EXPECT_NEAR(squared_energy_distance(ranks(), {0, 1, 3}, {1, 2}, 1), 7. / 3 - 4. / 3 - 0.5, 1e-15);
}

TEST(EnergyDistance, OfASetToItselfIsZero) {
  Points const x = normals(157, 3, 0);
  EXPECT_EQ(squared_energy_distance(ranks(), x, x, 3), 0);
}

TEST(EnergyDistance, OfTwoGaussiansIsTheClosedForm) {
  constexpr Index n = 300;
  constexpr double mu = 1.5;
  // X - Y ~ N(mu, 2), X - X' ~ N(0, 2), and E|N(mu, s^2)| = s sqrt(2/pi) exp(-mu^2 / (2 s^2)) + mu erf(mu / (s sqrt 2)). A V-statistic
  // counts the n pairs (X, X) with distance 0.
  double const across = 2 / std::sqrt(pi) * std::exp(-mu * mu / 4) + mu * std::erf(mu / 2), within = 2 / std::sqrt(pi);
  double const expected = 2 * across - 2 * within * (1 - 1. / n);
  auto const found = repeat(
      40, [&](Index k) { return squared_energy_distance(ranks(), normals(n, 1, 2 * k), shifted(normals(n, 1, 2 * k + 1), {mu}), 1); });
  EXPECT_NEAR(found.mean, expected, 4 * found.error);
  EXPECT_LT(found.error, 0.03 * expected);  // the comparison has teeth
}

TEST(EnergyDistance, BetweenSamplesOfOneLawIsTheVStatisticsBias) {
  constexpr Index n = 120, m = 60;
  // E|X - X'| = sqrt(pi) for a standard normal in the plane.
  auto const found =
      repeat(40, [&](Index k) { return squared_energy_distance(ranks(), normals(n, 2, 2 * k), normals(m, 2, 2 * k + 1), 2); });
  double const expected = (1. / n + 1. / m) * std::sqrt(pi);
  EXPECT_NEAR(found.mean, expected, 4 * found.error);
  EXPECT_LT(found.error, 0.15 * expected);
}

TEST(EnergyDistance, SameBitsOnAnyNumberOfRanks) {
  constexpr Index d = 3, blocks = 64;
  Points const x = normals(150, d, 1), y = normals(70, d, 2);
  auto const mean_distance = [&](Points const& a, Points const& b) {
    Index const n = std::ssize(a) / d, m = std::ssize(b) / d;
    std::vector<double> sums;
    for (int block = 0; block < blocks; block++) {
      TileRange const rows = share_of_tiles(n, block, blocks);
      double sum_of_block = 0;
      for (Index r = rows.first; r < rows.end(); r++) {
        double sum = 0;
        for (Index j = 0; j < m; j++) {
          double square = 0;
          for (Index i = 0; i < d; i++) {
            double const difference = a[r * d + i] - b[j * d + i];
            square += difference * difference;
          }
          sum += std::sqrt(square);
        }
        sum_of_block += sum;
      }
      sums.push_back(sum_of_block);
    }
    return test::tree_sum(sums) / double(n * m);
  };
  EXPECT_EQ(squared_energy_distance(ranks(), x, y, d), 2 * mean_distance(x, y) - mean_distance(x, x) - mean_distance(y, y));
}

TEST(EnergyDistance, RefusesEmptySets) {
  EXPECT_THROW(squared_energy_distance(ranks(), {}, {1, 2}, 2), Failure);
  EXPECT_THROW(squared_energy_distance(ranks(), {1, 2}, {}, 2), Failure);
}

TEST(Groups, OfChainsWhereThereAreEnoughElseOfStretchesOfDraws) {
  Groups const chains = Groups::of_draws(100, 40);  // point p is of chain p % 40
  EXPECT_EQ(chains.number, 20);
  for (std::size_t p = 0; p < 100; p++) EXPECT_EQ(chains.of[p], Index(p) % 40 / 2) << p;
  Groups const draws = Groups::of_draws(100, 3);
  for (std::size_t p = 0; p < 100; p++) EXPECT_EQ(draws.of[p], Index(p) / 5) << p;
  EXPECT_EQ(Groups::of_draws(7, 7).number, 7);
}

TEST(EnergyDistance, ErrorIsTheJackknifeOfItsGroups) {
  Points const x = {0, 1, 3, 7}, y = {1, 2, 2, 5};
  Groups const groups{2, {0, 1, 1, 0}};
  auto const found = squared_energy_distance(ranks(), x, y, 1, groups, groups);
  EXPECT_NEAR(found.value, squared_energy_distance(ranks(), x, y, 1), 1e-14);
  double const a = squared_energy_distance(ranks(), {1, 3}, {2, 2}, 1), b = squared_energy_distance(ranks(), {0, 7}, {1, 5}, 1);
  EXPECT_NEAR(found.error, std::abs(a - b) / 2, 1e-14);
  EXPECT_EQ(found.degrees_of_freedom, 1);
}

// 40 pairs of sets whose laws differ; the draws of a chain are alike, x = 60 chains' positions + small noise. The mean of z^2 has a
// standard deviation of sqrt(2/40) = .22, somewhat more with errors of 19 degrees of freedom.
template <class F>
void expect_calibrated(F const& estimate) {
  constexpr Index sets = 40, chains = 60, draws = 5, n = chains * draws;
  std::vector<Estimate> all;
  double mean = 0, squares = 0;
  for (Index k = 0; k < sets; k++) {
    Points const at = normals(chains, 2, 2 * k);
    Points x = normals(n, 2, 1000 + k), y = shifted(normals(n, 2, 2 * k + 1), {1, 0.5});
    for (std::size_t i = 0; i < x.size(); i++) x[i] = 0.9 * at[i % at.size()] + 0.4 * x[i];
    all.push_back(estimate(x, y, Groups::of_draws(n, chains), Groups::of_draws(n, n)));
    mean += all.back().value / sets;
  }
  for (Estimate const& e : all) squares += (e.value - mean) * (e.value - mean) / (e.error * e.error) / (sets - 1);
  EXPECT_GT(std::sqrt(squares), 0.75);
  EXPECT_LT(std::sqrt(squares), 1.3);
}
TEST(EnergyDistance, ErrorHoldsForCorrelatedDraws) {
  expect_calibrated([](Points const& x, Points const& y, Groups const& of_x, Groups const& of_y) {
    return squared_energy_distance(ranks(), x, y, 2, of_x, of_y);
  });
}
TEST(SlicedWasserstein, ErrorHoldsForCorrelatedDraws) {
  expect_calibrated([](Points const& x, Points const& y, Groups const& of_x, Groups const& of_y) {
    return sliced_wasserstein(ranks(), x, y, 2, 1, 20, {1, 2}, of_x, of_y);
  });
}

TEST(SlicedWasserstein, InOneDimensionComparesSortedPoints) {
  // sorted: (0, 1, 4) and (-1, 3, 4.5), differences 1, 2, 0.5; all directions are +-1
  EXPECT_NEAR(sliced_wasserstein(ranks(), {4, 0, 1}, {3, 4.5, -1}, 1, 1, 7, {1, 2}), 3.5 / 3, 1e-15);
  EXPECT_NEAR(sliced_wasserstein(ranks(), {4, 0, 1}, {3, 4.5, -1}, 1, 2, 7, {1, 2}), std::sqrt(5.25 / 3), 1e-15);
}

TEST(SlicedWasserstein, OfATranslationIsItsMeanProjection) {
  constexpr Index projections = 2000;
  for (Index d : {2, 3, 10}) {
    Points const x = normals(20, d, 3);
    Points t(d, 0.);
    t.front() = 3, t.back() = -4;
    double const half = 0.5 * double(d), length = 5;
    double const first = std::tgamma(half) / (std::sqrt(pi) * std::tgamma(half + 0.5)),
                 second = 1 / double(d);  // E|u_1|, E u_1^2
    double const error = length * std::sqrt((second - first * first) / projections);
    EXPECT_NEAR(sliced_wasserstein(ranks(), x, shifted(x, t), d, 1, projections, {1, 2}), length * first, 4 * error) << d;
    // E u_1^4 = 3 / (d (d + 2)); the error of a root is that of the square over twice the root.
    double const fourth = 3 / double(d * (d + 2)), root = std::sqrt(second);
    double const root_error = length * std::sqrt((fourth - second * second) / projections) / (2 * root);
    EXPECT_NEAR(sliced_wasserstein(ranks(), x, shifted(x, t), d, 2, projections, {1, 2}), length * root, 4 * root_error) << d;
  }
}

TEST(SlicedWasserstein, OfASetToItselfIsZeroInAnyOrder) {
  Points const x = {1, 2, 3, 4, 5, 6}, y = {5, 6, 1, 2, 3, 4};
  EXPECT_EQ(sliced_wasserstein(ranks(), x, y, 2, 1, 50, {1, 2}), 0);
  EXPECT_EQ(sliced_wasserstein(ranks(), x, y, 2, 2, 50, {1, 2}), 0);
}

TEST(SlicedWasserstein, SameBitsOnAnyNumberOfRanks) {
  constexpr Index d = 3, projections = 23;
  random::Key const key{7, 8};
  Points const x = normals(40, d, 1), y = normals(40, d, 2);
  std::vector<double> sums;
  for (Index k = 0; k < projections; k++) {
    double v[d], square = 0;
    for (Index i = 0; i < d; i++) {
      auto const w = random::words(key, std::uint64_t(k), random::Stream::projections, 0, std::uint32_t(i));
      v[i] = random::normal_pair(w.w[0], w.w[1], double()).a;
      square += v[i] * v[i];
    }
    auto const projection = [&](Points const& p) {
      Points out(p.size() / d);
      for (std::size_t n = 0; n < p.size(); n++) out[n / d] += v[n % d] / std::sqrt(square) * p[n];
      std::sort(out.begin(), out.end());
      return out;
    };
    Points const a = projection(x), b = projection(y);
    double sum = 0;
    for (std::size_t i = 0; i < a.size(); i++) sum += std::abs(a[i] - b[i]);
    sums.push_back(sum);
  }
  EXPECT_EQ(sliced_wasserstein(ranks(), x, y, d, 1, projections, key), test::tree_sum(sums) / (projections * 40));
}

TEST(SlicedWasserstein, RefusesSetsOfDifferentSize) { EXPECT_THROW(sliced_wasserstein(ranks(), {1, 2}, {1}, 1, 1, 3, {1, 2}), Failure); }

}  // namespace
}  // namespace partita
