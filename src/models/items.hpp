// What models of units learn from data before anything is sampled or trained.
#pragma once
#include <string>
#include <vector>

#include "data/dataset.hpp"
#include "models/model.hpp"

namespace partita {

// The values that each unit of a model takes, the lower first, where they are two; empty for real numbers and for levels of ratings.
std::vector<double> unit_values(Model const&);

// Items that a model learns from have a number for each of its visible units; Failure(usage).
void require_width(data::Dataset const&, Model const&);

// A model's precondition on its data, for every task: items show 0 and 1 to units of 0 and 1, 0 and 1 or -1 and 1 to units of -1 and 1, as
// which they are shown from then on, and ratings of no more levels than the model has. Greys are probabilities of a unit, not values: they
// are drawn by data.binarize. Failure(data) names the first entry that no unit can show. Items of another dimension than the model's
// visible units are left to those who compare with them.
void fit_to_units(data::Dataset&, Model const&);
// The same of points (point, dimension) of a file.
void require_points_of_units(std::vector<float> const& points, Index dimension, std::string const& where, Model const&);

// Gives a model of units the moments of the training items for its reference (see gibbs_model.hpp), a memory without patterns the items
// themselves; nothing for other models.
void take_reference(Model&, data::Dataset const&);
// And for its visible biases, where a machine starts to learn.
void take_biases(Model&, data::Dataset const&);

}  // namespace partita
