// Loads what a deck names.
#pragma once
#include <vector>

#include "comm/communicator.hpp"
#include "deck/document.hpp"
#include "io/inputs.hpp"
#include "models/fit.hpp"

namespace partita {

// files: as a check needs them, which makes no model above a gigabyte; such a model has sizes only.
enum class LookAt { deck_alone, files, files_for_run };

// Loads the models of a deck and, unless only the deck is checked, data from files and the results of other runs, in the form in which a
// run starts with them: items have the values of the model's units. What cannot be loaded is left out, with a problem at the key that names
// it. Adds what was read to `inputs`. Collective; the same problems on all ranks.
Loaded load(deck::Document const&, LookAt, Communicator const&, Inputs& inputs, std::vector<deck::Problem>&);

}  // namespace partita
