// Printed errors against known truths: over seeds, (estimate - truth) / error is of mean square 1. With n seeds and errors that are right,
// n times that is chi-square with n degrees of freedom: its root lies between 0.71 and 1.30 in 98 of 100 cases for 30 seeds, between 0.90
// and 1.10 for the 300 used here, so that bounds of 0.75 and 1.3 ask for errors that are right within a fifth. A case prints its row; its
// seeds are fixed.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <functional>

#include "estimators/importance.hpp"
#include "estimators/log_z.hpp"
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

// What one seed gives; an error of NaN: no error was given, which most seeds must not have.
void calibrated(char const* what, double truth, std::function<Estimate(int seed)> const& of) {
  double squares = 0, bias = 0;
  int given = 0;
  for (int seed = 0; seed < seeds; seed++) {
    Estimate const e = of(seed);
    if (std::isnan(e.error)) continue;
    double const z = (e.value - truth) / e.error;
    given++, squares += z * z, bias += z;
  }
  double const rms = std::sqrt(squares / given);
  std::printf("%-60s rms z %.2f, mean z %+.2f, errors given in %d of %d\n", what, rms, bias / given, given, seeds);
  EXPECT_GT(given, seeds / 2) << what;
  EXPECT_GT(rms, lowest) << what;
  EXPECT_LT(rms, highest) << what;
}

// Log weights of a Gaussian target, N(0, 1) in each of d dimensions, by draws of N(0, s^2): k = 1 - s^2 where s < 1.
std::vector<double> of_gaussian(int seed, int n, int d, double s, std::uint64_t which) {
  std::vector<double> w(static_cast<std::size_t>(n));
  for (int i = 0; i < n; i++)
    for (int j = 0; j < d; j++) {
      double const z = normal(seed, Index{i} * d + j, which);
      w[static_cast<std::size_t>(i)] += std::log(s) - s * s * z * z / 2 + z * z / 2;
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
                                     random::make_key(static_cast<std::uint64_t>(seed))));
    auto const row = [&](char const* way, std::function<Estimate(LogZ const&)> const& of) {
      std::string const what = fmt::format("log Z {}, {} temperatures, 100 chains", way, temperatures);
      calibrated(what.c_str(), truth, [&](int seed) { return of(found[static_cast<std::size_t>(seed)]); });
    };
    row("forth", [](LogZ const& z) { return z.up(); });
    row("back", [](LogZ const& z) { return z.down(z.back.front()); });
    row("by Bennett's ratio", [](LogZ const& z) { return z.ratio(); });
  }
}

}  // namespace
}  // namespace partita
