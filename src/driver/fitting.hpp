// Which models, samplers, objectives, generators and estimators go together.
#pragma once
#include <vector>

#include "deck/document.hpp"

namespace partita {

// Blocks of a deck that cannot work together, each with the names of what does.
std::vector<deck::Problem> misfits(deck::Document const&);

}  // namespace partita
