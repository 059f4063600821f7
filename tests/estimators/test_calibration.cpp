// Printed errors against known truths: over seeds, (estimate - truth) / error is of mean square 1. With n seeds and errors that are right,
// n times that is chi-square with n degrees of freedom: its root lies between 0.71 and 1.30 in 98 of 100 cases for 30 seeds, between 0.90
// and 1.10 for the 300 used here, so that bounds of 0.75 and 1.3 ask for errors that are right within a fifth. A case prints its row; its
// seeds are fixed.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <functional>

#include "../models/flow.hpp"
#include "energies/gaussian.hpp"
#include "estimators/distances.hpp"
#include "estimators/flow.hpp"
#include "estimators/hee_relaxation.hpp"
#include "estimators/importance.hpp"
#include "estimators/log_z.hpp"
#include "estimators/ratings.hpp"
#include "hee_reference.hpp"
#include "small_machines.hpp"

namespace partita {
namespace {

constexpr int seeds = 300;
constexpr double lowest = 0.75, highest = 1.3;

// One rank does for what is computed on every rank alike.
struct Calibration : testing::Test {
  void SetUp() override {
    if (Communicator::world().ranks() > 1) GTEST_SKIP() << "calibrated on one rank: every rank would draw the same numbers";
  }
};

double normal(int seed, Index i, std::uint64_t which) { return small::normal(i + (Index{1} << 24) * seed, 100 + which); }

// What one seed gives; an error of NaN: no error was given, which most seeds must not have. With nu degrees of freedom z follows Student's
// law, whose variance nu / (nu - 2) is taken out.
void calibrated(char const* what, double truth, std::function<Estimate(int seed)> const& of, double largest = highest) {
  double squares = 0, bias = 0;
  int given = 0;
  for (int seed = 0; seed < seeds; seed++) {
    Estimate const e = of(seed);
    if (std::isnan(e.error)) continue;
    double const nu = e.degrees_of_freedom, z = (e.value - truth) / e.error * (nu > 2 && std::isfinite(nu) ? std::sqrt((nu - 2) / nu) : 1);
    given++, squares += z * z, bias += z;
  }
  double const rms = std::sqrt(squares / given);
  std::printf("%-60s rms z %.2f, mean z %+.2f, errors given in %d of %d\n", what, rms, bias / given, given, seeds);
  EXPECT_GT(given, seeds / 2) << what;
  EXPECT_GT(rms, lowest) << what;
  EXPECT_LT(rms, largest) << what;
}

// Log weights of a Gaussian target, N(0, 1) in each of d dimensions, by draws of N(0, s^2): k = 1 - s^2 where s < 1.
std::vector<double> of_gaussian(int seed, int n, int d, double s, std::uint64_t which) {
  std::vector<double> w(n);
  for (int i = 0; i < n; i++)
    for (int j = 0; j < d; j++) {
      double const z = normal(seed, Index{i} * d + j, which);
      w[i] += std::log(s) - s * s * z * z / 2 + z * z / 2;
    }
  return w;
}
std::vector<double> log_normal(int seed, int n, double s, std::uint64_t which, int first = 0) {
  std::vector<double> w;
  for (int i = 0; i < n; i++) w.push_back(s * normal(seed, first + i, which));
  return w;
}
Estimate estimate(LogMean const& m) { return {m.value, m.error()}; }

TEST_F(Calibration, LogMeanOfImportanceWeights) {
  auto const gaussian = [](char const* what, int n, int d, double s, std::uint64_t which) {
    calibrated(what, 0, [=](int seed) { return estimate(log_mean_exp(of_gaussian(seed, n, d, s, which))); });
  };
  gaussian("log mean, N(0, 1) by N(0, 1.2^2), 10 dimensions, n = 1000", 1000, 10, 1.2, 1);
  gaussian("log mean, N(0, 1) by N(0, 0.8^2), 1 dimension, n = 1000", 1000, 1, 0.8, 2);
  gaussian("log mean, N(0, 1) by N(0, 0.9^2), 10 dimensions, n = 10000", 10000, 10, 0.9, 3);
  gaussian("log mean, N(0, 1) by N(0, 0.8^2), 10 dimensions, n = 1000", 1000, 10, 0.8, 4);
  gaussian("log mean, N(0, 1) by N(0, 0.6^2), 1 dimension, n = 1000", 1000, 1, 0.6, 5);
  for (auto const& [n, s] : {std::pair{100, 0.5}, {100, 1.}, {100, 1.5}, {1000, 1.5}, {1000, 2.}}) {
    std::string const what = fmt::format("log mean, log-normal weights of deviation {}, n = {}", s, n);
    calibrated(what.c_str(), s * s / 2, [n = n, s = s](int seed) { return estimate(log_mean_exp(log_normal(seed, n, s, 6))); });
  }
}

// The mean over 50 items that differ by a normal deviation of 1/2 (whose mean is known), and over items that do not differ at all.
TEST_F(Calibration, MeanOfLogsOverItems) {
  for (auto const& [s, between] : {std::pair{0.5, 0.5}, {1., 0.5}, {0.5, 0.}, {1., 0.}, {1.5, 0.}}) {
    std::string const what = fmt::format("mean over 50 items, deviation {}, of 100 draws of deviation {}", between, s);
    calibrated(what.c_str(), s * s / 2, [s = s, between = between](int seed) {
      std::vector<LogMean> items;
      for (int i = 0; i < 50; i++) {
        items.push_back(log_mean_exp(log_normal(seed, 100, s, 7, 100 * i)));
        items.back().value += between * normal(seed, i, 8);
      }
      return mean_of_logs(items).value;
    });
  }
}

// P(x > 0.5) under N(0, 1).
TEST_F(Calibration, WeightedShare) {
  double const truth = 0.5 * std::erfc(0.5 / std::sqrt(2.));
  for (double s : {1.2, 0.8, 0.7}) {
    std::string const what = fmt::format("P(x > 1/2) by the weights of N(0, {}^2), n = 2000", s);
    calibrated(what.c_str(), truth, [s](int seed) {
      auto const w = of_gaussian(seed, 2000, 1, s, 9);
      std::vector<char> in;
      for (int i = 0; i < 2000; i++) in.push_back(s * normal(seed, i, 9) > 0.5);
      auto const found = weighted_share(w, in);
      return Estimate{found.value, found.error};
    });
  }
}

// Annealing of log Z there, back from exact draws, and Bennett's ratio, with few chains and so few temperatures that not all of them count.
TEST_F(Calibration, AnnealedLogZ) {
  Rbm model = small::rbm(9, 6, 1.5);
  double const truth = small::log_z(model);
  for (Index temperatures : {8, 30}) {
    std::vector<LogZ> found;
    for (int seed = 0; seed < seeds; seed++)
      found.push_back(estimate_log_z(model, {.betas = uniform_schedule(temperatures), .chains = 100}, {}, Communicator::world(),
                                     random::make_key(std::uint64_t(seed))));
    auto const row = [&](char const* way, std::function<Estimate(LogZ const&)> const& of) {
      std::string const what = fmt::format("log Z {}, {} temperatures, 100 chains", way, temperatures);
      calibrated(what.c_str(), truth, [&](int seed) { return of(found[seed]); });
    };
    row("forward", [](LogZ const& z) { return z.forward_log_z(); });
    row("reverse", [](LogZ const& z) { return z.reverse_log_z(z.reverse.front()); });
    row("by Bennett's ratio", [](LogZ const& z) { return z.ratio(); });
  }
}

// ---- Samples of chains ----

// `chains` of `draws` of x <- .8 x + .6 xi, of the standard normal law.
SampleSet correlated(int seed, Index chains, Index draws) {
  constexpr Index warmup = 50;
  Tiling const tiling{chains, pitch_quantum};
  SampleSet s{Communicator::world(), tiling, {0, tiling.tiles()}, draws, 1, {}, {}};
  for (Index c = 0; c < chains; c++) {
    double x = 0;
    for (Index d = -warmup; d < draws; d++) {
      x = 0.8 * x + 0.6 * normal(seed, c * (draws + warmup) + d + warmup, 10);
      if (d >= 0) s.x.push_back(float(x));
    }
  }
  return s;
}
Estimate mean_of(SampleSet const& s, std::function<double(float x)> const& f) {
  return expectations(s, 1, [&](float const* x, double, double* out) { out[0] = f(*x); }).front();
}

TEST_F(Calibration, ExpectationsOverChains) {
  auto const itself = [](float x) { return double(x); };
  auto const square = [](float x) { return double(x) * double(x); };
  auto const below = [](float x) { return x < 1 ? 1. : 0.; };
  double const share = 0.5 * std::erfc(-1 / std::sqrt(2.));
  for (Index chains : {1, 8, 64}) {
    Index const draws = chains == 1 ? 2000 : 100;
    auto const row = [&](char const* name, double truth, std::function<double(float x)> const& f) {
      std::string const what = fmt::format("{} of {} chain{} of {} correlated draws", name, chains, chains > 1 ? "s" : "", draws);
      calibrated(what.c_str(), truth, [&](int seed) { return mean_of(correlated(seed, chains, draws), f); });
    };
    row("mean", 0, itself);
    row("second moment", 1, square);
    row("P(x < 1)", share, below);
  }
}

TEST_F(Calibration, MeanOfIndependentNumbers) {
  for (int n : {10, 200}) {
    std::string const what = fmt::format("mean of {} independent numbers", n);
    calibrated(what.c_str(), 0, [n](int seed) {
      std::vector<double> x;
      for (int i = 0; i < n; i++) x.push_back(normal(seed, i, 11));
      return mean_and_error(x);
    });
  }
}

// ---- Distances between samples ----

std::vector<double> shifted(int seed, Index n, double by, std::uint64_t which) {
  std::vector<double> x;
  for (Index i = 0; i < n; i++) x.push_back(by + normal(seed, i, which));
  return x;
}

constexpr Index compared = 200;  // points on each side
Groups groups() { return Groups::of_draws(compared, compared); }
Estimate distance_apart(int seed, double by) {
  return squared_energy_distance(Communicator::world(), shifted(seed, compared, by, 12), shifted(seed, compared, 0, 13), 1, groups(),
                                 groups());
}
// Of the V-statistic between samples of N(by, 1) and N(0, 1), which counts each point's distance to itself (test_distances.cpp).
double expected_distance(double by) {
  double const across = 2 / std::sqrt(M_PI) * std::exp(-by * by / 4) + by * std::erf(by / 2), within = 2 / std::sqrt(M_PI);
  return 2 * across - 2 * within * (1 - 1. / double(compared));
}

TEST_F(Calibration, EnergyDistances) {
  auto const row = [](double by, double largest) {
    std::string const what = fmt::format("energy distance of N({}, 1) and N(0, 1), 200 points each", by);
    calibrated(
        what.c_str(), expected_distance(by), [by](int seed) { return distance_apart(seed, by); }, largest);
  };
  row(1, highest);
  row(0, highest);
  // A square near its zero: a distance that is too small by chance has an error that is too small as well (estimators/distances.hpp).
  row(0.3, 2);
  // Over that between two sets of the second law, 20 pairs of them, as a run prints it.
  for (double by : {1., 0.}) {
    std::string const what = fmt::format("and over that of N(0, 1) and itself, N({}, 1)", by);
    calibrated(what.c_str(), expected_distance(by) / expected_distance(0), [by](int seed) {
      std::vector<double> of_pairs;
      for (std::uint64_t k = 0; k < 20; k++)
        of_pairs.push_back(squared_energy_distance(Communicator::world(), shifted(seed, compared, 0, 20 + 2 * k),
                                                   shifted(seed, compared, 0, 21 + 2 * k), 1));
      return quotient(distance_apart(seed, by), mean_and_error(of_pairs));
    });
  }
}

TEST_F(Calibration, SlicedWasserstein) {
  for (int p : {1, 2}) {
    std::string const what = fmt::format("sliced Wasserstein-{} distance of N(1.5, 1) and N(0, 1), 200 points each", p);
    calibrated(what.c_str(), 1.5, [p](int seed) {
      return sliced_wasserstein(Communicator::world(), shifted(seed, compared, 1.5, 14), shifted(seed, compared, 0, 15), 1, p, 2,
                                small::key, groups(), groups());
    });
  }
}

// ---- Flows ----

// A flow that makes N(0.5, 1.2^2), and y ~ N(0, 1) beside it, for the target exp(-x^2 / 2).
TEST_F(Calibration, Flows) {
  constexpr double centre = 0.5, s = 1.2;
  Nice flow({.dimension = 1, .latent_dimension = 2, .couplings = 2, .hidden = {3}});
  test::set_block(flow, "scale", {std::log(s), 0});
  test::set_block(flow, "coupling1/layer1/bias", {centre / s});
  auto const target = make_gaussian({.dimension = 1});
  double const log_z = 0.5 * std::log(2 * M_PI), kl = 0.5 * (s * s + centre * centre - 1) - std::log(s);
  auto const drawn = [&](int seed) { return draw_flow(flow, *target, 1000, Communicator::world(), random::make_key(std::uint64_t(seed))); };
  calibrated("log Z by a flow, 1000 samples", log_z, [&](int seed) { return estimate(importance(drawn(seed)).log_z); });
  calibrated("criterion of a flow", kl - log_z, [&](int seed) { return importance(drawn(seed)).criterion; });
  calibrated("its Kullback-Leibler divergence", kl, [&](int seed) { return importance(drawn(seed)).divergence; });
  auto const right = [&](int seed) { return probability(drawn(seed), [](float const* x) { return x[0] > 1.f; }); };
  calibrated("P(x > 1) by its samples", 0.5 * std::erfc(0.5 / s / std::sqrt(2.)), [&](int seed) { return right(seed).direct; });
  calibrated("P(x > 1) by their weights", 0.5 * std::erfc(1 / std::sqrt(2.)), [&](int seed) {
    auto const found = right(seed).weighted;
    return Estimate{found.value, found.error};
  });
}

// ---- Ratings ----

// Errors of a prediction: an offset of the user, of deviation 1/2, and noise of deviation 1; of another one half of them.
TEST_F(Calibration, PredictionErrors) {
  constexpr Index users = 60, of_each = 10;
  struct Predicted {
    std::vector<Rating> truth;
    std::vector<double> first, second;
  };
  auto const predicted = [](int seed) {
    Predicted p;
    for (Index u = 0; u < users; u++)
      for (Index i = 0; i < of_each; i++) {
        p.truth.push_back({u, i, 3});
        double const error = 0.5 * normal(seed, u, 16) + normal(seed, u * of_each + i, 17);
        p.first.push_back(3 + error);
        p.second.push_back(3 + error / 2);
      }
    return p;
  };
  double const size = std::sqrt(1.25);
  calibrated("root mean square error of ratings, 60 users", size, [&](int seed) {
    auto const p = predicted(seed);
    return prediction_errors(p.truth, p.first).root_mean_square;
  });
  calibrated("mean absolute error of ratings, 60 users", size * std::sqrt(2 / M_PI), [&](int seed) {
    auto const p = predicted(seed);
    return prediction_errors(p.truth, p.first).mean_absolute;
  });
  calibrated("difference of two root mean square errors", size / 2, [&](int seed) {
    auto const p = predicted(seed);
    return error_difference(p.truth, p.first, p.second);
  });
}

// ---- Relaxation ----

TEST_F(Calibration, IntegratedTime) {
  Hee const model = reference_model();
  auto const mode = slowest_mode(model, reference_x0);
  RelaxationOptions const o{.step_size = 0.05, .duration = 60, .chains = 64};
  double const exact = exact_integrated_time(mode.curvature, 1, o.tau_v, o.step_size);
  calibrated("integrated autocorrelation time, 64 chains", exact, [&](int seed) {
    return relaxation(model, mode, reference_x0, 1, o, Communicator::world(), random::make_key(std::uint64_t(seed))).integrated_time;
  });
}

}  // namespace
}  // namespace partita
