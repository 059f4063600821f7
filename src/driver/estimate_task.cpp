// task = "estimate": numbers about the points of a file, under a model where the deck has one.
#include "driver/evaluation.hpp"
#include "driver/registry.hpp"
#include "driver/task.hpp"
#include "driver/units.hpp"
#include "driver/warm_start.hpp"

namespace partita {

Results estimate(RunContext const& c) {
  Timers::Scope const scope(c.timers, "estimators");
  std::unique_ptr<Model> model;
  if (auto const* block = c.deck.find("model"); block && block->given) {
    model = make_model(*block, c.key);
    warm_start(*model, *block, c);
  }
  auto const data = optional_data(c);
  if (model && data) fit_to_units(*data, *model), take_reference(*model, *data);
  return Evaluation{c, model.get(), nullptr, data.get()}.of_input();
}

}  // namespace partita
