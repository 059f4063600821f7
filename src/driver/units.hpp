// What models of units learn from data before anything is sampled or trained.
#pragma once
#include "data/dataset.hpp"
#include "models/model.hpp"

namespace partita {

// Gives a model of units the moments of the training items for its reference (see gibbs_model.hpp), a memory without patterns the items
// themselves; nothing for other models.
void take_reference(Model&, data::Dataset const&);
// And for its visible biases, where a machine starts to learn.
void take_biases(Model&, data::Dataset const&);

}  // namespace partita
