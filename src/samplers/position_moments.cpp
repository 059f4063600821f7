#include "samplers/position_moments.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "comm/tile_sums.hpp"
#include "core/copy.hpp"

namespace partita {
namespace {

using Range = Kokkos::RangePolicy<Execution, Kokkos::IndexType<Index>>;

// Sums (n, dimension) over all chains of all ranks, along one tree: terms(x_i, i, sum) adds to n <= 2 sums of coordinate i.
template <class Terms>
Vector sum_over_chains(Chains const& chains, Communicator const& ranks, Index n, Terms const& terms) {
  Index const d = chains.dimension, all = chains.tiling.tiles();
  TileSums sums(ranks, Summation::reproducible, all, chains.mine, n * d);
  sums.start();
  for (Index tile = 0; tile < chains.mine.count; tile++) {
    Index const real = chains.tiling.chains_in(chains.mine.first + tile);
    Vector const to = sums.partial(chains.mine.first + tile);
    auto const x = chains.x;
    Kokkos::parallel_for(
        "partita::sum_places", Range(0, d), KOKKOS_LAMBDA(Index i) {
          double sum[2] = {};
          for (Index l = 0; l < real; l++) terms(double(x(tile, i, l)), i, sum);
          for (Index k = 0; k < n; k++) to(k * d + i) += Real(sum[k]);
        });
  }
  Vector const out("sums of places", n * d);
  copy_array(out, sums.finish());
  return out;
}

}  // namespace

Vector equal_scales(Index dimension, Arrays arrays) {
  auto const scales = arrays.make<Vector>("scales", dimension);
  if (arrays.makes()) fill_array(scales, Real(1));
  return scales;
}

PositionMoments::PositionMoments(Index dimension, Arrays arrays)
    : centre_(arrays.make<Vector>("centre of places", dimension)),
      sums_(arrays.make<Vector>("sums of places", dimension)),
      squares_(arrays.make<Vector>("squares of places", dimension)) {}

// Sums are taken about a centre near the mean, so that variances lose no digits far from 0.
void PositionMoments::add(Chains const& chains, Communicator const& ranks) {
  auto const centre = centre_, sums = sums_, squares = squares_;
  Index const d = chains.dimension;
  if (gathered_ == 0) {
    Vector const sum = sum_over_chains(
        chains, ranks, 1, KOKKOS_LAMBDA(double x, Index, double* to) { to[0] += x; });
    Real const count = Real(chains.tiling.chains);
    Kokkos::parallel_for(
        "partita::centre_of_places", Range(0, d), KOKKOS_LAMBDA(Index i) { centre(i) = sum(i) / count; });
    fill_array(sums_, Real(0)), fill_array(squares_, Real(0));
  }
  Vector const added = sum_over_chains(
      chains, ranks, 2, KOKKOS_LAMBDA(double x, Index i, double* to) {
        double const away = x - double(centre(i));
        to[0] += away, to[1] += away * away;
      });
  Kokkos::parallel_for(
      "partita::gather_places", Range(0, d), KOKKOS_LAMBDA(Index i) { sums(i) += added(i), squares(i) += added(d + i); });
  gathered_ += chains.tiling.chains;
}

std::optional<PositionSums> PositionMoments::gather(Chains const& chains, Communicator const& ranks) {
  add(chains, ranks);
  if (!std::has_single_bit(std::uint64_t(++calls_))) return {};
  auto const on_host = [](auto const& v) { return values_on_host(v); };
  auto const sums = on_host(sums_), squares = on_host(squares_);
  auto const held = on_host(chains.held);
  PositionSums out{gathered_, {}, {}};
  double const n = double(gathered_);
  for (std::size_t i = 0; i < sums.extent(0); i++) {
    double const mean = double(sums(i)) / n;
    out.variances.push_back(double(squares(i)) / n - mean * mean);
    out.held.push_back(held.extent(0) > 0 && held(i) != 0);
  }
  return out;
}

void PositionMoments::describe_state(State& state, std::string const& group) {
  state.add(group + "/centre", centre_);
  state.add(group + "/sums", sums_);
  state.add(group + "/squares", squares_);
  state.add_scalar(group + "/gathered", gathered_);
  state.add_scalar(group + "/calls", calls_);
}

bool set_scales(PositionSums const& places, Vector to) {
  auto const scales = scales_of(places.variances, places.held, places.count);
  if (scales.empty()) return false;
  copy_array(to, scales);
  return true;
}

std::vector<Real> scales_of(std::vector<double> const& variances, std::vector<bool> const& left_out, Index count, double more) {
  double mean = 0, moving = 0;
  for (std::size_t i = 0; i < variances.size(); i++) {
    if (left_out[i]) continue;
    if (!(variances[i] > 0) || !std::isfinite(variances[i])) return {};
    mean += std::log(variances[i]), moving++;
  }
  mean /= moving;
  auto const log_scale = [&, n = double(count)](double v) { return (n * std::log(v) + more * mean) / (n + more) / 2; };
  double least = std::numeric_limits<double>::infinity();
  for (std::size_t i = 0; i < variances.size(); i++)
    if (!left_out[i]) least = std::min(least, log_scale(variances[i]));
  std::vector<Real> out;
  for (std::size_t i = 0; i < variances.size(); i++) out.push_back(left_out[i] ? Real(1) : Real(std::exp(log_scale(variances[i]) - least)));
  return out;
}

}  // namespace partita
