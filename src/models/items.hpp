// How models of units are prepared for data before anything is sampled or trained.
#pragma once
#include <string>
#include <vector>

#include "data/dataset.hpp"
#include "models/model.hpp"

namespace partita {

// The values that each unit of a model takes, the lower first, where they are two; empty for real numbers and for levels of ratings.
std::vector<double> unit_values(Model const&);

// Failure(usage) unless the items have a number for each visible unit of the model that learns from them.
void require_width(data::Dataset const&, Model const&);

// A model's precondition on its data, for every task: entries are 0 and 1 for units of 0 and 1; 0 and 1 or -1 and 1 for units of -1 and 1,
// and are then given as -1 and 1; ratings have no more levels than the model. Values between are probabilities of a unit, which
// data.binarize draws. Failure(data) names the first entry that no unit can have. Items of another dimension than the model's
// visible units are not checked here, but where they are compared with.
void fit_to_units(data::Dataset&, Model const&);
// The same for points (point, dimension) of a file, numbered from `first`.
void require_points_of_units(std::vector<float> const& points, Index first, Index dimension, std::string const& where, Model const&);

// Gives a model of units the moments of the training items for its reference (see gibbs_model.hpp), and a memory without patterns the items
// themselves; does nothing for other models.
void take_reference(Model&, data::Dataset const&);
// Likewise for the visible biases of a machine that starts to learn.
void take_biases(Model&, data::Dataset const&);

}  // namespace partita
