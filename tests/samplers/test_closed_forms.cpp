// Samplers on Gaussians, where their law is known at every step: bounds of four standard errors over independent chains.
#include <gmock/gmock.h>

#include "core/require.hpp"
#include "energies/double_well.hpp"
#include "energies/gaussian.hpp"
#include "samplers/barker.hpp"
#include "samplers/hmc.hpp"
#include "samplers/leimkuhler_matthews.hpp"
#include "samplers/mala.hpp"
#include "samplers/mclmc.hpp"
#include "samplers/ula.hpp"
#include "samplers/underdamped.hpp"
#include "sampling.hpp"

namespace {

using namespace partita;
using namespace partita::sampling;

GaussianOptions const flat{.dimension = 1};
GaussianOptions const diagonal{.dimension = 5, .mean = {-1, 1}, .diagonal = {1, 0.1}};
GaussianOptions const ar1{.dimension = 4, .mean = {0.5}, .precision = "ar1", .correlation = 0.6};
GaussianOptions const dense{.dimension = 3, .mean = {1, 2, 3}, .precision = "dense", .matrix = {2, 0.5, 0, 0.5, 1, -0.25, 0, -0.25, 3}};

Matrix identity(Index n) {
  Matrix m(n, n);
  for (Index i = 0; i < n; i++) m(i, i) = 1;
  return m;
}
Matrix sum(Matrix a, Matrix const& b) {
  for (std::size_t i = 0; i < a.values.size(); i++) a.values[i] += b.values[i];
  return a;
}

// docs/theory/langevin.md: mean mu + A^t (x_0 - mu), covariance 2 eta sum_{i<t} A^2i with A = I - eta H, from a fixed start.
TEST(Ula, MeanAndCovarianceAtFiniteTime) {
  double const eta = 0.3, start = 2, temperature = 0.7, noise_scale = 0.9;
  for (auto const& o : {diagonal, ar1, dense}) {
    auto const model = make_gaussian(o);
    auto const exact = model->gaussian().at(0);
    Matrix const a = sum(identity(o.dimension), scaled(exact.precision, -eta));
    for (Index t : {1, 2, 7, 30}) {
      Matrix power = identity(o.dimension), covariance(o.dimension, o.dimension);
      for (Index i = 0; i < t; i++)
        covariance = sum(covariance, scaled(power * power, 2 * eta * temperature * noise_scale * noise_scale)), power = power * a;
      Point mean = exact.mean;
      for (Index i = 0; i < o.dimension; i++)
        for (Index j = 0; j < o.dimension; j++) mean[i] += power(i, j) * (start - exact.mean[j]);
      Ula ula({.step_size = eta, .temperature = temperature, .noise_scale = noise_scale});
      EXPECT_LT(largest_z(run(ula, *model, 1 << 16, {InitialState::zero, 0, start}, t), mean, covariance), 4) << o.precision << " t " << t;
    }
  }
}

// The bias of the variance is the closed form's, 2 / (2 - eta) - 1 for H = 1, at every step size: with 2^20 chains a standard error is
// 1.4e-3 of the variance, so that a bias of 0.0256 (eta = 0.05) is seen at 18 of them.
TEST(Ula, StationaryBiasIsThatOfTheStepSize) {
  auto const model = make_gaussian(flat);
  struct Case {
    double eta, variance;
    Index steps;  // of the start (1 - eta)^(2 steps) is left: some 1e-9 at most
  };
  for (auto const& [eta, variance, steps] :
       {Case{.05, 1 / .975, 200}, Case{.1, 2 / 1.9, 100}, Case{.5, 4 / 3., 20}, Case{1, 2, 20}, Case{1.5, 4, 20}}) {
    Ula ula({.step_size = eta});
    auto const chains = run(ula, *model, 1 << 20, {}, steps);
    auto const square = [](Point const& x) { return x[0] * x[0]; };
    EXPECT_LT(std::abs(z_score(chains, square, variance)), 4) << "eta " << eta;
    EXPECT_GT(z_score(chains, square, 1), 10) << "eta " << eta;
    EXPECT_NEAR(ula.stationary_covariance(identity(1)).value()(0, 0), variance, 1e-14);
  }
}

TEST(Ula, StationaryCovarianceOfCoupledCoordinates) {
  for (auto const& o : {diagonal, ar1, dense}) {
    auto const model = make_gaussian(o);
    auto const exact = model->gaussian().at(0);
    Ula ula({.step_size = 0.3, .temperature = 2, .noise_scale = 0.5});
    EXPECT_LT(largest_z(run(ula, *model, 1 << 16, {}, 400), exact.mean, ula.stationary_covariance(exact.precision).value()), 4) << o.precision;
  }
  EXPECT_EQ(Ula({.step_size = 0.3, .temperature = 0}).stationary_covariance(identity(1)).value()(0, 0), 0);
}

TEST(Ula, WithoutTemperatureIsGradientDescent) {
  auto const model = make_gaussian(flat);
  Ula ula({.step_size = 0.5, .temperature = 0});
  for (auto const& x : run(ula, *model, 10, {InitialState::zero, 0, 8}, 3)) EXPECT_EQ(x[0], 1);
}

struct Exact {
  std::string name;
  std::function<std::unique_ptr<Sampler>(double temperature)> make;
  Index steps;
};
std::ostream& operator<<(std::ostream& out, Exact const& e) { return out << e.name; }

class ExactOnGaussians : public testing::TestWithParam<Exact> {};
INSTANTIATE_TEST_SUITE_P(
    Samplers, ExactOnGaussians,
    testing::Values(
        Exact{"leimkuhler_matthews",
              [](double heat) {
                return std::make_unique<LeimkuhlerMatthews>(LeimkuhlerMatthewsOptions{.step_size = 0.5, .temperature = heat});
              },
              300},
        Exact{"underdamped",
              [](double heat) {
                return std::make_unique<Underdamped>(
                    UnderdampedOptions{.step_size = 0.7, .friction = 0.8, .mass = 0.9, .temperature = heat});
              },
              300},
        Exact{"mala", [](double heat) { return std::make_unique<Mala>(MalaOptions{.step_size = 0.4, .temperature = heat}); }, 500},
        Exact{"barker", [](double heat) { return std::make_unique<Barker>(BarkerOptions{.step_size = 0.9, .temperature = heat}); }, 300},
        Exact{"mams",
              [](double heat) {
                return std::make_unique<Mams>(MamsOptions{.step_size = 0.5, .trajectory_length = 1.5, .temperature = heat});
              },
              100},
        Exact{"hmc",
              [](double heat) { return std::make_unique<Hmc>(HmcOptions{.step_size = 0.4, .leapfrog_steps = 2, .temperature = heat}); },
              300}),
    [](auto const& p) { return p.param.name; });

// T H^-1 for diagonal, tridiagonal (fused) and dense (through matrix products) precisions.
TEST_P(ExactOnGaussians, CovarianceIsTheTargets) {
  for (double temperature : {1., 0.3})
    for (auto const& o : {diagonal, ar1, dense}) {
      auto const model = make_gaussian(o);
      auto const exact = model->gaussian().at(0);
      auto const sampler = GetParam().make(temperature);
      Matrix const covariance = scaled(inverse(exact.precision), temperature);
      EXPECT_LT(largest_z(run(*sampler, *model, 1 << 15, {InitialState::normal, 1.5, 0.5}, GetParam().steps), exact.mean, covariance), 4)
          << o.precision << " T " << temperature;
      Matrix const claimed = sampler->stationary_covariance(exact.precision).value();
      for (std::size_t i = 0; i < claimed.values.size(); i++) EXPECT_NEAR(claimed.values[i], covariance.values[i], 1e-13);
    }
}

// BAOAB is linear on a harmonic target: (x, v) <- M (x, v) + n xi. Positions and velocities at finite time and in the long run, from
// the equilibrium velocities that prepare() draws and x = 0.
TEST(Underdamped, PositionsAndVelocitiesFollowTheLinearMap) {
  double const h = 0.9, gamma = 0.6, mass = 1.7, temperature = 0.8, lambda = 1.3;
  auto const model = make_gaussian({.dimension = 3, .diagonal = {lambda}});
  double const c = std::exp(-gamma * h), a = std::sqrt((1 - c * c) * temperature / mass);
  // Columns of M and the noise, by applying the step to unit vectors.
  auto const step = [&](double x, double v, double xi) {
    v -= h / 2 * lambda * x / mass, x += h / 2 * v, v = c * v + a * xi, x += h / 2 * v, v -= h / 2 * lambda * x / mass;
    return std::pair(x, v);
  };
  auto const [mxx, mvx] = step(1, 0, 0);
  auto const [mxv, mvv] = step(0, 1, 0);
  auto const [nx, nv] = step(0, 0, 1);
  double xx = 0, xv = 0, vv = temperature / mass;
  Index done = 0;
  auto const key = random::make_key(3);
  Chains chains = make_chains(1 << 16, 3, {InitialState::zero}, key);
  Underdamped sampler({.step_size = h, .friction = gamma, .mass = mass, .temperature = temperature});
  sampler.prepare(*model, chains, key);
  ASSERT_TRUE(sampler.keeps_velocity());
  for (Index t : {0, 1, 2, 5, 100}) {
    sampler.advance(*model, chains, key, done, t - done);
    for (; done < t; done++) {
      double const next_xx = mxx * mxx * xx + 2 * mxx * mxv * xv + mxv * mxv * vv + nx * nx;
      double const next_xv = mxx * mvx * xx + (mxx * mvv + mxv * mvx) * xv + mxv * mvv * vv + nx * nv;
      vv = mvx * mvx * xx + 2 * mvx * mvv * xv + mvv * mvv * vv + nv * nv;
      xx = next_xx, xv = next_xv;
    }
    auto const x = states(chains), v = states(chains, chains.velocity);
    std::vector<Point> both;
    for (std::size_t n = 0; n < x.size(); n++)
      for (std::size_t i = 0; i < 3; i++) both.push_back({x[n][i], v[n][i]});
    if (t > 0) {
      EXPECT_LT(std::abs(z_score(
                    both, [](Point const& s) { return s[0] * s[0]; }, xx)),
                4)
          << t;
      EXPECT_LT(std::abs(z_score(
                    both, [](Point const& s) { return s[0] * s[1]; }, xv)),
                4)
          << t;
    }
    EXPECT_LT(std::abs(z_score(
                  both, [](Point const& s) { return s[1] * s[1]; }, vv)),
              4)
        << t;
  }
  EXPECT_NEAR(xx, temperature / lambda, 1e-10);  // the property BAOAB is known for
}

template <class S>
std::string refusal(S&& sampler, DifferentiableModel const& model) {
  try {
    auto const key = random::make_key(1);
    Chains chains = make_chains(16, model.dimension(), {}, key, 16);
    sampler.prepare(model, chains, key);
  } catch (Failure const& f) {
    EXPECT_EQ(f.code(), ExitCode::usage);
    return f.what();
  }
  return "accepted";
}

TEST(StepSize, IsRefusedFromTheStabilityBoundOn) {
  using testing::HasSubstr;
  auto const model = make_gaussian({.dimension = 4, .diagonal = {0.5, 4}});  // 2 / 4, and 2 sqrt(m / 4) for a mass m
  EXPECT_EQ(refusal(Ula({.step_size = 0.499}), *model), "accepted");
  for (double eta : {0.5, 0.501, 3.}) {
    EXPECT_THAT(refusal(Ula({.step_size = eta}), *model),
                testing::AllOf(HasSubstr("sampler.step_size"), HasSubstr("eigenvalue of the precision is 4,"), HasSubstr("below 0.5)")));
    EXPECT_THAT(refusal(LeimkuhlerMatthews({.step_size = eta}), *model), HasSubstr("below 0.5)"));
  }
  EXPECT_EQ(refusal(Underdamped({.step_size = 1.49, .mass = 2.25}), *model), "accepted");
  EXPECT_THAT(refusal(Underdamped({.step_size = 1.5, .mass = 2.25}), *model), HasSubstr("below 1.5)"));
  EXPECT_THAT(refusal(Ula({.step_size = 0.7}), *make_gaussian(dense)), HasSubstr("is unstable"));
  EXPECT_EQ(refusal(Mala({.step_size = 3}), *model), "accepted");  // adjusted: slow, not wrong
  EXPECT_EQ(refusal(Ula({.step_size = 3}), *make_double_well({})), "accepted");
}

}  // namespace
