#include "estimators/distances.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>

#include "comm/tile_sums.hpp"
#include "core/require.hpp"

namespace partita {
namespace {

constexpr Index blocks = 64;  // units of work that ranks share; their number fixes the order of summation

// Points sorted by group: order[first[g]] ... order[first[g + 1] - 1] are those of group g.
struct Grouped {
  std::vector<std::size_t> order, first;

  Grouped(Groups const& groups, std::size_t points) : order(points), first(static_cast<std::size_t>(groups.number) + 1) {
    std::iota(order.begin(), order.end(), std::size_t{0});
    if (!groups.of.empty()) {
      std::stable_sort(order.begin(), order.end(), [&](std::size_t p, std::size_t q) { return groups.of[p] < groups.of[q]; });
      for (Index g : groups.of) first[static_cast<std::size_t>(g) + 1]++;
      std::partial_sum(first.begin(), first.end(), first.begin());
    } else {
      first.back() = points;
    }
  }
  std::size_t groups() const { return first.size() - 1; }
  std::size_t size(std::size_t g) const { return first[g + 1] - first[g]; }
};

std::vector<double> transposed(std::vector<double> const& points, Index d, std::vector<std::size_t> const& order) {  // (dimension, point)
  std::vector<double> out(points.size());
  for (std::size_t n = 0; n < order.size(); n++)
    for (std::size_t i = 0; i < static_cast<std::size_t>(d); i++)
      out[i * order.size() + n] = points[order[n] * static_cast<std::size_t>(d) + i];
  return out;
}

// Sums of |a - b| over the pairs of each group of a and each group of b, (group of a, group of b).
std::vector<double> distance_sums(Communicator const& ranks, std::vector<double> const& a, Groups const& of_a, std::vector<double> const& b,
                                  Grouped const& in_b, Index d) {
  Index const n = static_cast<Index>(a.size()) / d, m = static_cast<Index>(b.size()) / d;
  std::size_t const groups = in_b.groups(), table = static_cast<std::size_t>(of_a.number) * groups;
  TileRange const mine = share_of_tiles(blocks, ranks.rank(), ranks.ranks());
  std::vector<double> sums(static_cast<std::size_t>(mine.count) * table), squares(static_cast<std::size_t>(m));
  std::vector<double> const columns = transposed(b, d, in_b.order);
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
      auto const of_row = of_a.of.empty() ? 0 : static_cast<std::size_t>(of_a.of[static_cast<std::size_t>(r)]);
      double* const to = sums.data() + static_cast<std::size_t>(block) * table + of_row * groups;
      for (std::size_t g = 0; g < groups; g++) {
        double sum = 0;
        for (std::size_t j = in_b.first[g]; j < in_b.first[g + 1]; j++) sum += std::sqrt(squares[j]);
        to[g] += sum;
      }
    }
  }
  return sum_over_tiles(ranks, mine, blocks, sums, static_cast<Index>(table));
}

constexpr std::size_t none = std::numeric_limits<std::size_t>::max();

// Mean distance over all pairs without the points of one group of each set.
double mean_distance(std::vector<double> const& sums, Grouped const& a, Grouped const& b, std::size_t without) {
  double sum = 0, n = 0, m = 0;
  for (std::size_t g = 0; g < a.groups(); g++) n += g == without ? 0 : static_cast<double>(a.size(g));
  for (std::size_t h = 0; h < b.groups(); h++) m += h == without ? 0 : static_cast<double>(b.size(h));
  for (std::size_t g = 0; g < a.groups(); g++)
    for (std::size_t h = 0; h < b.groups(); h++) sum += g == without || h == without ? 0 : sums[g * b.groups() + h];
  return sum / (n * m);
}

