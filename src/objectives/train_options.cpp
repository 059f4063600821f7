#include "objectives/train_options.hpp"

#include "samplers/chain_options.hpp"

namespace partita {

Index batch_of(deck::Document const& deck) { return deck.at("train").as<TrainOptions>().batch; }

deck::Section train_section() {
  using O = TrainOptions;
  return {
      .name = "train",
      .doc = "the updates of a training run",
      .common = {deck::key("batch", &O::batch, "data items, and chains, of each update, over all MPI ranks").at_least(1),
                 deck::key("updates", &O::updates, "number of updates").at_least(0).at_most(most_steps).free_on_restart(),
                 deck::key(
                     "schedule_updates", &O::schedule_updates,
                     "updates over which optimizer.schedule, annealing and the layers of greedy_cd are laid out, with their last values "
                     "afterwards; 0: as many as train.updates. A run that is to be lengthened later needs its final length here")
                     .at_least(0)
                     .free_on_restart(),  // lengths of both runs are compared, as far as anything depends on them
                 deck::key(
                     "average_decay", &O::average_decay,
                     "decay rate of the running mean of the parameters, which samples and estimates use; 0: they use the last parameters")
                     .at_least(0)
                     .below(1)
                     .formerly("average"),
                 deck::key("on_divergence", &O::on_divergence,
                           "what happens when training diverges: stop ends it with exit code 5, rollback goes on from the last checkpoint "
                           "with half the learning rate")
                     .one_of({"stop", "rollback"})
                     .free_on_restart(),
                 deck::key("rollbacks", &O::rollbacks, "number of rollbacks before training stops")
                     .at_least(1)
                     .at_most(30)
                     .only_with("on_divergence", {"rollback"})
                     .free_on_restart(),
                 deck::key("keep_best", &O::keep_best,
                           "which parameters samples and estimates use: never, those at the end; validation, those whose chains came "
                           "nearest to the validation items (energy distance)")
                     .one_of({"never", "validation"}),
                 deck::key("validate_every", &O::validate_every, "updates between two validations")
                     .at_least(1)
                     .at_most(most_steps)
                     .only_with("keep_best", {"validation"}),
                 deck::key("validation_points", &O::validation_points, "numbers of chains and of validation items that are compared")
                     .at_least(2)
                     .only_with("keep_best", {"validation"})},
      .tasks = {"train"},
      .required_for = {"train"}};
}

}  // namespace partita
