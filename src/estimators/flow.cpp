#include "estimators/flow.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "comm/tile_sums.hpp"
#include "core/require.hpp"

namespace partita {
namespace {

constexpr double missed_below = 0.1;   // share of the reference's mass below which a cell is missed
constexpr double least_expected = 10;  // expected number of samples from which on a cell is examined

// exp(log w - largest) of this rank's samples.
std::vector<double> relative_weights(WeightedSamples const& s, double& largest) {
  largest = -std::numeric_limits<double>::infinity();
  for (double w : s.log_weight) largest = std::max(largest, w);
  largest = s.samples.ranks.all_reduce(largest, Reduction::maximum);
  std::vector<double> out;
  for (double w : s.log_weight) out.push_back(std::exp(w - largest));
  return out;
}

// n sums over all samples; add(i, sums) adds the terms of this rank's sample i.
std::vector<double> total(SampleSet const& s, Index n, std::function<void(Index, double*)> const& add) {
  std::vector<double> per_tile(static_cast<std::size_t>(s.mine.count * n));
  Index i = 0;
  for (Index t = 0; t < s.mine.count; t++)
    for (Index l = 0; l < s.tiling.chains_in(s.mine.first + t); l++) add(i++, per_tile.data() + t * n);
  return sum_over_tiles(s.ranks, s.mine, s.tiling.tiles(), per_tile, n);
}

}  // namespace

WeightedSamples draw_flow(Nice& flow, DifferentiableModel& target, Index samples, Communicator ranks, random::Key key) {
  Tiling const tiling{samples, std::min(flow_tile_width, round_up(samples, lane_quantum))};
  TileRange const mine = share_of_tiles(tiling.tiles(), ranks.rank(), ranks.ranks());
  Index const d = flow.dimension();
  WeightedSamples out{{ranks, tiling, mine, 1, d, {}, {}}, {}};
  target.reserve(1, tiling.width);
  FlowDraws draws(flow, tiling, mine);
  draws.draw(flow, target, key, 0);
  auto const xy = Kokkos::create_mirror_view_and_copy(Kokkos::HostSpace(), draws.xy);
  auto const energy = Kokkos::create_mirror_view_and_copy(Kokkos::HostSpace(), draws.energy),
             log_weight = Kokkos::create_mirror_view_and_copy(Kokkos::HostSpace(), draws.log_weight);
  for (Index t = 0; t < mine.count; t++)
    for (Index l = 0; l < tiling.chains_in(mine.first + t); l++) {
      for (Index i = 0; i < d; i++) out.samples.x.push_back(static_cast<float>(xy(t, i, l)));
      out.samples.energy.push_back(energy(t, l));
      out.log_weight.push_back(log_weight(t, l));
    }
  return out;
}

Importance importance(WeightedSamples const& s) {
  auto const log_weights = s.samples.ranks.all_gather(s.log_weight);
  auto const log_w = mean_and_error(log_weights);
  auto const log_c = log_mean_exp(log_weights);
  auto differences = log_weights;  // becomes w / mean w - log w, whose mean is 1 + KL - log C
  for (double& w : differences) w = std::exp(w - log_c.value) - w;
  double const error = log_c.trusted() ? std::hypot(mean_and_error(differences).error, log_c.unseen) : log_c.error();
  return {log_c, {-log_w.value, log_w.error, log_w.degrees_of_freedom}, {log_c.value - log_w.value, error, log_w.degrees_of_freedom}};
}

Probability probability(WeightedSamples const& s, std::function<bool(float const*)> const& holds) {
  std::vector<double> mine;
  for (Index i = 0; i < s.samples.chains_here(); i++) mine.push_back(holds(s.samples.point(i, 0)) ? 1 : 0);
  auto const all = s.samples.ranks.all_gather(mine);
  return {share_and_error(std::accumulate(all.begin(), all.end(), 0.), static_cast<double>(all.size())),
          weighted_share(s.samples.ranks.all_gather(s.log_weight), {all.begin(), all.end()})};
}

Masses masses(WeightedSamples const& s, Index n, std::function<Index(float const*)> const& cell) {
  double largest = 0;
  auto const w = relative_weights(s, largest);
  auto const sums = total(s.samples, 2 * n + 1, [&](Index i, double* sum) {
    double const wi = w[static_cast<std::size_t>(i)];
    sum[2 * n] += wi;
    Index const at = cell(s.samples.point(i, 0));
    if (at >= 0) sum[at] += 1, sum[n + at] += wi;
  });
  Masses out;
  for (Index k = 0; k < n; k++) {
    out.direct.push_back(sums[static_cast<std::size_t>(k)] / static_cast<double>(s.samples.tiling.chains));
    out.weighted.push_back(sums[static_cast<std::size_t>(n + k)] / sums.back());
  }
  return out;
}

double covered(std::vector<double> const& reference, std::vector<double> const& weighted, Index samples) {
  double looked_at = 0, found = 0;
  for (std::size_t k = 0; k < reference.size(); k++) {
    if (reference[k] * static_cast<double>(samples) < least_expected) continue;
    looked_at += reference[k];
    if (weighted[k] >= missed_below * reference[k]) found += reference[k];
  }
  return looked_at > 0 ? found / looked_at : std::numeric_limits<double>::quiet_NaN();
}

Coverage coverage(WeightedSamples const& s, std::vector<double> const& reference, Index coordinates, Index cells) {
  Index const d = s.samples.dimension, n = static_cast<Index>(reference.size()) / d, shown = std::min(coordinates, d);
  std::vector<double> lowest(static_cast<std::size_t>(shown), std::numeric_limits<double>::infinity()),
      highest(static_cast<std::size_t>(shown), -std::numeric_limits<double>::infinity());
  for (Index p = 0; p < n; p++)
    for (Index i = 0; i < shown; i++) {
      double const x = reference[static_cast<std::size_t>(p * d + i)];
      double &low = lowest[static_cast<std::size_t>(i)], &high = highest[static_cast<std::size_t>(i)];
      low = std::min(low, x), high = std::max(high, x);
    }
  auto const along = [&](double x, Index i) -> Index {
    double const low = lowest[static_cast<std::size_t>(i)], width = highest[static_cast<std::size_t>(i)] - low;
    double const at = std::floor((x - low) / width * static_cast<double>(cells));
    return at >= 0 && at < static_cast<double>(cells) ? static_cast<Index>(at) : x == low + width ? cells - 1 : -1;
  };
  auto const cell = [&](auto const* x, Index i, Index j) {
    Index const a = along(static_cast<double>(x[i]), i), b = along(static_cast<double>(x[j]), j);
    return a < 0 || b < 0 ? Index{-1} : a * cells + b;
  };
  Coverage worst{std::numeric_limits<double>::quiet_NaN()};
  for (Index j = 0; j < shown; j++)
    for (Index i = 0; i < std::max<Index>(j, d == 1 ? 1 : 0); i++) {
      std::vector<double> share(static_cast<std::size_t>(cells * cells));
      for (Index p = 0; p < n; p++)
        if (Index const at = cell(reference.data() + p * d, i, j); at >= 0)
          share[static_cast<std::size_t>(at)] += 1 / static_cast<double>(n);
      auto const found = masses(s, cells * cells, [&](float const* x) { return cell(x, i, j); });
      double const c = covered(share, found.weighted, std::min(n, s.samples.tiling.chains));
      if (c < worst.covered || std::isnan(worst.covered)) worst = {c, i, j};
    }
  return worst;
}

Quadrature quadrature(std::function<std::vector<double>(std::vector<double> const&)> const& energy, double lowest, double highest,
                      Index cells) {
  constexpr Index panels = 64;  // per cell; the midpoint rule is spectrally accurate where the density vanishes at both ends
  double const h = (highest - lowest) / static_cast<double>(cells * panels);
  std::vector<double> points;
  for (Index k = 0; k < cells * panels; k++) points.push_back(lowest + h * (static_cast<double>(k) + 0.5));
  auto const u = energy(points);
  double const least = *std::min_element(u.begin(), u.end());
  Quadrature out{0, std::vector<double>(static_cast<std::size_t>(cells))};
  for (std::size_t k = 0; k < u.size(); k++) out.masses[k / panels] += h * std::exp(least - u[k]);
  double const sum = std::accumulate(out.masses.begin(), out.masses.end(), 0.);
  for (double& m : out.masses) m /= sum;
  out.log_c = std::log(sum) - least;
  return out;
}

}  // namespace partita
