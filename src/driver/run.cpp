#include "driver/run.hpp"

#include <cmath>
#include <filesystem>

#include "comm/watchdog.hpp"
#include "core/build_info.hpp"
#include "core/device_access.hpp"
#include "core/log.hpp"
#include "core/matrix_product.hpp"
#include "core/memory.hpp"
#include "core/printable.hpp"
#include "deck/duration.hpp"
#include "driver/continuation.hpp"
#include "driver/fitting.hpp"
#include "driver/progress.hpp"
#include "driver/registry.hpp"
#include "driver/stop.hpp"
#include "driver/summary.hpp"
#include "driver/task.hpp"
#include "io/status_record.hpp"
#include "io/together.hpp"

namespace partita {
namespace {

class Loop {
 public:
  Loop(RunContext const& context, StatusRecord const& status, Task& task, CheckpointOptions checkpoint, StopConditions& conditions)
      : context_(context),
        status_(status),
        task_(task),
        checkpoint_(std::move(checkpoint)),
        conditions_(conditions),
        progress_(context.ranks, task.total(), task.chain_steps_per_step(), context.options.task == "train" ? "update" : "step") {}

  void restore(CheckpointFile const& from) {
    require_all(from.step <= task_.total(), ExitCode::usage,
                "{} is at step {} already, but the deck has {} steps in all; set {} or more, or give the shorter run another run.output",
                from.path.string(), from.step, task_.total(), from.step);
    context_.inputs.require_same(read_checkpoint_info(from).inputs, from.path.string());
    together(context_.ranks, [&] { task_.size_state(from); });
    read_checkpoint(from, context_.ranks, state());
    step_ = saved_ = from.step;
    task_.verify();
    remove_later_checkpoints(context_.directory, context_.ranks, step_);
    task_.restored(step_);
    log::info("continuing from {} (step {} of {})", from.path.string(), step_, task_.total());
  }

  // Starts from another run's checkpoint: samples, history and the other groups that are left out begin here.
  void fork(Start const& start) {
    CheckpointFile const& from = *start.from;
    require_all(from.step < task_.total(), ExitCode::usage,
                "{} is of step {}, but the deck has {} steps in all: a run that begins there has nothing to do; set more steps, or begin "
                "from an earlier checkpoint",
                from.path.string(), from.step, task_.total());
    std::vector<std::string> absent;
    try {
      absent = read_checkpoint_in_part(from, context_.ranks, state().without(start.left_out));
    } catch (Failure const& f) {
      if (f.code() != ExitCode::data || start.different.empty()) throw;
      fail(ExitCode::usage,
           fmt::format("{}; a fork keeps the sizes of the run from which it begins, but the decks differ in\n  {}", f.what(),
                       fmt::join(start.different, "\n  ")),
           f.where(), f.location(), f.shutdown());
    }
    for (std::string const& name : absent) log::warning("{} has no {}, which keeps its initial value", from.path.string(), name);
    step_ = from.step;
    task_.forked(step_);
    log::info("a fork of {} (step {} of {})", from.path.string(), step_, task_.total());
  }

  // True at the end, false where it stopped early with a checkpoint.
  bool run() {
    Index longest = 1;  // steps of a block, so that signals are answered in time; results do not depend on it
    progress_.start(step_);
    if (step_ > 0 || task_.most_rollbacks() > 0) save();  // a fork, or a starting point to which the training may go back
    if (step_ == 0) task_.at_boundary(0);
    while (step_ < task_.total()) {
      Index const steps = std::min({task_.next_boundary(step_) - step_, longest, task_.total() - step_, steps_to_checkpoint()});
      double const before = conditions_.elapsed();
      task_.advance(step_, steps);
      step_ += steps;
      context_.gain.made = true;
      if (step_ == task_.total() || step_ == next_task_boundary_after(step_ - 1)) task_.at_boundary(step_);
      Decision const d = conditions_.decide(step_, conditions_.elapsed() - before);
      longest = std::max<Index>(1, Index(std::ceil(double(std::max(steps, Index{1})) * d.longer_blocks)));
      if (d.checkpoint && step_ < task_.total()) save();
      if (d.progress) progress_.show(step_, task_.progress());
      if (d.stop && step_ < task_.total()) {
        reason_ = d.reason;
        return false;
      }
    }
    progress_.show(step_, task_.progress());
    save();
    return true;
  }

  Index step() const { return step_; }
  std::string const& reason() const { return reason_; }
  Progress const& progress() const { return progress_; }

