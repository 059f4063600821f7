#include "driver/settings.hpp"

#include <charconv>

#include "core/require.hpp"
#include "deck/duration.hpp"
#include "samplers/chain_options.hpp"

namespace partita {
namespace {

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
