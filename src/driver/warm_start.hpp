// Parameters that another run has learnt.
#pragma once
#include <string>

#include "comm/communicator.hpp"
#include "deck/schema.hpp"
#include "models/model.hpp"

namespace partita {

struct WarmStart {
  std::string from;
};

// Reads model.from, a run directory or a checkpoint file: the parameters that run uses for its samples (best, else averaged, else last).
// Failure(usage) for a model without parameters, Failure(data) for a wrong number of them. Collective.
void warm_start(Model&, deck::Block const& model, Communicator const&);

}  // namespace partita
