#include "driver/settings.hpp"

#include <charconv>

#include "core/require.hpp"
#include "deck/duration.hpp"
#include "samplers/flow_generator.hpp"
#include "samplers/hee_langevin.hpp"

namespace partita {
namespace {

// Bounds for large keys: products with a model's dimension stay within 64 bits, and random numbers suffice.
constexpr double most_chains = 4294967296, most_steps = 1099511627776;

// The number in "1000 steps" or "1000 updates".
std::optional<Index> counted(std::string const& text) {
  Index n = 0;
  auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
  std::string const rest(end, text.data() + text.size());
  if (error != std::errc() || n < 1 || (rest != " steps" && rest != " updates")) return {};
  return n;
}

std::string reason_against_interval(deck::Value const& v) {
  if (counted(std::get<std::string>(v))) return "";
  std::string const reason = deck::reason_against_duration(v);
  return reason.empty() ? "" : reason + ", or a number of steps such as \"1000 steps\"";
}

std::string reason_against_limit(deck::Value const& v) {
  std::string const reason = deck::reason_against_duration(v);
  if (!reason.empty() || deck::seconds(std::get<std::string>(v)) >= 1) return reason;
  return "must be at least 1 s";
}

std::string reason_against_optional_limit(deck::Value const& v) { return std::get<std::string>(v).empty() ? "" : reason_against_limit(v); }

}  // namespace

deck::Section run_section() {
  using O = RunOptions;
  return {.name = "run",
          .doc = "what to do, and where its files go",
          .common = {deck::key("task", &O::task,
                               "sample: Markov chains of the model; train: learn its parameters; generate: samples by the model's own "
                               "generator; estimate: numbers about a model, data or stored samples")
                         .required()
                         .one_of({"sample", "train", "generate", "estimate"}),
                     deck::key("seed", &O::seed, "seed of all random numbers of the run").at_least(0),
                     deck::key("output", &O::output, "directory of the run, into which everything is written").required().free_on_restart(),
                     deck::key("reproducible", &O::reproducible,
                               "whether training gives the same bits on any number of MPI ranks; sampling always does")
                         .for_tasks({"train"}),
                     deck::key("walltime", &O::walltime,
                               "stop with a checkpoint before this much time has passed, such as \"2h\"; empty: no limit")
                         .checked_by(reason_against_optional_limit)
                         .free_on_restart(),
                     deck::key("watchdog", &O::watchdog,
                               "when MPI ranks have waited this long for one that does not answer, or all for each other, the job ends "
                               "with exit code 7; a rank that waits for storage is given six times as long, one that computes any time")
                         .checked_by(reason_against_limit)
                         .free_on_restart()},
          .required_for = {"sample", "train", "generate", "estimate"}};
}

InitialDistribution ChainOptions::distribution() const {
  InitialState const kind = initial == "uniform" ? InitialState::uniform : initial == "zero" ? InitialState::zero : InitialState::normal;
  return {kind, initial_scale, initial_centre};
}

Index hee_width(Index asked, Index chains) { return asked > 0 ? asked : std::min(hee_tile_width, round_up(chains, lane_quantum)); }

Index flow_width(Index asked, Index samples) { return asked > 0 ? asked : std::min(flow_tile_width, round_up(samples, lane_quantum)); }

Index ChainOptions::width(Index of_chains, Index dimension, Index rows_per_dimension) const {
  return tile_width > 0 ? tile_width : default_tile_width(of_chains, dimension, rows_per_dimension);
}

std::vector<deck::Key> chain_keys() {
  using O = ChainOptions;
  return {deck::key("chains", &O::chains, "number of parallel chains").at_least(1).at_most(most_chains).for_tasks({"sample"}),
          deck::key("steps", &O::steps, "steps of each chain, warm-up included")
              .at_least(0)
              .at_most(most_steps)
              .for_tasks({"sample"})
              .free_on_restart(),
          deck::key("warmup", &O::warmup,
                    "first steps of each chain, from which nothing is kept; samplers tune their step size, masses and ladder in them")
              .at_least(0)
              .at_most(most_steps)
              .for_tasks({"sample"}),
          deck::key("thin", &O::thin, "steps between two kept draws; draws = (steps - warmup) / thin")
              .at_least(1)
              .at_most(most_steps)
              .for_tasks({"sample"}),
          deck::key("tile_width", &O::tile_width, "chains that are computed together, a tile; 0: by their number and the dimension")
              .at_least(0)
              .multiple_of(lane_quantum),
          deck::key("initial", &O::initial,
                    "how each coordinate of a chain starts: normal, initial_centre + initial_scale N(0,1); uniform, initial_centre + "
                    "initial_scale U(-1,1); zero, initial_centre")
              .one_of({"normal", "uniform", "zero"}),
          deck::key("initial_scale", &O::initial_scale, "scale of the initial distribution").at_least(0),
          deck::key("initial_centre", &O::initial_centre, "centre of the initial distribution"),
          deck::key("on_nonfinite", &O::on_nonfinite,
                    "what happens when a chain is no longer finite: stop ends the run with exit code 5, reinitialize starts that chain "
                    "anew and counts it among the warnings")
              .one_of({"stop", "reinitialize"})
              .for_tasks({"sample"})};
}

std::vector<deck::Key> generator_keys() {
  using O = GeneratorOptions;
  return {deck::key("samples", &O::samples, "number of samples").at_least(1).at_most(most_chains),
          deck::key("tile_width", &O::tile_width, "samples that are computed together, a tile; 0: by their number and the dimension")
              .at_least(0)
              .multiple_of(lane_quantum)};
}

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
                     "afterwards; 0: updates. A run that is to be lengthened later needs its final length here")
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
                 deck::key("rollbacks", &O::rollbacks, "on_divergence = \"rollback\": number of rollbacks before training stops")
                     .at_least(1)
                     .at_most(30)
                     .free_on_restart(),
                 deck::key("keep_best", &O::keep_best,
                           "which parameters samples and estimates use: never, those at the end; validation, those whose chains came "
                           "nearest to the validation items (energy distance)")
                     .one_of({"never", "validation"}),
                 deck::key("validate_every", &O::validate_every, "keep_best = \"validation\": updates between two validations")
                     .at_least(1)
                     .at_most(most_steps),
                 deck::key("validation_points", &O::validation_points,
                           "keep_best = \"validation\": numbers of chains and of validation items that are compared")
                     .at_least(2)},
      .tasks = {"train"},
      .required_for = {"train"}};
}

