// Gaussian fields against their moments.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numbers>

#include "core/dense.hpp"
#include "core/require.hpp"
#include "machine.hpp"
#include "models/gaussian_mrf.hpp"

namespace partita::test::machine {
namespace {

using testing::HasSubstr;

struct Case {
  std::string name;
  GaussianMrfOptions options;
};
std::vector<Case> cases() {
  return {{"dense", {.precision = {2, 0.5, -0.4, 0.5, 1.5, 0.3, -0.4, 0.3, 1}, .potential = {1, -0.5, 0.2}}},
          {"sparse", {.precision = {2, -1, 0, 0, -1, 2, -1, 0, 0, -1, 2, -1, 0, 0, -1, 2}, .potential = {0.5}}},
          {"lattice", {.rows = 3, .columns = 4, .stiffness = 0.7, .mass = 0.8, .periodic = true, .potential = {0.3}}},
          {"open_lattice", {.rows = 2, .columns = 3, .stiffness = 2, .mass = 0.5, .periodic = false}}};
}
std::string name_of(testing::TestParamInfo<Case> const& info) { return info.param.name; }

class Field : public testing::TestWithParam<Case> {
 protected:
  GaussianMrf field{GetParam().options};
  GaussianMoments law = field.gaussian().front();
  Index d = field.dimension();
  std::vector<double> g = law.precision * law.mean;