 private:
  Index next_task_boundary_after(Index step) const { return task_.next_boundary(step); }
  Index steps_to_checkpoint() const {
    auto const every = checkpoint_.every_steps();
    return every ? *every - step_ % *every : task_.total();
  }
  State state() const {
    State described;
    task_.describe_state(described);
    return described;
  }
  void save() {
    if (saved_ == step_) return;
    Timers::Scope const scope(context_.timers, "checkpoint");
    double const before = conditions_.elapsed();
    status_.confirm();
    task_.flush(step_);
    write_checkpoint(context_.directory, context_.ranks, state(),
                     {step_, context_.provenance.deck, hash_of_deck(context_.provenance.deck), code_version(), machine_identity(),
                      context_.options.seed, sampling_version, context_.inputs.text()},
                     checkpoint_.keep, task_.may_be_nonfinite());
    conditions_.checkpoint_took(conditions_.elapsed() - before);
    on_root(context_.ranks, [&] { status_.write_saved(step_); });
    saved_ = step_;
  }

  RunContext const& context_;
  StatusRecord const& status_;
  Task& task_;
  CheckpointOptions checkpoint_;
  StopConditions& conditions_;
  Progress progress_;
  Index step_ = 0, saved_ = -1;
  std::string reason_;
};

std::unique_ptr<Task> make_task(RunContext const& c) {
  if (c.options.task == "train") return make_train_task(c);
  if (c.options.task == "generate") return make_generate_task(c);
  return make_sample_task(c);
}

double walltime(RunOptions const& o) { return o.walltime.empty() ? 0 : deck::seconds(o.walltime); }

// For the time in which the run has no results beyond the checkpoint of this step (step 0: beyond the deck).
std::unique_ptr<StopImmediately> nothing_to_save(RunContext const& c, StatusRecord const& status, Index step) {
  std::optional<StopImmediately::Clock::time_point> deadline;
  if (double const limit = walltime(c.options); limit > 0)
    deadline = program_start() + std::chrono::duration_cast<StopImmediately::Clock::duration>(
                                     std::chrono::duration<double>(limit - std::min(10., limit / 10)));
  using Cause = StopImmediately::Cause;
  return std::make_unique<StopImmediately>(deadline, [&c, &status, step, root = c.ranks.is_root()](Cause cause, std::string const& reason) {
    if (cause == Cause::out_of_time && c.gain.stopped_by_limit_before && !c.gain.made) {
      std::string const why = reason +
                              ", as before, and nothing was finished in between: the same command would end here for ever; give it " +
                              "a longer run.walltime, or less to do in this phase";
      if (root) log::error_line(why);
      status.write_end("failed", ExitCode::usage, why);
      return ExitCode::usage;
    }
    if (root) log::info("\nstopped at step {} ({}): the same command continues from there, with --restart auto", step, reason);
    status.write_early_stop(reason, step);
    return ExitCode::stopped_early;
  });
}

// One attempt at a run's steps, with everything that was built for it.
struct Attempt {
  std::unique_ptr<Task> task;
  StopConditions conditions;
  Loop loop;

