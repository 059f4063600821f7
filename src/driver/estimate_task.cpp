// task = "estimate": metrics of the points in a file, with a model if the deck has one.
#include "driver/evaluation.hpp"
#include "driver/task.hpp"

namespace partita {

Results estimate(RunContext const& c) {
  Timers::Scope const scope(c.timers, "estimators");
  return Evaluation{c, c.loaded.model.get(), nullptr, c.loaded.data.get()}.of_input();
}

}  // namespace partita
