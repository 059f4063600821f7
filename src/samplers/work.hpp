// Work memory of the tiles that a sampler advances at once.
#pragma once
#include "core/arrays.hpp"
#include "samplers/scheme.hpp"

namespace partita {

struct Chains;

// Work rows of these tiles; kept by the sampler between calls.
struct SamplerWork {
  TileStorage rows;  // fused: (strip slot, rows, strip_lanes); otherwise (tile, rows, pitch)
  using Energies = Kokkos::View<double***, Kokkos::LayoutRight, DeviceMemory>;
  Energies energies;           // likewise
  DeviceVector<Index> moving;  // coordinates that are not held, where some are
  void fit(Arrays, Index slots, Index row_count, Index energy_rows, Index lanes);
  // The coordinates of these chains that are not held, listed in `moving` where some are.
  Moving moving_coordinates(Chains const&);
};

}  // namespace partita
