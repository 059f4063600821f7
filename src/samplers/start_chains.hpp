// Where the chains of any model start.
#pragma once
#include "models/model.hpp"
#include "samplers/chains.hpp"

namespace partita {

// Sets the chains to their starting points: for a model of units independent draws of the reference (the model's own biases, or those of
// the data), where held units do not change; for others `initial`. Only a share start.fraction of the chains is moved.
void start_chains(Model const&, Chains const&, StartKey const&, InitialDistribution const& initial);

}  // namespace partita
