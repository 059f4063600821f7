#include "estimators/ratings.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "core/require.hpp"

namespace partita {
namespace {

std::size_t at(Index i) { return static_cast<std::size_t>(i); }

// The mean of f over the ratings, with the standard error from sums over users.
template <class Function>
Estimate mean_over_users(std::vector<Rating> const& truth, Function const& f) {
  auto const n = static_cast<double>(truth.size());
  Estimate out{};
  for (std::size_t k = 0; k < truth.size(); k++) out.value += f(k) / n;
  double squares = 0, users = 0, deviation = 0;
  for (std::size_t k = 0; k < truth.size(); k++) {
    deviation += f(k) - out.value;
    if (k + 1 < truth.size() && truth[k + 1].user == truth[k].user) continue;
    squares += deviation * deviation, users++, deviation = 0;
  }
  out.degrees_of_freedom = users - 1;
  out.error = users > 1 ? std::sqrt(squares * users / (users - 1)) / n : std::numeric_limits<double>::quiet_NaN();
  return out;
}

}  // namespace

RatingOffsets rating_offsets(std::vector<Rating> const& train, Index users, Index items, double lambda) {
  RatingOffsets out{0, std::vector<double>(at(items)), std::vector<double>(at(users))};
  for (Rating const& r : train) out.mean += r.value / static_cast<double>(train.size());
  auto const average = [&](std::vector<double>& offsets, Index Rating::*whose, auto const& residual) {
    std::vector<double> sums(offsets.size()), counts(offsets.size(), lambda);
    for (Rating const& r : train) sums[at(r.*whose)] += residual(r), counts[at(r.*whose)]++;
    for (std::size_t k = 0; k < offsets.size(); k++) offsets[k] = counts[k] > 0 ? sums[k] / counts[k] : 0;
  };
  average(out.item, &Rating::item, [&](Rating const& r) { return r.value - out.mean; });
  average(out.user, &Rating::user, [&](Rating const& r) { return r.value - out.mean - out.item[at(r.item)]; });
  return out;
}

PredictionErrors prediction_errors(std::vector<Rating> const& truth, std::vector<double> const& predictions) {
  auto const error = [&](std::size_t k) { return predictions[k] - truth[k].value; };
  Estimate const square = mean_over_users(truth, [&](std::size_t k) { return error(k) * error(k); });
  double const root = std::sqrt(square.value);
  return {{root, root > 0 ? square.error / (2 * root) : 0, square.degrees_of_freedom},
          mean_over_users(truth, [&](std::size_t k) { return std::abs(error(k)); })};
}

Estimate error_difference(std::vector<Rating> const& truth, std::vector<double> const& a, std::vector<double> const& b) {
  auto const root = [&](std::vector<double> const& p) { return prediction_errors(truth, p).root_mean_square.value; };
  double const root_a = root(a), root_b = root(b);
  // Linearisation: the derivative of sqrt(mean e^2) in mean e^2 is 1 / (2 sqrt(mean e^2)).
  auto const slope = [&](std::vector<double> const& p, double whole, std::size_t k) {
    double const e = p[k] - truth[k].value;
    return whole > 0 ? e * e / (2 * whole) : 0;
  };
  Estimate const change = mean_over_users(truth, [&](std::size_t k) { return slope(a, root_a, k) - slope(b, root_b, k); });
  return {root_a - root_b, change.error, change.degrees_of_freedom};
}

ListQuality list_quality(std::vector<double> const& scores, std::vector<bool> const& relevant, Index cutoff) {
  auto const all = std::count(relevant.begin(), relevant.end(), true);
  require(all > 0, ExitCode::internal, "a list of candidates of which none is relevant");
  std::vector<std::size_t> order(scores.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  auto const shown = order.begin() + std::min<std::ptrdiff_t>(cutoff, std::ssize(order));
  std::partial_sort(order.begin(), shown, order.end(),
                    [&](std::size_t a, std::size_t b) { return scores[a] != scores[b] ? scores[a] > scores[b] : a < b; });
  double gain = 0, largest = 0, hits = 0;
  for (auto k = order.begin(); k != shown; ++k) {
    double const discounted = 1 / std::log2(static_cast<double>(k - order.begin()) + 2);
    if (relevant[*k]) gain += discounted, hits++;
    if (k - order.begin() < all) largest += discounted;
  }
  return {gain / largest, hits / static_cast<double>(cutoff), hits / static_cast<double>(all)};
}

}  // namespace partita
