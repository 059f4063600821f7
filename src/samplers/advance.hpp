// Runs a scheme over all chains of a rank: in one fused kernel for analytic energies, alternating model and scheme for large models.
#pragma once
#include "models/model.hpp"
#include "samplers/fused.hpp"

namespace partita {

namespace detail {

template <class T>
KOKKOS_FORCEINLINE_FUNCTION Rows<T> rows_at(Kokkos::View<T***, Kokkos::LayoutRight, DeviceMemory> const& storage, Index tile, Index lane,
                                            Index pitch) {
  return {storage.data() == nullptr ? nullptr : place_of(storage, tile, 0, lane), pitch};
}

// Copies x to the point of evaluation, for schemes whose point of evaluation is not x itself.
template <class Scheme>
KOKKOS_FORCEINLINE_FUNCTION void place_start(Scheme const& scheme, Strip<Scheme> const& s) {
  if constexpr (!Scheme::gradient_at_state) s.copy(s.x, scheme.point(s));
}

// Runs one stage of a scheme on every strip of `count` tiles from local tile `first`.
template <class Scheme, class Stage>
void for_each_strip(char const* name, Chains const& chains, SamplerWork const& work, Moving moving, Index first, Index count,
                    Stage const& stage) {
  Index const d = chains.dimension, pitch = chains.tiling.pitch(), strips_per_tile = divide_up(chains.tiling.width, strip_lanes);
  ChainNumbers const first_chain = chains.numbers();
  auto const x = chains.x, velocity = chains.velocity, work_rows = work.rows;
  auto const energies = work.energies;
  auto const accepted = chains.accepted, diverging = chains.diverging;
  Kokkos::parallel_for(
      name, Kokkos::RangePolicy<Execution, Kokkos::IndexType<Index>>(0, count * strips_per_tile), KOKKOS_LAMBDA(Index n) {
        Index const in_flight = n / strips_per_tile, tile = first + in_flight, lane = n % strips_per_tile * strip_lanes;
        stage(Strip<Scheme>{rows_at(x, tile, lane, pitch), rows_at(velocity, tile, lane, pitch), rows_at(work_rows, in_flight, lane, pitch),
                            rows_at(energies, in_flight, lane, pitch), &accepted(tile, lane), &diverging(tile, lane), tile * pitch + lane,
                            d, moving, first_chain.of(tile, lane)});
      });
}

// The tiles [first, first + count) of this rank, all with `lanes` lanes, advanced together.
template <class Scheme>
void advance_tiles(Scheme const& scheme, ScoreModel const& model, Chains const& chains, SamplerWork const& work, Moving moving,
                   random::RoundKeys const& keys, Index first, Index count, Index lanes, Index first_step, Index steps) {
  Index const d = chains.dimension, pitch = chains.tiling.pitch(), rows = work_rows<Scheme>(d);
  // Views of the rows of the scheme's evaluations: their offsets are the same in all strips.
  auto const work_rows = work.rows;
  Strip<Scheme> const whole{rows_at(chains.x, first, 0, pitch),
                            {nullptr, pitch},
                            rows_at(work_rows, 0, 0, pitch),
                            rows_at(work.energies, 0, 0, pitch),
                            nullptr,
                            nullptr,
                            0,
                            d,
                            moving,
                            0};
  auto const tile_stride = [&](Real const* p) {
    return p >= work_rows.data() && p < work_rows.data() + work_rows.size() ? rows * pitch : d * pitch;
  };
  auto const view = [&](Rows<Real> r) {
    auto const n = std::size_t(tile_stride(r.data));
    return Tiles(r.data, Kokkos::LayoutStride(count, n, d, pitch, lanes, 1));
  };
  Tiles const point = view(scheme.point(whole)), gradient = view(scheme.gradient(whole));
  TileEnergies const energy(scheme.energy(whole), Kokkos::LayoutStride(count, Scheme::energies * pitch, lanes, 1));
  auto const evaluate_here = [&] {
    if constexpr (Scheme::needs_energy)
      dynamic_cast<DifferentiableModel const&>(model).precise_energy_and_gradient(point, energy, gradient);
    else model.gradient(point, gradient);
  };
  if constexpr (Scheme::carries_gradient) {
    for_each_strip<Scheme>(
        "partita::scheme_start", chains, work, moving, first, count, KOKKOS_LAMBDA(Strip<Scheme> const& s) { place_start(scheme, s); });
    evaluate_here();
  }
  if constexpr (begins_blocks<Scheme>)
    for_each_strip<Scheme>(
        "partita::scheme_begin", chains, work, moving, first, count, KOKKOS_LAMBDA(Strip<Scheme> const& s) {
          typename Scheme::Noise noise(keys, s.first_chain);
          scheme.begin(s, noise, first_step);
        });
  for (Index step = first_step; step < first_step + steps; step++)
    for (Index k = 0, evaluations = scheme.evaluations(step); k < evaluations; k++) {
      Turn const turn{step, k, k + 1 == evaluations};
      if constexpr (moves_before<Scheme>)
        for_each_strip<Scheme>(
            "partita::scheme_before", chains, work, moving, first, count, KOKKOS_LAMBDA(Strip<Scheme> const& s) {
              typename Scheme::Noise noise(keys, s.first_chain);
              scheme.before(s, noise, turn, StoredGradient{scheme.gradient(s)});
            });
      evaluate_here();
      for_each_strip<Scheme>(
          "partita::scheme_after", chains, work, moving, first, count, KOKKOS_LAMBDA(Strip<Scheme> const& s) {
            typename Scheme::Noise noise(keys, s.first_chain);
            scheme.after(s, noise, turn, StoredGradient{scheme.gradient(s)});
          });
    }
}

}  // namespace detail

// Advances the coordinates that are not held, in this rank's local tiles [first, first + count), by `steps` steps, numbered from
// first_step. The numbers a chain sees do not depend on how steps are cut into calls, nor on which rank holds it.
template <class Scheme>
void advance(Scheme const& scheme, Model const& model, Chains const& chains, SamplerWork& work, random::Key key, TileRange local,
             Index first_step, Index steps) {
  Moving const moving = work.moving_coordinates(chains);
  if (local.count == 0 || steps == 0 || moving.count == 0) return;
  if (auto const* fused = dynamic_cast<Fused<Scheme> const*>(&model)) {
    fused->advance_fused(scheme, {chains, work, moving, key, local, first_step, steps});
    return repeat_last_chain(chains, local);
  }
  Index const flight = tiles_in_flight(chains.mine.count), rows = work_rows<Scheme>(chains.dimension), pitch = chains.tiling.pitch();
  work.fit({}, flight, rows, Scheme::energies, pitch);
  auto const keys = random::round_keys(key);
  auto const move = [&](Index first, Index count, Index lanes) {
    detail::advance_tiles(scheme, score_of(model), chains, work, moving, keys, first, count, lanes, first_step, steps);
  };
  for_tiles_of_one_width(chains.tiling, chains.mine, local, flight, move);
  repeat_last_chain(chains, local);
}

}  // namespace partita
