#include "data/rounding.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace partita::data {

// Deviations are taken from the middle of an entry's range and divided by half of it, so that no square leaves the range of double.
std::vector<double> rounding_errors(Rounded const& points, Combine const& combine) {
  auto const n = static_cast<std::size_t>(points.entries);
  std::vector<double> exact(n), rounded(n), low(n, HUGE_VAL), high(n, -HUGE_VAL);
  for (Index i = 0; i < points.points; i++) {
    points.values(i, exact.data(), rounded.data());
    for (std::size_t e = 0; e < n; e++) low[e] = std::min(low[e], exact[e]), high[e] = std::max(high[e], exact[e]);
  }
  combine(low, Reduction::minimum), combine(high, Reduction::maximum);
  std::vector<double> sums(3 * n + 1, 0);  // of deviations, their squares, the squares of what rounding adds; and the number of points
  sums[3 * n] = static_cast<double>(points.points);
  for (Index i = 0; i < points.points; i++) {
    points.values(i, exact.data(), rounded.data());
    for (std::size_t e = 0; e < n; e++) {
      double const half = high[e] / 2 - low[e] / 2;
      if (half == 0) continue;
      double const deviation = (exact[e] / 2 - low[e] / 2) / half * 2 - 1, error = (rounded[e] - exact[e]) / half;
      sums[e] += deviation, sums[n + e] += deviation * deviation, sums[2 * n + e] += error * error;
    }
  }
  combine(sums, Reduction::sum);
  std::vector<double> out(n, 0);
  double const count = sums[3 * n];
  for (std::size_t e = 0; e < n; e++) {
    double const variance = sums[n + e] / count - sums[e] / count * sums[e] / count;
    if (sums[2 * n + e] > 0) out[e] = std::sqrt(sums[2 * n + e] / count / variance);
  }
  return out;
}

std::string rounding_warning(std::string const& source, std::vector<double> const& errors) {
  double const most = 0.1 / std::sqrt(12.);
  auto const moved = std::count_if(errors.begin(), errors.end(), [most](double e) { return e > most; });
  if (moved == 0) return {};
  auto const worst = std::max_element(errors.begin(), errors.end());
  return fmt::format(
      "{}: single precision moves {} of {} entries of a point by more than {:.2g} of their standard deviation, entry {} by {:.2g}", source,
      moved, errors.size(), most, worst - errors.begin(), *worst);
}

}  // namespace partita::data
