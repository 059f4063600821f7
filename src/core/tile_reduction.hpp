// Sums over the lanes of each tile, without a copy to the host.
#pragma once
#include "core/types.hpp"

namespace partita {

// Two sums that are formed together.
struct TwoSums {
  double first = 0, second = 0;
  KOKKOS_FORCEINLINE_FUNCTION TwoSums& operator+=(TwoSums const& other) {
    first += other.first, second += other.second;
    return *this;
  }
};

}  // namespace partita

template <>
struct Kokkos::reduction_identity<partita::TwoSums> {
  KOKKOS_FORCEINLINE_FUNCTION static partita::TwoSums sum() { return {}; }
};

namespace partita {

// store(tile, sum), the sum of term(tile, lane) over all lanes of the tile. On a CPU in the order of the lanes, on a GPU by a team of
// threads for each tile, in an order that depends on the device alone.
template <class Sum, class Term, class Store>
void sum_over_lanes(char const* name, Index tiles, Index lanes, Term const& term, Store const& store) {
  if constexpr (runs_on_host) {
    Kokkos::parallel_for(
        name, Kokkos::RangePolicy<Execution, Kokkos::IndexType<Index>>(0, tiles), KOKKOS_LAMBDA(Index tile) {
          Sum sum{};
          for (Index lane = 0; lane < lanes; lane++) sum += term(tile, lane);
          store(tile, sum);
        });
  } else {
    using Policy = Kokkos::TeamPolicy<Execution, Kokkos::IndexType<Index>>;
    Kokkos::parallel_for(
        name, Policy(int(tiles), Kokkos::AUTO), KOKKOS_LAMBDA(typename Policy::member_type const& team) {
          Index const tile = team.league_rank();
          Sum sum{};
          Kokkos::parallel_reduce(
              Kokkos::TeamThreadRange(team, lanes), [&](Index lane, Sum& s) { s += term(tile, lane); }, sum);
          Kokkos::single(Kokkos::PerTeam(team), [&] { store(tile, sum); });
        });
  }
}

}  // namespace partita
