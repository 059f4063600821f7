#include "driver/continuation.hpp"

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/build_info.hpp"
#include "core/log.hpp"
#include "core/matrix_product.hpp"
#include "driver/registry.hpp"
#include "io/run_status.hpp"
#include "io/sample_reader.hpp"
#include "io/together.hpp"
#include "objectives/train_options.hpp"

namespace partita {
namespace {

bool is_of(RunDirectory const& directory, CheckpointFile const& file) {
  std::error_code absent;
  return std::filesystem::equivalent(Path(file.path).parent_path(), directory.checkpoints(), absent);
}

// The number of steps of the finished run in the directory, 0 for none. The status is not used: a later attempt may have failed.
Index finished_steps(RunDirectory const& directory) {
  std::error_code absent;
  if (!std::filesystem::exists(directory.summary(), absent)) return 0;
  auto const summary = nlohmann::json::parse(read_text(directory.summary()), nullptr, false);
  bool const done = summary.is_object() && summary.contains("status") && summary.at("status") == "done" && summary.contains("steps") &&
                    summary.at("steps").is_number_integer();
  return done ? summary.at("steps").get<Index>() : 0;
}

// A run in a directory continues from its own checkpoints only, or restarts as the fork that it is. A finished run does not continue from a
// checkpoint before its end, which would remove its results.
CheckpointFile named_checkpoint(Arguments const& a, RunDirectory const& directory, Communicator const& ranks) {
  CheckpointFile const file = find_checkpoint(a.restart_file, ranks);
  if (!directory.has_run(ranks)) return file;
  on_root(ranks, [&] {
    auto const status = read_status(directory);
    bool const same_fork =
        status && !status->fork_of.empty() && status->fork_of == file.path.string() && directory.checkpoint_steps().empty();
    require(is_of(directory, file) || same_fork, ExitCode::usage,
            "{} is a checkpoint of another run than the one in {}, which it would replace; choose another run.output, or continue the "
            "run that is there with --restart auto",
            file.path.string(), directory.root().string());
    Index const finished = finished_steps(directory);
    require(file.step >= finished, ExitCode::usage,
            "{} holds a finished run of {} steps, but {} is of step {}, so that results would be removed; use --restart auto, or choose "
            "another run.output",
            directory.root().string(), finished, file.path.string(), file.step);
  });
  return file;
}

// The checkpoint from which a run continues; none where it starts anew.
std::optional<CheckpointFile> restart_point(Arguments const& a, RunDirectory const& directory, Communicator const& ranks) {
  if (a.restart == Restart::from_file) {
    on_root(ranks, [&] {
      std::error_code absent;
      bool const is_run = std::filesystem::is_directory(a.restart_file, absent),
                 is_checkpoint = std::filesystem::is_regular_file(a.restart_file, absent) &&
                                 std::filesystem::exists(manifest_of(a.restart_file), absent);
      require(is_run || is_checkpoint, ExitCode::data,
              "--restart {}: not auto, required, a checkpoint with its manifest or the directory of a run; the checkpoints of a "
              "run are in its folder checkpoints/",
              a.restart_file);
    });
    return named_checkpoint(a, directory, ranks);
  }
  if (a.restart == Restart::never || !directory.has_run(ranks)) return {};
  auto const newest = newest_valid_checkpoint(directory, ranks);
  require_all(newest || a.restart != Restart::required, ExitCode::data,
              "{} holds no checkpoint to continue from (--restart required); use --restart auto", directory.root().string());
  return newest;
}

// The differences that change results, one line for each.
std::vector<std::string> differences(deck::Document const& running, deck::Document const& wanted) {
  auto found = deck::differences_that_change_results(running, wanted);
  if (auto const before = schedule_length(running), now = schedule_length(wanted); before && now && *before != *now)
    found.push_back(
        fmt::format("train.updates: the learning rate, annealing or layers are laid out over {} updates in the run and {} in the deck; "
                    "train.schedule_updates = {} goes on with their last values",
                    *before, *now, *before));
  return found;
}

// Refuses a deck that differs in anything that changes results from that of the run to be continued.
void require_same_deck(std::string const& text, Path const& source, RunDirectory const& directory, deck::Document const& wanted) {
  auto const different = differences(deck::read(text, source.string(), catalogue()), wanted);
  if (different.empty()) return;
  std::string message = fmt::format(
      "the deck differs from that of the run in {} in keys that change results; change them back, or start a new run (--overwrite, or "
      "another run.output):",
      directory.root().string());
  for (auto const& d : different) message += "\n  " + d;
  fail(ExitCode::usage, message, FailedOn::all_ranks);
}

void require_same_run(Arguments const& a, RunDirectory const& directory, CheckpointFile const& from, deck::Document const& wanted) {
  CheckpointInfo const info = read_checkpoint_info(from);
  require_same_deck(info.deck, from.path, directory, wanted);
  require_all(a.allow_different_machine || info.machine == machine_identity(), ExitCode::usage,
              "{} was written on {}, but this machine is {}: the bits would differ; continue with --allow-different-machine",
              from.path.string(), info.machine, machine_identity());
  require_all(
      info.sampling == sampling_version, ExitCode::data,
      "{} was written by {}, whose sampling version is {}, but this is {} with {}: the run would not continue as it began; continue it "
      "with that version, or start anew with --overwrite",
      from.path.string(), info.code_version, info.sampling, code_version(), sampling_version);
  if (info.code_version != code_version())
    log::warning("{} was written by {}; this is {}", from.path.string(), info.code_version, code_version());
}

// A fork of another task or model would take over next to nothing, at a step that is not its own.
void require_same_kind(Path const& from, deck::Document const& other, deck::Document const& wanted) {
  auto const model = [](deck::Document const& d) {
    auto const* block = d.find("model");
    return block && block->given ? block->type : "";
  };
  require_all(other.task == wanted.task && model(other) == model(wanted), ExitCode::usage,
              "--restart {}: that run has task \"{}\" and model.type = \"{}\", this deck \"{}\" and \"{}\", which cannot go on from its "
              "state; for its parameters alone set model.from to it",
              from.string(), other.task, model(other), wanted.task, model(wanted));
}

// A fork takes over another run's state, and its deck may differ. Results need not have the bits of that run, so that the machine does not
// matter.
Start start_of_fork(CheckpointFile const& from, deck::Document const& wanted) {
  CheckpointInfo const info = read_checkpoint_info(from);
  require_all(info.sampling == sampling_version, ExitCode::data,
              "{} was written by {}, whose checkpoints {} cannot continue; start from its parameters instead (model.from)",
              from.path.string(), info.code_version, code_version());
  deck::Document const other = deck::read(info.deck, from.path.string(), catalogue());
  require_same_kind(from.path, other, wanted);
  Start start{from, true, {"samples/", "history/", "train/rollbacks"}, differences(other, wanted)};
  for (std::string const& d : start.different) log::info("differs from {}: {}", from.path.string(), d);
  bool const other_sampler =
      std::any_of(start.different.begin(), start.different.end(), [](std::string const& d) { return d.starts_with("sampler."); });
  if (other_sampler) start.left_out.push_back("sampler/");
  return start;
}

// A run that left no checkpoint starts anew, or continues with the estimators that it has not finished, provided that no results are lost
// and it is the same run.
void require_unfinished(RunDirectory const& directory, Communicator const& ranks, deck::Document const& wanted) {
  std::string running;
  on_root(ranks, [&] {
    auto const status = read_status(directory);
    require(status && status->status != "done" && !std::filesystem::exists(directory.summary()), ExitCode::usage,
            "{} holds {} and no checkpoint to continue from; remove them with --overwrite, or choose another run.output",
            directory.root().string(), status ? "results" : "files of a run, no status that tells how it ended,");
    require(status->fork_of.empty(), ExitCode::usage,
            "{} is a fork of {} that ended before its first checkpoint; begin it again with --restart {}", directory.root().string(),
            status->fork_of, status->fork_of);
    if (std::filesystem::exists(directory.deck())) running = read_text(directory.deck());
  });
  ranks.broadcast(running);
  if (!running.empty() && directory.has_results(ranks)) require_same_deck(running, directory.deck(), directory, wanted);
  if (wanted.at("run").as<RunOptions>().task != "estimate")
    log::warning("the run in {} ended before its first checkpoint: starting from step 0", directory.root().string());
}

// Which files of the samples are missing although others exist; empty: none.
std::string what_samples_lack(RunDirectory const& directory) {
  auto const parts = directory.part_numbers(".h5"), manifests = directory.part_numbers(".manifest");
  if (parts != manifests)
    return fmt::format("{} holds {} parts and {} manifests", directory.samples().string(), parts.size(), manifests.size());
  std::error_code absent;
  if (!std::filesystem::exists(directory.all_samples(), absent))
    return parts.empty() ? "" : fmt::format("{} is missing", directory.all_samples().string());
  try {
    SampleReader const whole(directory.all_samples());
  } catch (Failure const& failure) {
    return failure.what();
  }
  return {};
}

// Quotes an argument for a shell.
std::string quoted(std::string const& text) {
  std::string out = "'";
  for (char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

// Whether the deck that the run recorded is this one, with former names of keys or types.
bool was_called(std::string const& resolved, RunStatus const& status, RunDirectory const& directory) {
  if (!std::filesystem::exists(directory.deck())) return false;
  std::string const recorded = read_text(directory.deck());
  return status.deck_hash == hash_of_deck(recorded) &&
         resolved == deck::resolved(deck::read(recorded, directory.deck().string(), catalogue()));
}

}  // namespace

bool is_done(RunDirectory const& directory, std::string const& resolved, Communicator const& ranks) {
  bool done = false;
  on_root(ranks, [&] {
    auto const status = read_status(directory);
    done = status && status->status == "done" && std::filesystem::exists(directory.summary()) &&
           (status->deck_hash == hash_of_deck(resolved) || was_called(resolved, *status, directory));
    if (auto const lack = done ? what_samples_lack(directory) : ""; !lack.empty()) {
      log::warning("{}, though the run in {} is done", lack, directory.root().string());
      done = false;
    }
  });
  return ranks.any(done);
}

Start find_start(Arguments const& a, RunDirectory const& directory, deck::Document const& wanted, Communicator const& ranks) {
  auto const from = restart_point(a, directory, ranks);
  if (from && !ranks.any(ranks.is_root() && is_of(directory, *from))) return start_of_fork(*from, wanted);
  if (from) require_same_run(a, directory, *from, wanted);
  else if (a.restart != Restart::never && directory.has_run(ranks)) require_unfinished(directory, ranks, wanted);
  return {from};
}

std::optional<CheckpointFile> rollback_target(RunContext const& c, std::optional<Index> last_target) {
  auto const every = c.deck.at("checkpoint").as<CheckpointOptions>().every_steps();
  std::vector<Index> steps;
  on_root(c.ranks, [&] {
    for (Index step : c.directory.checkpoint_steps())
      if (!every || step % *every == 0) steps.push_back(step);
    if (last_target && steps.size() > 1 && steps.front() == *last_target) steps.erase(steps.begin());
  });
  Index const target = c.ranks.all_reduce(steps.empty() ? Index{-1} : steps.front(), Reduction::maximum);
  if (target < 0) return newest_valid_checkpoint(c.directory, c.ranks);
  return find_checkpoint(c.directory.checkpoint(target), c.ranks);
}

void advise_fork(Arguments const& a, RunContext const& c) {
  auto const steps = c.ranks.is_root() ? c.directory.checkpoint_steps() : std::vector<Index>{};
  if (steps.empty()) return;
  Index const from = steps[std::min<std::size_t>(1, steps.size() - 1)];
  deck::Block const *const optimizer = c.deck.find("optimizer"), *const sampler = c.deck.find("sampler");
  std::string command = "partita run " + quoted(a.deck);
  for (std::string const& o : a.overrides) command += " --set " + quoted(o);
  command += fmt::format(" --restart {} --set {}", quoted(c.directory.checkpoint(from).string()),
                         quoted("run.output=" + c.options.output + ".fork"));
  if (c.options.task == "train" && optimizer)
    command += fmt::format(" --set optimizer.learning_rate={:.3g}", optimizer->as<OptimizerOptions>().learning_rate / 2);
  else if (sampler)
    if (auto const* step = sampler->find("step_size"))
      command += fmt::format(" --set sampler.step_size={:.3g}", std::get<double>(step->value) / 2);
  log::info("to go on from the checkpoint of step {} with other settings:\n  {}{}", from, command,
            c.options.task == "train" && c.deck.at("train").as<TrainOptions>().on_divergence == "stop"
                ? "\nor let the training itself go back: --set train.on_divergence=rollback"
                : "");
}

}  // namespace partita
