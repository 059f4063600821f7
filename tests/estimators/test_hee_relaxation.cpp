// The slowest mode of the posterior of R2, whose autocorrelation the linear recursion gives exactly.
#include <gtest/gtest.h>

#include <cmath>

#include "core/require.hpp"
#include "estimators/hee_likelihood.hpp"
#include "estimators/hee_relaxation.hpp"
#include "hee_reference.hpp"

namespace partita {
namespace {

auto const key = random::make_key(41);

TEST(HeeRelaxation, ExactTimesOfOneMode) {
  for (double h : {0.1, 0.9, 3.}) {
    EXPECT_NEAR(exact_integrated_time(h, 0, 0.5, 0.01), 2 / h - 0.01, 1e-12);  // dt (1 + a) / (1 - a), a = 1 - h dt
    // in continuous time 2 / ((1 + m) h), whatever tau_v
    for (double m : {0.25, 2.})
      for (double tau_v : {0.2, 0.5}) EXPECT_NEAR(exact_integrated_time(h, m, tau_v, 1e-5) * (1 + m) * h / 2, 1, 1e-4);
  }
}

// The sum over lags of the autocovariances that the recursion itself gives, one after the other.
TEST(HeeRelaxation, ExactTimesAreThoseOfTheRecursion) {
  double const h = 0.7, m = 1.5, tau_v = 0.4, dt = 0.02;
  Matrix step(2, 2), noise(2, 2), covariance(2, 2);
  step.values = {1 - dt * h, -dt, dt * m * h / tau_v, 1 - dt / tau_v};
  noise.values = {2 * dt, 0, 0, 2 * m * dt / tau_v / tau_v};
  for (int n = 0; n < 5000; n++) covariance = step * covariance * transpose(step) + noise;
  Matrix lagged = covariance;
  double sum = 0;
  for (int k = 1; k < 5000; k++) {
    lagged = step * lagged;
    sum += lagged(0, 0);
  }
  EXPECT_NEAR(exact_integrated_time(h, m, tau_v, dt), dt * (1 + 2 * sum / covariance(0, 0)), 1e-10);
}

TEST(HeeRelaxation, SlowestModeOfTheReference) {
  auto const mode = slowest_mode(reference_model(), reference_x0);
  Matrix const covariance = posterior(reference_layers(), reference_x0).covariance;
  EXPECT_NEAR(mode.curvature, 1 / largest_eigenvalue(covariance), 1e-6);  // the model's parameters are Real
  double variance = 0;
  for (Index i = 0; i < 4; i++)
    for (Index j = 0; j < 4; j++) variance += mode.direction[i] * covariance(i, j) * mode.direction[j];
  EXPECT_NEAR(variance * mode.curvature, 1, 1e-6);
}

TEST(HeeRelaxation, SecondOrderIsFasterByOnePlusM) {
  Hee const model = reference_model();
  auto const mode = slowest_mode(model, reference_x0);
  RelaxationOptions const o{.duration = 60, .chains = 512};
  auto const measured = [&](double m) {
    auto const run = relaxation(model, mode, reference_x0, m, o, Communicator::world(),
                                random::derived_key(key, random::Stream::test, std::uint64_t(4 * m)));
    double const exact = exact_integrated_time(mode.curvature, m, o.tau_v, o.step_size);
    EXPECT_LT(run.integrated_time.error, 0.03 * exact) << "m " << m;
    EXPECT_NEAR(run.integrated_time.value, exact, 4 * run.integrated_time.error) << "m " << m;
    EXPECT_EQ(run.autocorrelation.front().value, 1);
    for (std::size_t k = 0; m == 0 && k < run.time.size(); k++)
      EXPECT_NEAR(run.autocorrelation[k].value, std::pow(1 - mode.curvature * o.step_size, run.time[k] / o.step_size),
                  4.5 * run.autocorrelation[k].error + 1e-12);
    return run.integrated_time;
  };
  auto const first = measured(0);
  for (double m : {0.5, 2.}) {
    auto const second = measured(m);
    double const ratio = first.value / second.value, error = ratio * std::hypot(first.error / first.value, second.error / second.value);
    EXPECT_NEAR(ratio, 1 + m, 4 * error + 0.02 * (1 + m)) << "m " << m;  // the step size shifts the exact ratio by less than 2 %
  }
}

TEST(HeeRelaxation, RefusesWhatHasNoModes) {
  EXPECT_THROW(slowest_mode(Hee({.widths = {3, 2}, .f = "tanh"}, key), reference_x0), Failure);
  Hee const model = reference_model();
  EXPECT_THROW(relaxation(model, slowest_mode(model, reference_x0), reference_x0, 1, {.duration = 5}, Communicator::world(), key), Failure);
}

}  // namespace
}  // namespace partita
