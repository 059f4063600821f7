// Work memory of the tiles that a sampler advances at once.
#pragma once
#include "core/types.hpp"

namespace partita {

// Work rows of these tiles; kept by the sampler between calls.
struct SamplerWork {
  TileStorage rows;  // fused: (strip slot, rows, strip_lanes); otherwise (tile, rows, pitch)
  using Energies = Kokkos::View<double***, Kokkos::LayoutRight, DeviceMemory>;
  Energies energies;           // likewise
  DeviceVector<Index> moving;  // coordinates that are not held, where some are
  void resize(Index slots, Index row_count, Index energy_rows, Index lanes) {
    auto const has = [](auto const& view, Index a, Index b, Index c) {
      return static_cast<Index>(view.extent(0)) == a && static_cast<Index>(view.extent(1)) == b && static_cast<Index>(view.extent(2)) == c;
    };
    if (!has(rows, slots, row_count, lanes)) rows = TileStorage("sampler work", slots, row_count, lanes);
    if (!has(energies, slots, energy_rows, lanes)) energies = Energies("energies of a step", slots, energy_rows, lanes);
  }
};

}  // namespace partita
