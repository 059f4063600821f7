// Importance weights of independent samples: the logarithm of their mean, its standard error, and whether that error can be known.
//
// The accuracy of a sum of weights depends on its upper tail. Above a cutoff, which leaves the largest m = min(ceil(n / 5), ceil(3 sqrt n))
// of the n weights, weights follow a generalized Pareto distribution of tail index k (Pickands 1975), fitted as by Zhang and Stephens
// (Technometrics 51, 2009) with the prior of Vehtari, Simpson, Gelman, Yao and Gabry (Pareto smoothed importance sampling, JMLR 25, 2024),
// like ArviZ's psislw. Moments of order 1 / k and above do not exist: above k = 0.7 a few samples carry the sum whatever their number, and
// no standard error is reliable.
#pragma once
#include <cstddef>
#include <string>
#include <vector>

#include "estimators/sample_set.hpp"

namespace partita {

constexpr double largest_tail_index = 0.7;
constexpr double fewest_effective = 5;  // with a smaller effective sample size the error is not known

// The standard error has two parts: from the weights' spread s, and from the tail that the samples are too few to show. With m of n weights
// in the tail, the part of the distribution above the tail's quantile 1 - 1/m, in excess of that quantile, contributes on average
// sigma m^k / (1 - k) / n to the mean. The squares of both are added, the second at k plus 0.8 of its own standard error
// (1 + k) / sqrt(m + 10). Over seeds (tests/estimators/test_calibration.cpp) deviations then have a root mean square of 0.8 to 1.3 errors
// for a thousand weights and more; s / sqrt(n) alone is half of it for k near 0.7. With a hundred weights k is known only to 0.2: weights
// that seem reliable may not be, and errors near k = 0.7 are too small by up to a half.
struct LogMean {
  double value;          // log of the mean weight
  std::size_t count;     // number of weights
  double tail_index;     // Pareto k; NaN: unknown, with less than five weights in the tail; -infinity: the largest are all alike
  double effective;      // effective sample size, (sum w)^2 / sum w^2
  double largest_share;  // share of the largest weight in the sum
  // The two parts of the standard error, meaningful only if trusted: from the spread of the weights, and from the unseen tail.
  double seen, unseen;

  bool trusted() const { return tail_index <= largest_tail_index && effective >= fewest_effective; }
  double error() const;  // NaN unless trusted
};
// For at least one weight; all must be finite.
LogMean log_mean_exp(std::vector<double> const& log_weights);

// Why the error is not known, as a sentence without a full stop that ends with `advice`; empty where it is known.
std::string doubt(LogMean const&, std::string const& advice);

// The mean over independent items of the logarithm of each item's mean weight, each from its own draws.
struct MeanOfLogs {
  Estimate value;         // standard error over items, which includes the error of the draws, and the bias; NaN unless trusted
  double sampling_error;  // the part of it that more or better draws reduce
  double tail_index;      // mean Pareto k of the items; that of a single item is known only to a few tenths
  double effective;       // mean effective share of the draws
  bool trusted() const { return tail_index <= largest_tail_index; }
};
// The logarithm of a mean is too low by half its relative variance. This bias has the same sign in every item, so it is averaged linearly.
MeanOfLogs mean_of_logs(std::vector<LogMean> const&);
std::string doubt(MeanOfLogs const&, std::string const& advice);

// The weighted share of the samples with `in` true, sum_in w / sum w. Its error is known only where that of both sides' sums is: a region
// that the samples hardly visit has an error that they cannot show.
struct WeightedShare {
  double value;
  double error;       // NaN where unknown
  std::string doubt;  // why it is unknown, as above but without advice
};
WeightedShare weighted_share(std::vector<double> const& log_weights, std::vector<char> const& in);

}  // namespace partita
