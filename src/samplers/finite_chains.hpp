// Chains that left the numbers: reported loudly, by chain and step.
#pragma once
#include <vector>

#include "comm/communicator.hpp"
#include "samplers/chains.hpp"

namespace partita {

// Collective. Failure(numerical) that names the first chain whose state is not finite at this step, and the last finite mean energy.
// Chains of several sets are numbered one set after the other.
void require_finite_chains(Communicator const&, std::vector<Chains> const& sets, Index step, double last_energy);
// The same for chains that consist of several layers, (tile, size, pitch) each.
void require_finite_chains(Communicator const&, Tiling const&, TileRange mine, std::vector<TileStorage> const& layers, Index step,
                           double last_energy);

// Chains whose position or velocity is not finite, nor their energy where it is given, start anew from `initial`, keyed by chain number and
// step, with velocity 0. Their number over all ranks; collective.
Index restart_nonfinite_chains(Communicator const& ranks, Chains const&, random::Key, Index step, InitialDistribution const& initial,
                               TileScalarStorage const& energy = {});

}  // namespace partita
