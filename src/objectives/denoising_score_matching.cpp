#include "objectives/denoising_score_matching.hpp"

#include <algorithm>
#include <cmath>

#include "core/copy.hpp"
#include "core/require.hpp"

namespace partita {
namespace {

using Range = Kokkos::RangePolicy<Execution, Kokkos::IndexType<Index>>;

KOKKOS_INLINE_FUNCTION Index level_of(random::Key key, Index update, Index item, Index levels) {
  auto const w = random::words(key, std::uint64_t(item), random::Stream::noise_level, std::uint64_t(update), 0);
  return random::below(w.w[0], std::uint32_t(levels));
}

// Each lane's noise, and the number of its level.
void draw_sigma(random::Key key, ConstVector levels, Index update, Index first, TileScalars sigma, TileScalars level) {
  Kokkos::parallel_for(
      "partita::noise_levels", Range(0, extent(sigma, 1)), KOKKOS_LAMBDA(Index l) {
        Index const k = level_of(key, update, first + l, extent(levels, 0));
        sigma(0, l) = levels(k), level(0, l) = Real(k);
      });
}

// to = x + sigma z.
void add_noise(ConstTiles x, ConstTiles z, ConstTileScalars sigma, Tiles to) {
  Index const d = extent(x, 1), lanes = extent(x, 2);
  Kokkos::parallel_for(
      "partita::add_noise", Range(0, d * lanes), KOKKOS_LAMBDA(Index n) {
        Index const i = n / lanes, l = n % lanes;
        to(0, i, l) = std::fma(sigma(0, l), z(0, i, l), x(0, i, l));
      });
}

// Replaces g by the derivative of the mean of J in g, lambda scale (g - z / sigma); loss = lambda/2 |g - z / sigma|^2.
void take_residual(Tiles g, ConstTiles z, ConstTileScalars sigma, Index real, Real scale, TileScalars loss) {
  Index const d = extent(g, 1);
  Kokkos::parallel_for(
      "partita::residual", Range(0, extent(g, 2)), KOKKOS_LAMBDA(Index l) {
        Real const lambda = l < real ? sigma(0, l) * sigma(0, l) : Real(0);
        Real square = 0;
        for (Index i = 0; i < d; i++) {
          Real const residual = g(0, i, l) - z(0, i, l) / sigma(0, l);
          square = std::fma(residual, residual, square);
          g(0, i, l) = lambda * scale * residual;
        }
        loss(0, l) = Real(0.5) * lambda * square;
      });
}

}  // namespace

deck::Schema denoising_score_matching_schema() {
  using O = DenoisingOptions;
  auto schema =
      deck::schema<O>("denoising_score_matching",
                      "J = sigma^2 E[1/2 |s(x + sigma z) + z/sigma|^2], s the model's score: that of the data with noise; no sampler",
                      {deck::key("sigma", &O::sigma,
                                 "standard deviation of the noise; several: one for each epoch, in decreasing order, the last for all "
                                 "later ones; empty: all levels of a model with noise_levels")
                           .above(0)});
  for (deck::Key& k : score_matching_keys()) schema.keys.push_back(std::move(k));
  return schema;
}

void DenoisingScoreMatching::require_fit(TrainableScore const& model, DenoisingOptions const& o) {
  require_derivatives(model, 1);
  auto const levels = model.noise_levels().size();
  require_all(levels == 0 || o.sigma.empty(), ExitCode::usage,
              "objective.sigma is given, but the model is conditioned on its own noise levels (model.noise_levels = {}); remove one "
              "of the two",
              levels);
  require_all(levels > 0 || !o.sigma.empty(), ExitCode::usage,
              "objective.sigma is missing and the model is not conditioned on noise; give e.g. sigma = [0.3], or model.noise_levels");
  require_all(
      std::is_sorted(o.sigma.rbegin(), o.sigma.rend()), ExitCode::usage,
      "objective.sigma: the noise must decrease from epoch to epoch (the model keeps the last); put the numbers in decreasing order");
}

DenoisingScoreMatching::DenoisingScoreMatching(TrainableScore& model, data::Batches const& batches, Communicator ranks, Summation summation,
                                               random::Key key, ScoreMatchingOptions options, DenoisingOptions denoising)
    : ScoreMatching(model, batches, ranks, summation, key, options, derivatives(), std::ssize(model.noise_levels())),
      sigma_(denoising.sigma),
      levels_(model.noise_levels()),
      noise_memory_({}, model, tiling_) {
  require_fit(model, denoising);
  auto const host = Kokkos::create_mirror_view(noise_memory_.levels);
  for (std::size_t i = 0; i < levels_.size(); i++) host(i) = Real(levels_[i]);
  copy_array(noise_memory_.levels, host);
}

DenoisingScoreMatching::NoiseMemory::NoiseMemory(Arrays arrays, TrainableScore const& model, Tiling const& tiling)
    : noise(arrays.make<TileStorage>("denoising noise", 1, model.dimension(), tiling.pitch())),
      noisy(arrays.make<TileStorage>("noisy minibatch", 1, model.dimension(), tiling.pitch())),
      of_lane(arrays.make<TileScalarStorage>("denoising sigma", 1, tiling.pitch())),
      levels(arrays.make<Vector>("noise levels", model.noise_levels().size())) {}

void DenoisingScoreMatching::list(Arrays arrays, TrainableScore const& model, Share const& share, Summation summation,
                                  DenoisingOptions const&) {
  ScoreMatching::list(arrays, model, share, summation, derivatives(), std::ssize(model.noise_levels()));
  NoiseMemory(arrays, model, share.tiling);
}

std::string DenoisingScoreMatching::group_name(Index g) const { return fmt::format("J at sigma = {:.4g} since the last row", levels_[g]); }

void DenoisingScoreMatching::set_sigma(Points const& p) {
  if (!levels_.empty())
    return draw_sigma(key_, noise_memory_.levels, p.update, p.first, lanes_of(noise_memory_.of_lane, p), lanes_of(memory_.group, p));
  auto const epoch = std::size_t(batches_.epoch(p.update));
  fill_array(noise_memory_.of_lane, Real(sigma_[std::min(epoch, sigma_.size() - 1)]));
}

void DenoisingScoreMatching::add(Points const& p, Vector sum) {
  Tiles const z = lanes_of(noise_memory_.noise, p), noisy = lanes_of(noise_memory_.noisy, p), residual = lanes_of(memory_.direction, p);
  TileScalars const sigma = lanes_of(noise_memory_.of_lane, p);
  set_sigma(p);
  draw_normals(noise_memory_.noise, random::Stream::denoising_noise, p.update, p.first);
  add_noise(p.x, z, sigma, noisy);
  model_.set_noise(sigma);
  model_.gradient_forward(noisy, residual);
  take_residual(residual, z, sigma, p.real, Real(scale()), lanes_of(memory_.loss, p));
  model_.gradient_reverse(noisy, residual, sum);
  if (!levels_.empty()) model_.set_noise(levels_.back());
}

}  // namespace partita
