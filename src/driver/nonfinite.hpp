// Chains that left the numbers: reported loudly, by chain and step.
#pragma once
#include "comm/communicator.hpp"
#include "samplers/chains.hpp"

namespace partita {

// Collective. Failure(numerical) that names the first chain whose state is not finite at this step, and the last finite mean energy.
void require_finite_chains(Communicator const&, Chains const&, Index step, double last_energy);

}  // namespace partita
