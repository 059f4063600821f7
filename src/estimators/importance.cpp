#include "estimators/importance.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

namespace partita {
namespace {

constexpr double unknown = std::numeric_limits<double>::quiet_NaN();
constexpr double flat = 1e-4;  // weights with a smaller relative difference count as equal: it is the rounding of single precision

constexpr double lightest = -1;  // lower bound of the tail index: weights that are bounded above

// The distribution of the weights above a cutoff, in units of the largest weight.
struct Tail {
  double index = unknown;  // k
  double scale = 0;        // sigma
  double size = 0;         // m
};

// k and sigma of the excesses over a cutoff, in ascending order, at least five (Zhang and Stephens 2009): the mean of b = -k / sigma over
// its posterior on a grid, then k given b, shrunk towards 1/2 as by ten further observations.
Tail fit_tail(std::vector<double> const& excess) {
  constexpr double prior_of_b = 3, prior_of_k = 10;
  auto const m = double(excess.size());
  auto const points = 30 + int(std::sqrt(m));
  auto const k_given = [&](double b) {
    double sum = 0;
    for (double y : excess) sum += std::log1p(-b * y);
    return sum / m;
  };
  double const quartile = excess[std::size_t(std::lround(m / 4)) - 1];
  std::vector<double> b, log_likelihood;
  for (int i = 0; i < points; i++) {
    b.push_back((1 - std::sqrt(points / (i + 0.5))) / (prior_of_b * quartile) + 1 / excess.back());
    double const k = k_given(b.back());
    log_likelihood.push_back(m * (std::log(-b.back() / k) - k - 1));
  }
  double const best = *std::max_element(log_likelihood.begin(), log_likelihood.end());
  double sum = 0, mean = 0;
  for (std::size_t i = 0; i < b.size(); i++) {
    double const weight = std::exp(log_likelihood[i] - best);
    sum += weight, mean += weight * b[i];
  }
  mean /= sum;
  double const k = k_given(mean);
  return {(m * k + prior_of_k / 2) / (m + prior_of_k), -k / mean, m};
}

// Tail of log weights in descending order.
Tail tail_of(std::vector<double> const& sorted) {
  auto const n = double(sorted.size());
  auto const most = std::size_t(std::ceil(std::min(n / 5, 3 * std::sqrt(n))));
  if (most < 5 || most >= sorted.size()) return {};
  double const least = std::log(std::numeric_limits<double>::min()), cutoff = std::max(sorted[most] - sorted[0], least);
  if (-cutoff < flat) return {-std::numeric_limits<double>::infinity()};
  std::vector<double> excess;
  for (std::size_t i = most; i-- > 0;)
    if (sorted[i] - sorted[0] > cutoff) excess.push_back(std::exp(sorted[i] - sorted[0]) - std::exp(cutoff));
  return excess.size() < 5 ? Tail{} : fit_tail(excess);
}

// The expected contribution of the tail beyond its quantile 1 - 1/m to the sum of the weights, in excess of that quantile.
double unseen(Tail const& tail) {
  if (!std::isfinite(tail.index)) return 0;
  constexpr double most = 0.85;   // bound for k plus its error: at k = 1 the mean and the excess are infinite
  constexpr double margin = 0.8;  // standard errors added to k: calibrated over seeds
  double const k = std::min(most, tail.index + margin * (1 + tail.index) / std::sqrt(tail.size + 10));
  return tail.scale * std::pow(tail.size, k) / (1 - k);
}

// Of weights divided by the largest of them.
struct Weights {
  double largest;               // logarithm of the largest weight
  double sum = 0, squares = 0;  // summed in the order of the samples
  Tail tail;
  explicit Weights(std::vector<double> log_weights) : largest(*std::max_element(log_weights.begin(), log_weights.end())) {
    for (double w : log_weights) {
      double const ratio = std::exp(w - largest);
      sum += ratio, squares += ratio * ratio;
    }
    std::sort(log_weights.begin(), log_weights.end(), std::greater<>());
    tail = tail_of(log_weights);
  }
  double effective() const { return sum * sum / squares; }
};

std::string why_unknown(double tail_index, double effective, std::size_t n) {
  if (std::isnan(tail_index)) return fmt::format("{} importance weights are too few to estimate their tail index k: draw more", n);
  if (tail_index > largest_tail_index)
    return fmt::format(
        "PARETO k = {:.3g} OF THE IMPORTANCE WEIGHTS IS ABOVE {}: a few of the {} samples carry the sum, which is too small more often "
        "than not, and it has no error that they could show",
        tail_index, largest_tail_index, n);
  if (effective < fewest_effective) return fmt::format("the effective sample size is only {:.2g} of {} importance weights", effective, n);
  return {};
}

}  // namespace

double LogMean::error() const { return trusted() ? std::hypot(seen, unseen) : unknown; }

LogMean log_mean_exp(std::vector<double> const& log_weights) {
  auto const n = double(log_weights.size());
  Weights const w(log_weights);
  double const mean = w.sum / n;
  double deviation = 0;  // squares about the mean, since the weights may be nearly equal
  for (double v : log_weights) deviation += std::pow(std::exp(v - w.largest) - mean, 2);
  double const seen = n > 1 ? std::sqrt(deviation / (n - 1) / n) : unknown;
  return {w.largest + std::log(mean), log_weights.size(), w.tail.index, w.effective(), 1 / w.sum, seen / mean, unseen(w.tail) / w.sum};
}

std::string doubt(LogMean const& m, std::string const& advice) {
  if (m.trusted()) return {};
  std::string const why = why_unknown(m.tail_index, m.effective, m.count);
  return advice.empty() ? why : why + "; " + advice;
}

MeanOfLogs mean_of_logs(std::vector<LogMean> const& items) {
  auto const n = double(items.size());
  std::vector<double> values;
  MeanOfLogs out{{}, 0, 0, 0};
  double variance = 0, bias = 0;
  for (LogMean const& item : items) {
    values.push_back(item.value);
    variance += item.seen * item.seen / n / n, bias += item.seen * item.seen / 2 / n;
    out.tail_index += (item.tail_index < lightest ? lightest : item.tail_index) / n;
    out.effective += item.effective / double(item.count) / n;
  }
  out.sampling_error = out.trusted() ? std::hypot(std::sqrt(variance), bias) : unknown;
  out.value = mean_and_error(values);
  out.value.error = items.size() > 1 && out.trusted() ? std::hypot(out.value.error, bias) : out.sampling_error;
  return out;
}

std::string doubt(MeanOfLogs const& m, std::string const& advice) {
  if (m.trusted()) return {};
  std::string const why = std::isnan(m.tail_index)
                              ? std::string("too few importance weights per item to estimate their tail index k")
                              : fmt::format(
                                    "PARETO k = {:.3g} OF THE IMPORTANCE WEIGHTS, ON AVERAGE OVER THE ITEMS, IS ABOVE {}: a few of them "
                                    "carry each sum, which is too small, by how much they cannot show",
                                    m.tail_index, largest_tail_index);
  return why + "; " + advice;
}

WeightedShare weighted_share(std::vector<double> const& log_weights, std::vector<char> const& in) {
  std::vector<double> side[2];  // out, in
  for (std::size_t i = 0; i < in.size(); i++) side[in[i] ? 1 : 0].push_back(log_weights[i]);
  WeightedShare out{in.empty() ? unknown : side[1].empty() ? 0. : 1., unknown, {}};
  for (auto const& s : side)
    if (s.empty()) {
      out.doubt = "all samples lie on one side of the event, so that the share of the other is not known";
      return out;
    }
  Weights const without(side[0]), with(side[1]);
  double const top = std::max(without.largest, with.largest), a = std::exp(with.largest - top), b = std::exp(without.largest - top);
  double const sum = a * with.sum + b * without.sum, p = a * with.sum / sum, q = b * without.sum / sum;
  out.value = p;
  for (Weights const* w : {&without, &with}) {
    std::string const why = why_unknown(w->tail.index, w->effective(), side[w == &with ? 1 : 0].size());
    if (!why.empty()) {
      out.doubt = fmt::format("of the samples {} the event: {}", w == &with ? "in" : "outside", why);
      return out;
    }
  }
  // Variance of a ratio of means, sum w^2 (1_in - p)^2 / (sum w)^2, and the possible deficit of either side's tail.
  double const seen = a * a * with.squares * q * q + b * b * without.squares * p * p;
  out.error = std::sqrt(seen + std::pow(a * unseen(with.tail) * q, 2) + std::pow(b * unseen(without.tail) * p, 2)) / sum;
  return out;
}

}  // namespace partita
