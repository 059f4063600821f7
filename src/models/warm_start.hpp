// Reads parameters that another run has learnt.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "comm/communicator.hpp"
#include "deck/schema.hpp"
#include "io/checkpoint.hpp"
#include "io/inputs.hpp"
#include "models/model.hpp"

namespace partita {

struct WarmStart {
  std::string from;
};

// Reads model.from: a run directory or a checkpoint file, the parameters that run uses for its samples (best, else averaged, else last); or
// any other HDF5 file with a dataset for each of the model's parameter blocks, by its name; "W", "a" and "b" are those of machines, too.
// Failure(usage) for a model without parameters, Failure(data) for a wrong number or shape of them. What was read is among
// `inputs`. Returns the checkpoint, if it was one. Collective.
std::optional<CheckpointFile> warm_start(Model&, deck::Block const& model, Communicator const&, Inputs& inputs);

// All parameters that trajectory_tempering kept in the training run of this directory or checkpoint, its start first. Failure(data) where
// it kept none. Collective.
std::vector<std::vector<Real>> kept_parameters(std::string const& from, Communicator const&);

}  // namespace partita
