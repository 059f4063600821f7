// Which models, samplers, objectives, generators and estimators can be combined.
#pragma once
#include <vector>

#include "deck/document.hpp"
#include "driver/loading.hpp"

namespace partita {

// Problems of blocks of a deck that cannot work together, with the names of those that do, and problems with what was loaded; null: only
// the blocks are checked.
std::vector<deck::Problem> incompatibilities(deck::Document const&, Loaded const* = nullptr);

// The deck, if its keys are right and its blocks can work together. If not, everything that is wrong with it and with the files that it
// names is refused at once, as by load_and_check. Collective.
deck::Document without_mistakes(deck::Reading, LookAt, Communicator const&);

// Loads what the deck names and finds everything that a run would refuse. Failure(usage), or Failure(data) where only files are wrong, with
// all problems at once. Collective.
Loaded load_and_check(deck::Document const&, LookAt, Communicator const&, Inputs&);

}  // namespace partita