  Attempt(RunContext const& c, StatusRecord const& status)
      : task(make_task(c)),
        conditions(c.ranks, walltime(c.options), c.deck.at("checkpoint").as<CheckpointOptions>(),
                   log::on_terminal() ? 1 : deck::seconds(c.deck.at("output").as<OutputOptions>().progress)),
        loop(c, status, *task, c.deck.at("checkpoint").as<CheckpointOptions>(), conditions) {}
  void begin(Start const& start) {
    if (!start.from) task->restored(0);
    else if (start.fork) loop.fork(start);
    else loop.restore(*start.from);
  }
};

// Runs the steps to their end, or until they stop early. A training that diverges goes back to its last checkpoint with smaller steps, as
// often as it is allowed to, in the same way in which a run continues.
std::pair<std::unique_ptr<Attempt>, bool> run_to_end(RunContext const& context, Start start, StatusRecord const& status) {
  std::optional<Index> last_target;
  for (Index here = 0, before = 0;; here++) {
    auto setting_up = nothing_to_save(context, status, start.from ? start.from->step : 0);
    auto attempt = std::make_unique<Attempt>(context, status);
    attempt->begin(start);
    if (here == 0) before = attempt->task->rollbacks();
    else attempt->task->set_rollbacks(before + here);
    setting_up.reset();
    try {
      bool const done = attempt->loop.run();
      return {std::move(attempt), done};
    } catch (Failure const& f) {
      bool const may =
          f.code() == ExitCode::numerical && f.where() == FailedOn::all_ranks && before + here < attempt->task->most_rollbacks();
      if (!may) throw;
      log::warning("{}", f.what());
    }
    attempt.reset();
    start = {rollback_target(context, last_target)};
    if (start.from) last_target = start.from->step;
    log::warning("going back to {} with half the learning rate (train.on_divergence)",
                 start.from ? "step " + std::to_string(start.from->step) : "the start");
  }
}

// Collective: the last status of the run in this directory; empty where there is none.
struct PreviousStatus {
  std::string reason, fork_of;
  std::optional<RunStatus> finished;  // on the root: of a run that was done, with its deck
  std::string deck;
};
PreviousStatus read_previous_status(RunDirectory const& directory, Communicator const& ranks) {
  PreviousStatus last;
  on_root(ranks, [&] {
    auto const status = read_status(directory);
    if (!status) return;
    last = {status->reason, status->fork_of, {}, {}};
    if (status->status != "done" || !std::filesystem::exists(directory.deck())) return;
    last.finished = status;
    last.deck = read_text(directory.deck());
  });
  ranks.broadcast(last.reason);
  ranks.broadcast(last.fork_of);
  return last;
}
// Called by the root: whether a failure left a finished run unchanged; if so, restores its deck and status.
bool stays_finished(RunDirectory const& directory, PreviousStatus const& last, Failure const& failure, bool continues, bool gained) {
  bool const refused = failure.code() == ExitCode::usage || failure.code() == ExitCode::data;
  if (!last.finished || !refused || !continues || gained) return false;
  directory.write_deck(last.deck);
  write_status(directory, *last.finished);
  return true;
}

// Called once the metrics are in summary.json.
void forget_finished_estimators(RunContext const& c) {
  on_root(c.ranks, [&] { std::filesystem::remove(c.directory.finished_estimators()); });
}

int run_steps(RunContext const& context, Start const& start, StatusRecord const& status, EndRecorder& last_words) {
  auto const [attempt, done] = run_to_end(context, start, status);
  Loop const& loop = attempt->loop;
  Results results;
  if (done) {
    auto const finishing = nothing_to_save(context, status, loop.step());
    Timers::Scope const scope(context.timers, "estimators");
    results = attempt->task->finish();
  } else {
    attempt->task->show_draws();
  }
  last_words.end();
  summarise(context, done ? "done" : "stopped early", loop.step(), loop.progress().chain_steps(loop.step()), results);
  if (std::string const counts = device_counts(); !counts.empty()) log::info("{}", counts);
  ExitCode const code = done ? ExitCode::done : ExitCode::stopped_early;
  status.write(done ? "done" : "stopped early", code, loop.reason(), loop.step());
  if (done) forget_finished_estimators(context);
  if (!done)
    log::info("stopped at step {} ({}) with a checkpoint: the same command continues from there, with --restart auto", loop.step(),
              loop.reason());
  else log::info("results are in {}", context.directory.root().string());
  return int(code);
}

// Loads what the deck names, and reports warnings about it once. The task makes its models itself, except in an estimate.
Loaded load_for(RunContext const& c) {
  Loaded loaded = load_and_check(c.deck, LookAt::files_for_run, c.ranks, c.inputs);
  if (loaded.data)
    for (std::string const& w : loaded.data->warnings()) log::warning("{}", w);
  for (std::string const& source : c.inputs.sources()) log::info("{}", source);
  if (c.options.task != "estimate") loaded.model.reset(), loaded.target.reset();
  loaded.earlier_parameters.reset();
  return loaded;
}

// With PARTITA_CHECK_IS_COMPLETE=1 in the environment, which tests set, a deck that is refused after its check is a bug.
Failure as_internal_if_checked(Failure const& f) {
  char const* const asked = std::getenv("PARTITA_CHECK_IS_COMPLETE");
  if (f.code() != ExitCode::usage || !asked || std::string_view(asked) != "1") return f;
  return {ExitCode::internal, fmt::format("refused after its check: {}", f.what()), f.where(), f.location(), f.shutdown()};
}

}  // namespace

int run(Arguments const& a, Communicator const& ranks) {
  deck::Document const deck = without_mistakes(read_deck(a, a.deck, ranks), LookAt::files, ranks);  // before there is a directory
  for (auto const& w : deck.warnings) log::warning("{}: {}", deck::to_string(w.at), w.text);
  auto const options = deck.at("run").as<RunOptions>();
  Watchdog::of_process().set_limit(Watchdog::Seconds(deck::seconds(options.watchdog)));
  RunDirectory const directory(options.output);
  require_all(a.restart != Restart::required || directory.has_run(ranks), ExitCode::data,
              "{} holds no run to continue (--restart required); start it without --restart", directory.root().string());
  directory.create(ranks);
  RunLock const lock(directory, ranks);
  require_all(a.overwrite || a.restart != Restart::never || !directory.has_results(ranks), ExitCode::usage,
              "{} holds a run already; continue it with --restart auto, replace it with --overwrite, or set another run.output",
              directory.root().string());
  std::string const resolved = deck::resolved(deck);
  bool const may_be_done = a.restart == Restart::automatic || a.restart == Restart::required;
  if (may_be_done && is_done(directory, resolved, ranks)) {
    log::info("{} is done: nothing to do", directory.root().string());
    return int(ExitCode::done);
  }
  Start const start = find_start(a, directory, deck, ranks);
  auto const& from = start.from;

  directory.remove_unfinished(ranks);
  // The status first: from here on the directory is this deck's, and an earlier end is no longer true.
  PreviousStatus const last = read_previous_status(directory, ranks);
  StatusRecord const status(directory, lock, ranks, resolved, start.fork ? from->path.string() : from ? last.fork_of : "");
  on_root(ranks, [&] { status.write("running", {}, "", from ? from->step : 0); });
  Timers timers;
  Inputs inputs;
  Loaded loaded;
  Gain gain;
  gain.stopped_by_limit_before = last.reason.starts_with(wall_clock_limit);
  RunContext const context{
      ranks,  deck,   options, directory, {resolved, code_version(), version(), options.seed}, random::make_key(options.seed),
      timers, inputs, loaded,  gain};
  EndRecorder last_words(
      [&status](std::optional<ExitCode> code, std::string const& reason) { status.write_end(code ? "failed" : "died", code, reason); });
  bool checked = false;
  // Results of estimators that have finished are kept.
  bool const begins_anew = !from && (options.task != "estimate" || a.overwrite);
  bool replaces = begins_anew && directory.has_results(ranks);  // an earlier run's results stay until this one has been checked
  try {
    auto const begin = [&] {
      if (begins_anew) directory.remove_run(ranks);
      replaces = false;
      on_root(ranks, [&] { directory.write_deck(resolved); });
      log::open_file(directory.log().string());
      log::info("{}{}{}", printable(deck.title), deck.title.empty() ? "" : "\n",
                fmt::format("Partita {}, {} rank{}, {}", code_version(), ranks.ranks(), ranks.ranks() > 1 ? "s" : "", machine_identity()));
      if (ranks.compares_calls()) log::info("the ranks compare their collective calls (PARTITA_CHECK_COLLECTIVES)");
    };
    bool const begins_after_check = replaces;
    if (!begins_after_check) begin();
    {
      auto const loading = nothing_to_save(context, status, from ? from->step : 0);
      with_memory_failures([&] { loaded = load_for(context); });
    }
    if (begins_after_check) begin();
    checked = !from;  // what a check cannot know is how far an earlier run has come
    if (options.task != "estimate") return with_memory_failures([&] { return run_steps(context, start, status, last_words); });
    Results const results = [&] {
      auto const computing = nothing_to_save(context, status, 0);
      return with_memory_failures([&] { return estimate(context); });
    }();
    last_words.end();
    summarise(context, "done", 0, 0, results);
    status.write("done", ExitCode::done, "", 0);
    forget_finished_estimators(context);
    log::info("results are in {}", directory.root().string());
    return int(ExitCode::done);
  } catch (Failure const& failure) {
    Failure const f = checked ? as_internal_if_checked(failure) : failure;
    // The status gives the reason even if a launcher garbles the exit code. The rank that knows it need not be the root.
    last_words.end();
    if (f.code() == ExitCode::numerical && f.where() == FailedOn::all_ranks && f.shutdown() == Shutdown::orderly) advise_fork(a, context);
    if (f.where() == FailedOn::all_ranks && !ranks.is_root()) throw f;
    try {
      bool const continues = from.has_value() && !start.fork;
      if (!stays_finished(directory, last, f, continues || replaces, gain.made)) status.write_end("failed", f.code(), f.what());
    } catch (Failure const& unwritten) {
      log::error("{}", unwritten.what());
    }
    throw f;
  }
}

}  // namespace partita