deck::Section output_section() {
  using O = OutputOptions;
  return {
      .name = "output",
      .doc = "what a run writes while it goes on",
      .common = {deck::key("history_every", &O::history_every, "steps or updates between two rows of history.h5; 0: about 500 rows")
                     .at_least(0)
                     .at_most(most_steps),
                 deck::key("samples_every", &O::samples_every, "updates between two kept snapshots of the chains; 0: the final chains only")
                     .at_least(0)
                     .at_most(most_steps)
                     .for_tasks({"train"}),
                 deck::key("draws_per_part", &O::draws_per_part, "draws in each sample file; 0: as many as make about 32 MiB")
                     .at_least(0)
                     .for_tasks({"sample", "train", "generate"}),
                 deck::key("progress", &O::progress, "time between two progress lines in a log (a terminal shows one every second)")
                     .checked_by(deck::reason_against_duration)
                     .free_on_restart()}};
}

deck::Section checkpoint_section() {
  using O = CheckpointOptions;
  return {.name = "checkpoint",
          .doc = "when the state is saved",
          .common = {deck::key("every", &O::every, "interval between two checkpoints: a time such as \"5min\", or \"1000 steps\"")
                         .checked_by(reason_against_interval)
                         .free_on_restart(),
                     deck::key("keep", &O::keep, "number of checkpoints kept").at_least(2).free_on_restart()},
          .tasks = {"sample", "train", "generate"}};
}

std::optional<Index> CheckpointOptions::every_steps() const { return counted(every); }

std::optional<double> CheckpointOptions::every_seconds() const {
  if (every_steps()) return {};
  return deck::seconds(every);
}

}  // namespace partita
