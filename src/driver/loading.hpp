// Loads what a deck names.
#pragma once
#include <vector>

#include "comm/communicator.hpp"
#include "deck/document.hpp"
#include "io/inputs.hpp"
#include "models/fit.hpp"

namespace partita {

enum class LookAt { deck_alone, files };

// The models of a deck and, unless the deck alone is looked at, its data and what other runs have left, as a run begins with them: items
// are shown as the model's units have them. What cannot be loaded is a problem at the key that names it, and is left out. What was read is
// among `inputs`. Collective; the same problems on all ranks.
Loaded load(deck::Document const&, LookAt, random::Key, Communicator const&, Inputs& inputs, std::vector<deck::Problem>&);

}  // namespace partita
