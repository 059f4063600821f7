// Work memory of the tiles that a sampler advances at once.
#pragma once
#include "core/arrays.hpp"

namespace partita {

// Work rows of these tiles; kept by the sampler between calls.
struct SamplerWork {
  TileStorage rows;  // fused: (strip slot, rows, strip_lanes); otherwise (tile, rows, pitch)
  using Energies = Kokkos::View<double***, Kokkos::LayoutRight, DeviceMemory>;
  Energies energies;           // likewise
  DeviceVector<Index> moving;  // coordinates that are not held, where some are
  void fit(Arrays arrays, Index slots, Index row_count, Index energy_rows, Index lanes) {
    arrays.fit(rows, "work rows of a step", slots, row_count, lanes);
    arrays.fit(energies, "energies of a step", slots, energy_rows, lanes);
  }
};

}  // namespace partita
