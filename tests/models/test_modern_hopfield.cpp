// Continuous Hopfield networks against their sums over patterns written out in double.
#include <gtest/gtest.h>

#include "core/require.hpp"
#include "machine.hpp"
#include "models/modern_hopfield.hpp"

namespace partita::test::machine {
namespace {

constexpr double eps = std::numeric_limits<Real>::epsilon();

struct Exact {
  double energy;
  std::vector<double> update;
};
Exact by_hand(std::vector<double> const& patterns, std::vector<double> const& x, double beta) {
  std::size_t const d = x.size(), count = patterns.size() / d;
  std::vector<double> minus_score(count);
  double square = 0;
  for (double v : x) square += v * v;
  for (std::size_t p = 0; p < count; p++)
    for (std::size_t i = 0; i < d; i++) minus_score[p] -= beta * patterns[p * d + i] * x[i];
  double const log_sum = log_sum_exp_minus(minus_score);
  Exact e{square / 2 - log_sum / beta, std::vector<double>(d)};
  for (std::size_t p = 0; p < count; p++)
    for (std::size_t i = 0; i < d; i++) e.update[i] += std::exp(-minus_score[p] - log_sum) * patterns[p * d + i];
  return e;
}

struct Evaluated {
  TileStorage x, gradient;
  TileScalarStorage energy;
  std::vector<double> point(Index tile, Index lane) const {
    std::vector<double> out;
    for (Index i = 0; i < extent(x, 1); i++) out.push_back(host(x)(tile, i, lane));
    return out;
  }
};
Evaluated evaluate(ModernHopfield& model, Index tiles, Index lanes, std::function<double(Index, Index)> const& value) {
  Index const d = model.dimension();
  Evaluated e{points(tiles, d, lanes, value), points(tiles, d, lanes, [](Index, Index) { return NAN; }), scalars(tiles, lanes)};
  model.reserve(tiles, lanes);
  model.energy_and_gradient(seen(e.x, lanes), seen(e.energy, lanes), seen(e.gradient, lanes));
  return e;
}

// One block of patterns and several, of which the last is a single pattern; sharp and blunt.
TEST(ModernHopfield, EnergyAndGradientAreSumsOverPatterns) {
  for (Index patterns : {1, 7, 1024, 2049})
    for (double beta : {0.3, 1., 4.}) {
      auto const model = make_modern_hopfield({.dimension = 5, .patterns = patterns, .beta = beta}, key);
      auto const memory = to_host(model->memory());
      auto const e = evaluate(*model, 2, 80, [](Index c, Index i) { return 1.5 * normal(5 * c + i); });
      for (Index c = 0; c < 160; c += 9) {
        Index const tile = c / 80, lane = c % 80;
        auto const x = e.point(tile, lane);
        auto const exact = by_hand(memory, x, beta);
        // Rounding of scores up to 4 * 10, and of sums of many weights.
        EXPECT_NEAR(host(e.energy)(tile, lane), exact.energy, 60 * eps);
        for (std::size_t i = 0; i < x.size(); i++)
          EXPECT_NEAR(host(e.gradient)(tile, Index(i), lane), x[i] - exact.update[i], 200 * eps) << patterns << " " << beta;
      }
    }
}

TEST(ModernHopfield, GradientIsTheSlopeOfTheEnergy) {
  if (!in_double) GTEST_SKIP() << "differences of energies need the double-precision build";
  double const step = 1e-5;
  auto const model = make_modern_hopfield({.dimension = 4, .patterns = 1500, .beta = 2}, key);
  auto const centre = [](Index i) { return 0.8 * normal(i, 4); };
  // Lane 2 k + 1 is moved up, lane 2 k + 2 down along coordinate k.
  auto const e =
      evaluate(*model, 1, 16, [&](Index c, Index i) { return centre(i) + ((c - 1) / 2 == i && c > 0 ? (c % 2 ? step : -step) : 0); });
  for (Index i = 0; i < 4; i++)
    EXPECT_NEAR(host(e.gradient)(0, i, 0), (host(e.energy)(0, 2 * i + 1) - host(e.energy)(0, 2 * i + 2)) / (2 * step), 1e-8);
}

TEST(ModernHopfield, RandomPatternsLieOnTheirSphere) {
  for (Index d : {1, 2, 5, 30})
    for (double radius : {0., 3.}) {
      auto const memory = to_host(make_modern_hopfield({.dimension = d, .patterns = 9, .radius = radius}, key)->memory());
      double const wanted = radius > 0 ? radius * radius : d > 1 ? double(d - 1) : 1;
      for (std::size_t p = 0; p < 9; p++) {
        double square = 0;
        for (std::size_t i = 0; i < std::size_t(d); i++) square += std::pow(memory[p * std::size_t(d) + i], 2);
        EXPECT_NEAR(square, wanted, 20 * eps * wanted) << d << " " << radius;
      }
    }
}

// At beta = 1, exp(-E) = sum_i exp(|x_i|^2 / 2) exp(-|x - x_i|^2 / 2).
TEST(ModernHopfield, IsAMixtureOfNormalsAtBetaOne) {
  auto const model = make_modern_hopfield({.dimension = 3, .patterns = 40, .radius = 2}, key);
  auto const memory = to_host(model->memory());
  auto const e = evaluate(*model, 1, 64, [](Index c, Index i) { return normal(3 * c + i); });
  for (Index c = 0; c < 64; c++) {
    auto const x = e.point(0, c);
    std::vector<double> terms;
    for (std::size_t p = 0; p < 40; p++) {
      double radius = 0, distance = 0;
      for (std::size_t i = 0; i < 3; i++) radius += std::pow(memory[3 * p + i], 2), distance += std::pow(x[i] - memory[3 * p + i], 2);
      EXPECT_NEAR(radius, 4, 20 * eps);
      terms.push_back(distance / 2 - radius / 2);
    }
    EXPECT_NEAR(host(e.energy)(0, c), -log_sum_exp_minus(terms), 40 * eps);
  }
}

// Scores of 10^5, whose exponentials no number holds; the last block has the highest, or the first.
TEST(ModernHopfield, LargeScoresNeitherOverflowNorVanish) {
  for (bool last : {false, true}) {
    ModernHopfield model(2, 1);
    std::vector<double> patterns;
    for (Index p = 0; p < 3000; p++) patterns.insert(patterns.end(), {last ? 0.1 * double(p) : 300 - 0.1 * double(p), 1});
    model.remember(patterns);
    auto const e = evaluate(model, 1, 16, [](Index, Index i) { return i == 0 ? 400. : 0.; });
    double const furthest = last ? 299.9 : 300;
    EXPECT_NEAR(host(e.gradient)(0, 0, 0), 400 - furthest, 400 * 4 * eps);
    EXPECT_NEAR(host(e.gradient)(0, 1, 0), -1, 20 * eps);
    EXPECT_NEAR(host(e.energy)(0, 0), 80000 - 400 * furthest, 120000 * 4 * eps);
  }
}

// 2000 patterns in 32 dimensions: |x_i|^2 = 31 against scores of other patterns of at most some 22; a blunt beta finds their mean.
TEST(ModernHopfield, OneStepRetrieves) {
  Index const d = 32, lanes = 256;
  auto const model = make_modern_hopfield({.dimension = d, .patterns = 2000}, key);
  auto const memory = to_host(model->memory());
  auto const pattern = [&](Index c, Index i) { return memory[c * d + i]; };
  auto const x = points(1, d, lanes, [&](Index c, Index i) { return pattern(c, i) + 0.3 * normal(d * c + i); });
  auto const y = points(1, d, lanes, [](Index, Index) { return 0.; });
  model->reserve(1, lanes);
  auto const furthest = [&](double beta) {
    model->update(seen(x, lanes), beta, seen(y, lanes));
    double most = 0, least = INFINITY;
    for (Index c = 0; c < lanes; c++) {
      double square = 0;
      for (Index i = 0; i < d; i++) square += std::pow(host(y)(0, i, c) - pattern(c, i), 2);
      most = std::max(most, std::sqrt(square)), least = std::min(least, std::sqrt(square));
    }
    return std::pair(least, most);
  };
  EXPECT_LT(furthest(1).second, 0.5);
  EXPECT_GT(furthest(1 / std::sqrt(32.)).first, 1);
}

TEST(ModernHopfield, ChainsDoNotDependOnTheOthers) {
  auto const model = make_modern_hopfield({.dimension = 6, .patterns = 1100}, key);
  auto const value = [](Index c, Index i) { return normal(6 * c + i); };
  auto const one = evaluate(*model, 1, 64, value), two = evaluate(*model, 2, 64, value);
  for (Index l = 0; l < 64; l++) EXPECT_EQ(host(one.energy)(0, l), host(two.energy)(0, l));
}

TEST(ModernHopfield, PatternsOfDataAndTheirRefusal) {
  auto network = make_modern_hopfield({.dimension = 2}, key);
  EXPECT_EQ(network->patterns(), 0);
  EXPECT_THROW(network->reserve(1, 16), Failure);
  EXPECT_THROW(network->remember(std::vector<double>(3)), Failure);
  network->remember(std::vector<double>{1, 2, 3, 4});
  EXPECT_EQ(network->patterns(), 2);
  EXPECT_EQ(to_host(network->memory()), (std::vector<double>{1, 2, 3, 4}));
}

}  // namespace
}  // namespace partita::test::machine