// The estimate from all groups, with the jackknife error from leaving out each in turn.
Estimate jackknife(std::size_t groups, std::function<double(std::size_t without)> const& estimate) {
  require(groups >= 2, ExitCode::internal, "a jackknife needs at least two groups, not {}", groups);
  std::vector<double> less;
  for (std::size_t g = 0; g < groups; g++) less.push_back(estimate(g));
  double const n = static_cast<double>(groups), mean = std::accumulate(less.begin(), less.end(), 0.) / n;
  double squares = 0;
  for (double v : less) squares += (v - mean) * (v - mean);
  double const error = std::sqrt(squares * (n - 1) / n);  // 0 where all points are the same: then it is not known
  return {estimate(none), error > 0 ? error : std::numeric_limits<double>::quiet_NaN(), n - 1};
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

struct Projected {
  double at;
  std::size_t group;
};

std::vector<Projected> sorted_projection(std::vector<double> const& points, std::vector<double> const& v, Groups const& groups) {
  std::vector<Projected> out(points.size() / v.size());
  for (std::size_t p = 0; p < out.size(); p++) {
    for (std::size_t i = 0; i < v.size(); i++) out[p].at += v[i] * points[p * v.size() + i];
    out[p].group = groups.of.empty() ? 0 : static_cast<std::size_t>(groups.of[p]);
  }
  std::sort(out.begin(), out.end(), [](Projected const& a, Projected const& b) { return a.at < b.at; });
  return out;
}

std::vector<double> positions(std::vector<Projected> const& points, std::size_t without) {
  std::vector<double> out;
  out.reserve(points.size());
  for (Projected const& p : points)
    if (p.group != without) out.push_back(p.at);
  return out;
}

// The least common multiple of the two sizes times the integral of |F^-1 - G^-1|^p of the two empirical distributions.
double transport(std::vector<double> const& a, std::vector<double> const& b, int p) {
  std::size_t const common = std::lcm(a.size(), b.size()), of_a = common / a.size(), of_b = common / b.size();
  double sum = 0;
  for (std::size_t i = 0, j = 0, reached = 0; i < a.size();) {
    std::size_t const next = std::min((i + 1) * of_a, (j + 1) * of_b);
    double const cost = p == 1 ? std::abs(a[i] - b[j]) : (a[i] - b[j]) * (a[i] - b[j]);
    sum += static_cast<double>(next - reached) * cost;
    reached = next;
    if (next == (i + 1) * of_a) i++;
    if (next == (j + 1) * of_b) j++;
  }
  return sum;
}

// For each direction of this rank, and each group left out (finally none): transport divided by the common multiple.
std::vector<double> mean_transport(Communicator const& ranks, std::vector<double> const& x, std::vector<double> const& y, Index d, int p,
                                   Index projections, random::Key key, Groups const& of_x, Groups const& of_y) {
  require_all(x.size() == y.size() && !x.empty(), ExitCode::data,
              "the sliced Wasserstein distance compares sets of equal size (there are {} and {} points)",
              x.size() / static_cast<std::size_t>(d), y.size() / static_cast<std::size_t>(d));
  auto const number = static_cast<std::size_t>(of_x.number > 1 ? of_x.number : 0), width = number + 1;
  TileRange const mine = share_of_tiles(projections, ranks.rank(), ranks.ranks());
  std::vector<double> sums(static_cast<std::size_t>(mine.count) * width);
  for (Index k = 0; k < mine.count; k++) {
    auto const v = direction(key, mine.first + k, d);
    auto const a = sorted_projection(x, v, of_x), b = sorted_projection(y, v, of_y);
    for (std::size_t g = 0; g < width; g++) {
      std::size_t const without = g < number ? g : none;
      sums[static_cast<std::size_t>(k) * width + g] = transport(positions(a, without), positions(b, without), p);
    }
  }
  Grouped const in_x(of_x, x.size() / static_cast<std::size_t>(d)), in_y(of_y, y.size() / static_cast<std::size_t>(d));
  auto means = sum_over_tiles(ranks, mine, projections, sums, static_cast<Index>(width));
  for (std::size_t g = 0; g < width; g++) {
    std::size_t const n = in_x.order.size() - (g < number ? in_x.size(g) : 0), m = in_y.order.size() - (g < number ? in_y.size(g) : 0);
    means[g] /= static_cast<double>(projections) * static_cast<double>(std::lcm(n, m));
  }
  return means;
}

double distance_of(double mean, int p) { return p == 1 ? mean : std::sqrt(mean); }

}  // namespace

Groups Groups::of_draws(Index points, Index chains) {
  constexpr Index most = 20;
  Groups g{std::min(most, points), {}};
  Index const per_draw = std::min(chains, points);
  for (Index p = 0; p < points; p++) g.of.push_back(per_draw >= most ? p % per_draw * g.number / per_draw : p * g.number / points);
  return g;
}

Estimate squared_energy_distance(Communicator const& ranks, std::vector<double> const& x, std::vector<double> const& y, Index d,
                                 Groups const& of_x, Groups const& of_y) {
  require_all(!x.empty() && !y.empty(), ExitCode::data, "the energy distance needs points on both sides (there are {} and {})",
              x.size() / static_cast<std::size_t>(d), y.size() / static_cast<std::size_t>(d));
  require(of_x.number == of_y.number, ExitCode::internal, "sets in {} and {} groups", of_x.number, of_y.number);
  Grouped const in_x(of_x, x.size() / static_cast<std::size_t>(d)), in_y(of_y, y.size() / static_cast<std::size_t>(d));
  auto const xy = distance_sums(ranks, x, of_x, y, in_y, d), xx = distance_sums(ranks, x, of_x, x, in_x, d),
             yy = distance_sums(ranks, y, of_y, y, in_y, d);
  auto const distance = [&](std::size_t without) {
    return 2 * mean_distance(xy, in_x, in_y, without) - mean_distance(xx, in_x, in_x, without) - mean_distance(yy, in_y, in_y, without);
  };
  if (of_x.number == 1) return {distance(none), std::numeric_limits<double>::quiet_NaN(), 0};
  return jackknife(in_x.groups(), distance);
}
double squared_energy_distance(Communicator const& ranks, std::vector<double> const& x, std::vector<double> const& y, Index d) {
  return squared_energy_distance(ranks, x, y, d, {}, {}).value;
}

Estimate sliced_wasserstein(Communicator const& ranks, std::vector<double> const& x, std::vector<double> const& y, Index d, int p,
                            Index projections, random::Key key, Groups const& of_x, Groups const& of_y) {
  auto const means = mean_transport(ranks, x, y, d, p, projections, key, of_x, of_y);
  return jackknife(means.size() - 1, [&](std::size_t without) { return distance_of(without == none ? means.back() : means[without], p); });
}
double sliced_wasserstein(Communicator const& ranks, std::vector<double> const& x, std::vector<double> const& y, Index d, int p,
                          Index projections, random::Key key) {
  return distance_of(mean_transport(ranks, x, y, d, p, projections, key, {}, {}).back(), p);
}

}  // namespace partita
