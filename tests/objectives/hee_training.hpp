// Local learning of an Hee, one update after the other, as task = "train" makes it.
#pragma once
#include "objectives/hee_local.hpp"
#include "optimizers/sgd.hpp"

namespace partita::test {

struct HeeTraining {
  data::Dataset set;
  data::Batches batches;
  Hee model;
  HeeLocal objective;
  Sgd optimizer;
  Timers timers;

  HeeTraining(std::vector<float> points, Hee const& hee, HeeLangevinOptions const& dynamics, HeeLocalOptions const& local, Index batch,
              random::Key key, Index width = 128, InitialDistribution const& initial = {}, Summation summation = Summation::reproducible)
      : set({{"test", std::ssize(points) / hee.dimension(), {hee.dimension()}, std::move(points)}, 0, {}}, {}, key),
        batches(set, batch, key),
        model(hee),
        objective(model, dynamics, local, batches, Communicator::world(), summation, key, width, initial),
        optimizer({}, extent(model.parameters(), 0)) {}

  // The rule itself: learning rate 1.
  void apply(Vector gradient) {
    optimizer.update(model.parameters(), gradient, 1);
    model.parameters_changed();
  }
  void run(Index first, Index updates) {
    for (Index update = first; update < first + updates; update++) apply(objective.gradient(update, timers));
  }
};

}  // namespace partita::test
