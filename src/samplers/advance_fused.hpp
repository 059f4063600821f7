// The steps of a scheme with an analytic energy in one kernel. Such an energy is a small functor that kernels copy by value, with a
// dimension, of one of two kinds:
//   separable      E(x) = sum_i e_i(x_i): coordinate(i) has energy(x_i) and gradient(x_i);
//   not separable  energy_and_gradient(x, g, energy) on the rows of a strip; sums_in_double: a sum of many terms, by LaneSums.
#pragma once
#include "samplers/advance.hpp"

namespace partita {

// E and dE/dx of a strip, for either kind of energy. x and g must not overlap.
template <class Energy>
KOKKOS_FORCEINLINE_FUNCTION void evaluate(Energy const& e, Rows<Real const> x, Rows<Real> g, double* energy) {
  if constexpr (Energy::separable) {
    LaneSums sums(energy);
    for (Index i = 0; i < e.dimension; i++) {
      Real const* xi = x[i];
      Real *gi = g[i], *sum = sums.next_row();
      auto const coordinate = e.coordinate(i);
#pragma GCC ivdep
      for (int l = 0; l < strip_lanes; l++) {
        sum[l] += coordinate.energy(xi[l]);
        gi[l] = coordinate.gradient(xi[l]);
      }
    }
    sums.finish();
  } else {
    e.energy_and_gradient(x, g, energy);
  }
}

namespace detail {

template <class Scheme, class Energy>
KOKKOS_FORCEINLINE_FUNCTION void advance_strip(Scheme const& scheme, Energy const& energy, Strip<Scheme> const& s,
                                               random::RoundKeys const& keys, Index first_step, Index steps) {
  typename Scheme::Noise noise(keys, s.first_chain);
  auto const point = scheme.point(s);
  auto const gradient = scheme.gradient(s);
  auto const evaluate_here = [&] { evaluate(energy, Rows<Real const>{point.data, point.pitch}, gradient, scheme.energy(s)); };
  auto const run = [&](auto const& g, auto const& refresh) {
    for (Index step = first_step; step < first_step + steps; step++)
      for (Index k = 0, count = scheme.evaluations(step); k < count; k++) {
        Turn const turn{step, k, k + 1 == count};
        if constexpr (moves_before<Scheme>) scheme.before(s, noise, turn, g);
        refresh();
        scheme.after(s, noise, turn, g);
      }
  };
  if constexpr (Energy::separable && Scheme::gradient_at_state) {
    if constexpr (begins_blocks<Scheme>) scheme.begin(s, noise, first_step);
    run(SeparableGradient<Energy>{energy}, [] {});
  } else {
    if constexpr (Scheme::carries_gradient) {
      place_start(scheme, s);
      evaluate_here();
    }
    if constexpr (begins_blocks<Scheme>) scheme.begin(s, noise, first_step);
    run(StoredGradient{gradient}, evaluate_here);
  }
}

}  // namespace detail

template <class Scheme, class Energy>
void advance_fused(Scheme const& scheme, Energy const& energy, FusedCall const& call) {
  using Slots = Kokkos::Experimental::UniqueToken<Execution>;
  Chains const& chains = call.chains;
  Moving const moving = call.moving;
  TileRange const local = call.local;
  Index const first_step = call.first_step, steps = call.steps;
  Index const d = chains.dimension, pitch = chains.tiling.pitch(), strips_per_tile = divide_up(chains.tiling.width, strip_lanes);
  Index const strips = local.count * strips_per_tile;
  Slots const slots;
  Index const rows = work_rows<Scheme>(d), slot_count = runs_on_host ? std::ssize(slots) : strips;
  call.work.fit({}, slot_count, rows, Scheme::energies, strip_lanes);
  auto const x = chains.x, velocity = chains.velocity, work = call.work.rows;
  auto const energies = call.work.energies;
  auto const accepted = chains.accepted, diverging = chains.diverging;
  auto const keys = random::round_keys(call.key);
  ChainNumbers const first_chain = chains.numbers();
  Kokkos::parallel_for(
      "partita::advance", Kokkos::RangePolicy<Execution, Kokkos::IndexType<Index>>(0, strips), KOKKOS_LAMBDA(Index n) {
        Index const tile = local.first + n / strips_per_tile, lane = n % strips_per_tile * strip_lanes;
        Index const slot = runs_on_host ? Index(slots.acquire()) : n;
        Strip<Scheme> const s{detail::rows_at(x, tile, lane, pitch),
                              detail::rows_at(velocity, tile, lane, pitch),
                              detail::rows_at(work, slot, 0, strip_lanes),
                              detail::rows_at(energies, slot, 0, strip_lanes),
                              &accepted(tile, lane),
                              &diverging(tile, lane),
                              tile * pitch + lane,
                              d,
                              moving,
                              first_chain.of(tile, lane)};
        detail::advance_strip(scheme, energy, s, keys, first_step, steps);
        if (runs_on_host) slots.release(static_cast<typename Slots::size_type>(slot));
      });
}

}  // namespace partita
