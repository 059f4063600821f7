#include "estimators/distances.hpp"

#include <algorithm>
#include <cmath>

#include "comm/tile_sums.hpp"
#include "core/require.hpp"

namespace partita {
namespace {

constexpr Index blocks = 64;  // units of work that ranks share; their number fixes the order of summation

std::vector<double> transposed(std::vector<double> const& points, Index d) {  // (dimension, point)
  auto const n = static_cast<Index>(points.size()) / d;
  std::vector<double> out(points.size());
  for (Index p = 0; p < n; p++)
    for (Index i = 0; i < d; i++) out[static_cast<std::size_t>(i * n + p)] = points[static_cast<std::size_t>(p * d + i)];
  return out;
}

// Mean of |a - b| over all pairs.
double mean_distance(Communicator const& ranks, std::vector<double> const& a, std::vector<double> const& b, Index d) {
  Index const n = static_cast<Index>(a.size()) / d, m = static_cast<Index>(b.size()) / d;
  TileRange const mine = share_of_tiles(blocks, ranks.rank(), ranks.ranks());
  std::vector<double> sums(static_cast<std::size_t>(mine.count)), squares(static_cast<std::size_t>(m));
  std::vector<double> const columns = transposed(b, d);
  for (Index block = 0; block < mine.count; block++) {
    TileRange const rows = share_of_tiles(n, static_cast<int>(mine.first + block), static_cast<int>(blocks));
    for (Index r = rows.first; r < rows.end(); r++) {
      std::fill(squares.begin(), squares.end(), 0.);
      for (Index i = 0; i < d; i++) {
        double const ai = a[static_cast<std::size_t>(r * d + i)];
        double const* column = columns.data() + i * m;
        double* to = squares.data();
        for (Index j = 0; j < m; j++) to[j] += (ai - column[j]) * (ai - column[j]);
      }
      double sum = 0;
      for (double s : squares) sum += std::sqrt(s);
      sums[static_cast<std::size_t>(block)] += sum;
    }
  }
  return sum_over_tiles(ranks, mine, blocks, sums, 1)[0] / (static_cast<double>(n) * static_cast<double>(m));
}

std::vector<double> direction(random::Key key, Index which, Index d) {
  std::vector<double> v(static_cast<std::size_t>(d));
  double square = 0;
  for (Index i = 0; i < d; i++) {
    auto const w = random::words(key, static_cast<std::uint64_t>(which), random::Stream::projections, 0, static_cast<std::uint32_t>(i));
    v[static_cast<std::size_t>(i)] = random::normal_pair(w.w[0], w.w[1], double()).a;
    square += v[static_cast<std::size_t>(i)] * v[static_cast<std::size_t>(i)];
  }
  for (double& e : v) e /= std::sqrt(square);
  return v;
}

std::vector<double> sorted_projection(std::vector<double> const& points, std::vector<double> const& v) {
  std::vector<double> out(points.size() / v.size());
  for (std::size_t p = 0; p < out.size(); p++)
    for (std::size_t i = 0; i < v.size(); i++) out[p] += v[i] * points[p * v.size() + i];
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace

double squared_energy_distance(Communicator const& ranks, std::vector<double> const& x, std::vector<double> const& y, Index d) {
  require_all(!x.empty() && !y.empty(), ExitCode::data, "the energy distance needs points on both sides ({} and {} are there)",
              x.size() / static_cast<std::size_t>(d), y.size() / static_cast<std::size_t>(d));
  return 2 * mean_distance(ranks, x, y, d) - mean_distance(ranks, x, x, d) - mean_distance(ranks, y, y, d);
}

double sliced_wasserstein(Communicator const& ranks, std::vector<double> const& x, std::vector<double> const& y, Index d, int p,
                          Index projections, random::Key key) {
  require_all(x.size() == y.size() && !x.empty(), ExitCode::data,
              "the sliced Wasserstein distance compares sets of one size ({} and {} points are there)",
              x.size() / static_cast<std::size_t>(d), y.size() / static_cast<std::size_t>(d));
  TileRange const mine = share_of_tiles(projections, ranks.rank(), ranks.ranks());
  std::vector<double> sums(static_cast<std::size_t>(mine.count));
  for (Index k = 0; k < mine.count; k++) {
    auto const v = direction(key, mine.first + k, d);
    auto const a = sorted_projection(x, v), b = sorted_projection(y, v);
    for (std::size_t i = 0; i < a.size(); i++)
      sums[static_cast<std::size_t>(k)] += p == 1 ? std::abs(a[i] - b[i]) : (a[i] - b[i]) * (a[i] - b[i]);
  }
  double const mean = sum_over_tiles(ranks, mine, projections, sums, 1)[0] /
                      (static_cast<double>(projections) * static_cast<double>(x.size() / static_cast<std::size_t>(d)));
  return p == 1 ? mean : std::sqrt(mean);
}

}  // namespace partita
