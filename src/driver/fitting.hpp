// Which models, samplers, objectives, generators and estimators go together.
#pragma once
#include <vector>

#include "deck/document.hpp"
#include "driver/loading.hpp"

namespace partita {

// Blocks of a deck that cannot work together, each with the names of what does, and what they cannot do with what was loaded; null: the
// blocks alone are looked at.
std::vector<deck::Problem> misfits(deck::Document const&, Loaded const* = nullptr);

// Loads what the deck names and looks for everything that a run would refuse. Failure(usage), or Failure(data) where files alone are wrong,
// with all problems at once. Collective.
Loaded load_and_check(deck::Document const&, LookAt, random::Key, Communicator const&, Inputs&);

}  // namespace partita
