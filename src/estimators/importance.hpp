// Importance weights of independent samples: the logarithm of their mean, its standard error, and whether that error can be known.
//
// A sum of weights is as good as its upper tail. Above a cutoff, with the largest m = min(ceil(n / 5), ceil(3 sqrt n)) of the n weights
// beyond it, weights follow a generalized Pareto law of tail index k (Pickands 1975), fitted as by Zhang and Stephens (Technometrics 51,
// 2009) with the prior of Vehtari, Simpson, Gelman, Yao and Gabry (Pareto smoothed importance sampling, JMLR 25, 2024), in the way of
// ArviZ's psislw. Moments of order 1 / k and above do not exist: above k = 0.7 a few samples carry the sum whatever their number, and no
// error of it holds.
#pragma once
#include <cstddef>
#include <string>
#include <vector>

#include "estimators/sample_set.hpp"

namespace partita {

constexpr double largest_tail_index = 0.7;
constexpr double fewest_effective = 5;  // weights that count, without which no error is known

// The standard error is that of the weights' spread s and of what the samples are too few to show: where the tail holds m of n weights, the
// part of the law above its quantile 1 - 1/m, in excess of that quantile, is on average sigma m^k / (1 - k) / n of the mean. Both are
// added in squares, the second at k plus 0.8 of its own standard error (1 + k) / sqrt(m + 10). Over seeds
// (tests/estimators/test_calibration.cpp) deviations are then 0.8 to 1.3 of the error in root mean square for a thousand weights and more;
// s / sqrt(n) alone is half of it where k is near 0.7. With a hundred weights k itself is known by 0.2: what it calls fit may not be, and
// errors near 0.7 are too small by up to a half.
struct LogMean {
  double value;          // log of the mean weight
  std::size_t count;     // weights
  double tail_index;     // Pareto k; NaN: unknown, with less than five weights in the tail; -infinity: the largest are all alike
  double effective;      // weights that count, (sum w)^2 / sum w^2
  double largest_share;  // of the largest weight in the sum
  // Standard errors, were they to be trusted: of the spread of the weights, and of the tail that the samples are too few to show.
  double seen, unseen;

  bool trusted() const { return tail_index <= largest_tail_index && effective >= fewest_effective; }
  double error() const;  // NaN unless trusted
};
// Of one weight at least, all finite.
LogMean log_mean_exp(std::vector<double> const& log_weights);

// Why an error is not known, in a sentence without its full stop that ends with `advice`; empty where it is.
std::string doubt(LogMean const&, std::string const& advice);

// The mean over independent items of the logarithms of their mean weights, each of draws of its own.
struct MeanOfLogs {
  Estimate value;         // error over items, in which that of the draws shows, and their bias; NaN unless trusted
  double sampling_error;  // the part of it that more or better draws reduce
  double tail_index;      // mean Pareto k of the items: that of one item is known by a few tenths
  double effective;       // mean share of the draws that count
  bool trusted() const { return tail_index <= largest_tail_index; }
};
// The logarithm of a mean is too low by half its relative variance in every item alike: that is averaged, not added in squares.
MeanOfLogs mean_of_logs(std::vector<LogMean> const&);
std::string doubt(MeanOfLogs const&, std::string const& advice);

// The share of the samples with `in` true by their weights, sum_in w / sum w. Its error is known only where that of either side's sum is:
// what the samples hardly visit has no error that they could show.
struct WeightedShare {
  double value;
  double error;       // NaN where unknown
  std::string doubt;  // and why, in the form above without advice
};
WeightedShare weighted_share(std::vector<double> const& log_weights, std::vector<char> const& in);

}  // namespace partita
