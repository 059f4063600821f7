// Chains that are no longer finite: reported by chain and step, or restarted.
#pragma once
#include <vector>

#include "comm/communicator.hpp"
#include "samplers/chains.hpp"

namespace partita {

// Collective. Failure(numerical) that names the first chain whose state is not finite at this step, and the last finite mean energy.
// Chains of several sets are numbered one set after the other.
void require_finite_chains(Communicator const&, std::vector<Chains> const& sets, Index step, double last_energy);
// The same for chains whose state has several layers, (tile, size, pitch) each.
void require_finite_chains(Communicator const&, Tiling const&, TileRange mine, std::vector<TileStorage> const& layers, Index step,
                           double last_energy);

// Restarts chains whose position, velocity or (where it is given) energy is not finite from `initial`, keyed by chain number and step, with
// velocity 0. Returns their number over all ranks; collective.
Index restart_nonfinite_chains(Communicator const& ranks, Chains const&, random::Key, Index step, InitialDistribution const& initial,
                               TileScalarStorage const& energy = {});

}  // namespace partita