  double energy(std::vector<double> const& x) const {
    auto const jx = law.precision * x;
    double e = 0;
    for (std::size_t k = 0; k < x.size(); k++) e += x[k] * (0.5 * jx[k] - g[k]);
    return e;
  }
  // Of every lane of the first tile.
  static std::vector<std::vector<double>> points_of(TileStorage const& x, Index lanes) {
    std::vector<std::vector<double>> out(lanes);
    auto const on_host = host(x);
    for (Index l = 0; l < lanes; l++)
      for (Index k = 0; k < extent(x, 1); k++) out[l].push_back(double(on_host(0, k, l)));
    return out;
  }
};

TEST_P(Field, EnergyAndGradientAreTheFormula) {
  Index const lanes = 32;
  auto const x = points(1, d, lanes, [](Index l, Index k) { return normal(k, 100 + std::uint64_t(l)); });
  auto const e = scalars(1, lanes), along = scalars(1, lanes);
  TileStorage const gradient("gradient", 1, d, pitch_quantum);
  field.energy_and_gradient(seen(x, lanes), seen(e, lanes), seen(gradient, lanes));
  field.energy(seen(x, lanes), seen(along, lanes));
  double const tolerance = 200 * std::numeric_limits<Real>::epsilon();  // sums of some ten numbers below 10
  auto const with_gradient = host(e), alone = host(along);
  auto const slope = host(gradient);
  auto const all = points_of(x, lanes);
  for (Index l = 0; l < lanes; l++) {
    auto const jx = law.precision * all[l];
    EXPECT_NEAR(with_gradient(0, l), energy(all[l]), tolerance);
    EXPECT_NEAR(alone(0, l), energy(all[l]), tolerance);
    for (Index k = 0; k < d; k++) EXPECT_NEAR(slope(0, k, l), jx[k] - g[k], tolerance);
  }
}

TEST_P(Field, PathGoesToTheReference) {
  Index const lanes = 32;
  auto const x = points(1, d, lanes, [](Index l, Index k) { return normal(k, 100 + std::uint64_t(l)); });
  auto const all = points_of(x, lanes);
  auto const e = scalars(1, lanes);
  UnitMoments moments;
  for (Index k = 0; k < d; k++) moments.mean.push_back(0.1 * double(k)), moments.variance.push_back(1 + normal(k) * normal(k));
  for (bool of_data : {false, true}) {
    if (of_data) field.set_reference(moments);
    double log_z = 0;
    for (double beta : {0., 0.5, 1.}) {
      field.path_energy(seen(x, lanes), beta, seen(e, lanes));
      auto const found = host(e);
      for (Index l = 0; l < lanes; l++) {
        auto const& here = all[l];
        double reference = 0;
        log_z = 0;
        for (std::size_t k = 0; k < here.size(); k++) {
          auto const diagonal = law.precision(Index(k), Index(k));
          double const m = of_data ? moments.mean[k] : g[k] / diagonal, t = of_data ? 1 / moments.variance[k] : diagonal;
          reference += t * (here[k] - m) * (here[k] - m) / 2;
          log_z += std::log(2 * std::numbers::pi / t) / 2;
        }
        EXPECT_NEAR(found(0, l), (1 - beta) * reference + beta * energy(here), 400 * std::numeric_limits<Real>::epsilon()) << beta;
      }
    }
    EXPECT_NEAR(field.log_z_reference(), log_z, 1e-5);
  }
}

// One free unit: mean and variance of x_k | rest, within 5 standard errors.
TEST_P(Field, Conditionals) {
  Index const lanes = 4096, tiles = 4;
  double const n = double(tiles * lanes);
  for (Index k = 0; k < d; k++) {
    auto const x = points(tiles, d, lanes, [](Index, Index i) { return normal(i, 200); });
    double const diagonal = law.precision(k, k);
    double force = g[k];
    for (Index j = 0; j < d; j++)
      if (j != k) force -= law.precision(k, j) * normal(j, 200);
    sweeps(field, x, lanes, k, 1, 1, holding(d, [k](Index i) { return i != k; }));
    auto const after = host(x);
    double sum = 0, squares = 0;
    for (Index t = 0; t < tiles; t++)
      for (Index l = 0; l < lanes; l++) {
        double const away = double(after(t, k, l)) - force / diagonal;
        sum += away, squares += away * away;
        for (Index i = 0; i < d; i++) ASSERT_TRUE(i == k || after(t, i, l) == Real(normal(i, 200))) << "a held unit moved";
      }
    EXPECT_NEAR(sum / n, 0, 5 / std::sqrt(n * diagonal)) << k;
    EXPECT_NEAR(squares / n * diagonal, 1, 5 * std::sqrt(2 / n)) << k;
  }
}

// All second moments of independent chains after 300 sweeps, within 5 standard errors: Var(y_i y_j) = C_ii C_jj + C_ij^2.
TEST_P(Field, SweepsSampleTheLaw) {
  Index const lanes = 4096, tiles = 2;
  auto const x = points(tiles, d, lanes, [](Index, Index) { return 0.; });
  for (double beta : {1., 0.5, 0.}) {
    Matrix precision = law.precision;
    std::vector<double> pull = g;
    for (Index i = 0; i < d; i++)
      for (Index j = 0; j < d; j++)
        if (i != j) precision(i, j) *= beta;  // the reference keeps J_kk and g_k
    Matrix potential(d, 1);
    potential.values = pull;
    auto const mean = solve(precision, potential).values;
    Matrix const covariance = inverse(precision);
    sweeps(field, x, lanes, Index(1000 * beta), 300, beta);
    auto const after = host(x);
    double const n = double(tiles * lanes);
    for (Index i = 0; i < d; i++) {
      for (Index j = 0; j <= i; j++) {
        double sum = 0, products = 0;
        for (Index t = 0; t < tiles; t++)
          for (Index l = 0; l < lanes; l++) {
            double const yi = double(after(t, i, l)) - mean[i];
            double const yj = double(after(t, j, l)) - mean[j];
            sum += yi, products += yi * yj;
          }
        double const cij = covariance(i, j), scale = std::sqrt(covariance(i, i) * covariance(j, j) + cij * cij);
        EXPECT_NEAR(products / n, cij, 5 * scale / std::sqrt(n)) << i << ", " << j << ", beta " << beta;
        EXPECT_NEAR(sum / n, 0, 5 * std::sqrt(covariance(i, i) / n)) << i << ", beta " << beta;
      }
    }
  }
}

// log Z = d/2 log 2 pi - 1/2 log det J + 1/2 m'J m, within 5 standard errors of the weights' mean.
TEST_P(Field, AnnealingFindsLogZ) {
  Index const lanes = 4096, temperatures = 40;
  auto const x = points(1, d, lanes, [](Index, Index) { return 0.; });
  LogWeights const log_weight("log weights", 1, lanes);
  Sweep sweep{.key = key, .chains = {{lanes, lanes}, {0, 1}}, .step = 0, .beta = 0};
  field.sweep(seen(x, lanes), sweep);
  for (Index k = 1; k <= temperatures; k++) {
    double const before = sweep.beta;
    sweep.step = k, sweep.beta = double(k) / double(temperatures);
    field.anneal(seen(x, lanes), before, sweep, log_weight);
  }
  double sum = 0, squares = 0, expected = (double(d) * std::log(2 * std::numbers::pi) - log_determinant(law.precision)) / 2;
  for (std::size_t k = 0; k < g.size(); k++) expected += g[k] * law.mean[k] / 2;
  auto const w = host(log_weight);
  for (Index l = 0; l < lanes; l++) sum += std::exp(w(0, l)), squares += std::exp(2 * w(0, l));
  double const n = double(lanes), mean = sum / n, error = std::sqrt((squares / n - mean * mean) / n) / mean;
  EXPECT_LT(error, 0.1);
  EXPECT_NEAR(std::log(mean) + field.log_z_reference(), expected, 5 * error + 1e-5);
}

INSTANTIATE_TEST_SUITE_P(All, Field, testing::ValuesIn(cases()), name_of);

// J = stiffness (4 - sum of neighbours) + mass^2 on a periodic lattice: eigenvalues stiffness (4 - 2 cos k - 2 cos l) + mass^2.
TEST(GaussianMrf, LatticeHasItsSpectrum) {
  GaussianMrf const field(GaussianMrfOptions{.rows = 3, .columns = 4, .stiffness = 0.7, .mass = 0.8});
  std::vector<double> expected;
  for (int k = 0; k < 3; k++)
    for (int l = 0; l < 4; l++)
      expected.push_back(0.64 + 0.7 * (4 - 2 * std::cos(2 * std::numbers::pi * k / 3) - 2 * std::cos(2 * std::numbers::pi * l / 4)));
  std::sort(expected.begin(), expected.end());
  auto const found = eigenvalues(field.gaussian().front().precision);
  for (std::size_t k = 0; k < expected.size(); k++) EXPECT_NEAR(found[k], expected[k], 1e-10);
}

std::string refusal(GaussianMrfOptions const& o) {
  try {
    GaussianMrf{o};
  } catch (Failure const& failure) {
    EXPECT_EQ(failure.code(), ExitCode::usage);
    return failure.what();
  }
  return "";
}

TEST(GaussianMrf, MatricesThatAreNoPrecisionAreRefused) {
  EXPECT_THAT(refusal({.precision = {1, 2, 2, 1}}), HasSubstr("not positive definite"));
  EXPECT_THAT(refusal({.precision = {1, 0.2, 0.3, 1}}), HasSubstr("not symmetric"));
  EXPECT_THAT(refusal({.precision = {1, 0.2, 0.3}}), HasSubstr("square"));
  EXPECT_THAT(refusal({.precision = {1, 0, 0, 1}, .potential = {1, 2, 3}}), HasSubstr("model.potential has 3"));
  EXPECT_THAT(refusal({.rows = 2, .columns = 5}), HasSubstr("periodic = false"));
  EXPECT_THAT(refusal({}), HasSubstr("give one or the other"));
  GaussianMrf field(GaussianMrfOptions{.precision = {1, 0, 0, 1}});
  EXPECT_THROW(field.set_reference({{0, 0}, {1, 0}, 10}), Failure);
}

}  // namespace
}  // namespace partita::test::machine
