// [train]: the updates of a training run.
#pragma once
#include <string>

#include "core/types.hpp"
#include "deck/document.hpp"
#include "deck/schema.hpp"

namespace partita {

struct TrainOptions {
  Index batch = 256;
  Index updates = 10000;
  Index schedule_updates = 0;
  double average_decay = 0.999;
  std::string on_divergence = "stop";
  Index rollbacks = 5;
  std::string keep_best = "never";
  Index validate_every = 500;
  Index validation_points = 1000;
  // Number of updates over which learning rates, annealing and layers are scheduled, for any length of the run.
  Index schedule_length() const { return schedule_updates > 0 ? schedule_updates : updates; }
};
deck::Section train_section();
Index batch_of(deck::Document const&);

}  // namespace partita
