#include "data/rounding.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace partita::data {

namespace {

std::size_t distinct(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return std::size_t(std::unique(values.begin(), values.end()) - values.begin());
}

// 1 for entries that keep a tenth of their distinct values or less when rounded, 0 for others. A thousand draws of a Gaussian keep so few
// when the rounding step is a tenth of the standard deviation, the limit of the warning below.
std::vector<double> merged(Rounded const& points) {
  constexpr Index most_numbers = Index{1} << 22;  // so fewer points where they have many entries
  Index const most = std::clamp<Index>(most_numbers / std::max<Index>(1, points.entries), 1, 1000);
  auto const n = std::size_t(points.entries), count = std::size_t(std::min(points.points, most));
  std::vector<double> exact(n * count), rounded(n * count), out(n);
  for (std::size_t i = 0; i < count; i++) points.values(Index(i), exact.data() + i * n, rounded.data() + i * n);
  std::vector<double> of_entry[2];
  for (std::size_t e = 0; e < n; e++) {
    for (auto& values : of_entry) values.clear();
    for (std::size_t i = 0; i < count; i++) of_entry[0].push_back(exact[i * n + e]), of_entry[1].push_back(rounded[i * n + e]);
    std::size_t const before = distinct(of_entry[0]);
    out[e] = before > 4 && distinct(of_entry[1]) <= std::max<std::size_t>(2, before / 10);
  }
  return out;
}

}  // namespace

// Deviations are taken from the middle of an entry's range and divided by half that range, so that no square overflows or underflows.
std::vector<double> rounding_errors(Rounded const& points, Combine const& combine) {
  auto const n = std::size_t(points.entries);
  std::vector<double> exact(n), rounded(n), low(n, HUGE_VAL), high(n, -HUGE_VAL);
  for (Index i = 0; i < points.points; i++) {
    points.values(i, exact.data(), rounded.data());
    for (std::size_t e = 0; e < n; e++) low[e] = std::min(low[e], exact[e]), high[e] = std::max(high[e], exact[e]);
  }
  combine(low, Reduction::minimum), combine(high, Reduction::maximum);
  std::vector<double> sums(3 * n + 1, 0);  // of deviations, their squares, and squares of rounding errors; then the number of points
  sums[3 * n] = double(points.points);
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
  std::vector<double> out = merged(points);
  combine(out, Reduction::maximum);
  double const count = sums[3 * n];
  for (std::size_t e = 0; e < n; e++) {
    double const variance = sums[n + e] / count - sums[e] / count * sums[e] / count;
    if (sums[2 * n + e] > 0) out[e] = std::max(out[e], std::sqrt(sums[2 * n + e] / count / variance));
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
