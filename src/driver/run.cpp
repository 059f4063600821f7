#include "driver/run.hpp"

#include <cmath>
#include <filesystem>

#include "comm/phase_table.hpp"
#include "comm/watchdog.hpp"
#include "core/build_info.hpp"
#include "core/log.hpp"
#include "core/matrix_product.hpp"
#include "core/memory.hpp"
#include "core/printable.hpp"
#include "deck/duration.hpp"
#include "driver/progress.hpp"
#include "driver/registry.hpp"
#include "driver/stop.hpp"
#include "driver/task.hpp"
#include "io/checkpoint.hpp"
#include "io/run_lock.hpp"
#include "io/run_status.hpp"
#include "io/together.hpp"

namespace partita {
namespace {

// The run's own record of how it stands; one for all ranks, about rank 0.
class StatusRecord {
 public:
  // Collective.
  StatusRecord(RunDirectory const& directory, RunLock const& lock, Communicator const& ranks, std::string const& deck, std::string fork_of)
      : directory_(directory), lock_(lock), ranks_(ranks), deck_hash_(hash_of_deck(deck)), fork_of_(std::move(fork_of)) {
    ranks.broadcast(process_.host);
    ranks.broadcast(process_.started);
    ranks.broadcast(&process_.process, sizeof process_.process);
    ranks.broadcast(&process_.start, sizeof process_.start);
  }
  // Ends the process where the directory is another run's by now.
  void confirm() const { lock_.confirm(); }
  // By the root.
  void write(std::string const& status, std::optional<ExitCode> code, std::string const& reason, std::optional<Index> step) const {
    if (!ranks_.is_root()) return;
    lock_.confirm();
    put(status, code, reason, step);
  }
  // By the root, of a run that goes on and has a checkpoint of its own now.
  void write_saved(Index step) const {
    fork_of_.clear();
    write("running", {}, "", step);
  }
  // By any rank: the one that knows of an end may be another than the root. Another run's record stays, and without a code, which tells
  // nothing of the reason, this run's own last word.
  void write_end(std::string const& status, std::optional<ExitCode> code, std::string const& reason) const {
    lock_.confirm();
    auto const now = read_status(directory_);
    if (now && (now->process != process_ || (!code && now->status != "running"))) return;
    if (now) fork_of_ = now->fork_of;  // the root knows
    put(status, code, reason, now ? now->step : std::nullopt);
  }
  // The same of a run that was asked to stop where it had nothing to save.
  void write_early_stop(std::string const& reason, Index step) const {
    lock_.confirm();
    auto const now = read_status(directory_);
    if (now && (now->process != process_ || now->status != "running")) return;
    if (now) fork_of_ = now->fork_of;
    put("stopped early", ExitCode::stopped_early, reason, step);
  }

 private:
  RunDirectory const& directory_;
  RunLock const& lock_;
  Communicator const& ranks_;
  std::string deck_hash_;
  mutable std::string fork_of_;
  ProcessIdentity process_ = ProcessIdentity::of_this_process();

  void put(std::string const& status, std::optional<ExitCode> code, std::string const& reason, std::optional<Index> step) const {
    std::optional<int> number;
    if (code) number = static_cast<int>(*code);
    write_status(directory_, {status, number, reason, step, process_, deck_hash_, fork_of_});
  }
};

// Collective: whether this deck's results are there, whole. The deck file does not tell: a longer run may have died when it had written it.
bool is_done(RunDirectory const& directory, std::string const& resolved, Communicator const& ranks) {
  bool done = false;
  on_root(ranks, [&] {
    auto const status = read_status(directory);
    done =
        status && status->status == "done" && status->deck_hash == hash_of_deck(resolved) && std::filesystem::exists(directory.summary());
  });
  return ranks.any(done);
}

bool is_of(RunDirectory const& directory, CheckpointFile const& file) {
  std::error_code absent;
  return std::filesystem::equivalent(Path(file.path).parent_path(), directory.checkpoints(), absent);
}

// A directory that holds a run goes on from its own checkpoints only, or begins its fork again, and a finished run not from one before its
// end, which would remove its results.
CheckpointFile named_checkpoint(Arguments const& a, RunDirectory const& directory, Communicator const& ranks) {
  CheckpointFile const file = find_checkpoint(a.restart_file, ranks);
  if (!directory.has_run(ranks)) return file;
  on_root(ranks, [&] {
    auto const status = read_status(directory);
    bool const same_fork = status && !status->fork_of.empty() && status->fork_of == file.path.string();
    require(is_of(directory, file) || same_fork, ExitCode::usage,
            "{} is a checkpoint of another run than the one in {}, which it would replace; choose another run.output, or continue the "
            "run that is there with --restart auto",
            file.path.string(), directory.root().string());
    require(!status || status->status != "done" || file.step >= status->step.value_or(0), ExitCode::usage,
            "{} holds a finished run of {} steps, and {} is of step {}, so that results would be removed; use --restart auto, or choose "
            "another run.output",
            directory.root().string(), status ? status->step.value_or(0) : 0, file.path.string(), file.step);
  });
  return file;
}

// Where a run continues: nothing where it starts anew.
std::optional<CheckpointFile> restart_point(Arguments const& a, RunDirectory const& directory, Communicator const& ranks) {
  if (a.restart == Restart::from_file) return named_checkpoint(a, directory, ranks);
  if (a.restart == Restart::never || !directory.has_run(ranks)) {
    require_all(a.restart != Restart::required, ExitCode::data,
                "{} holds no run to continue (--restart required); start it without --restart", directory.root().string());
    return {};
  }
  auto const newest = newest_valid_checkpoint(directory, ranks);
  require_all(newest || a.restart != Restart::required, ExitCode::data,
              "{} holds no checkpoint to continue from (--restart required); use --restart auto", directory.root().string());
  return newest;
}

// What changes results, a line each.
std::vector<std::string> differences(deck::Document const& running, deck::Document const& wanted) {
  auto found = deck::differences_that_change_results(running, wanted);
  if (auto const before = schedule_length(running), now = schedule_length(wanted); before && now && *before != *now)
    found.push_back(
        fmt::format("train.updates: the learning rate, annealing or layers are laid out over {} updates in the run and {} in the deck; "
                    "train.schedule_updates = {} goes on with their last values",
                    *before, *now, *before));
  return found;
}

// Nothing that changes results may differ from the deck of the run that goes on.
void require_same_deck(std::string const& text, Path const& source, RunDirectory const& directory, deck::Document const& wanted) {
  auto const different = differences(deck::read(text, source.string(), catalogue()), wanted);
  if (different.empty()) return;
  std::string message = fmt::format(
      "the deck differs from the run in {} in what changes its results; change it back, or start a new run (--overwrite, or another "
      "run.output):",
      directory.root().string());
  for (auto const& d : different) message += "\n  " + d;
  fail(ExitCode::usage, message, FailedOn::all_ranks);
}

void require_same_run(Arguments const& a, RunDirectory const& directory, CheckpointFile const& from, deck::Document const& wanted) {
  CheckpointInfo const info = read_checkpoint_info(from);
  require_same_deck(info.deck, from.path, directory, wanted);
  require_all(a.allow_different_machine || info.machine == machine_identity(), ExitCode::usage,
              "{} was written on {} and this machine is {}: the bits would differ; continue with --allow-different-machine",
              from.path.string(), info.machine, machine_identity());
  require_all(
      info.sampling == sampling_version, ExitCode::data,
      "{} was written by {}, whose sampling version is {}, and this is {} with {}: the run would not go on as it began; continue it "
      "with that version, or start anew with --overwrite",
      from.path.string(), info.code_version, info.sampling, code_version(), sampling_version);
  if (info.code_version != code_version())
    log::warning("{} was written by {}; this is {}", from.path.string(), info.code_version, code_version());
}

// A fork takes over another run's state, and may differ in its deck: what it does not take over. Its chains' bits are its own, so that the
// machine does not matter.
std::vector<std::string> left_out_of_fork(CheckpointFile const& from, deck::Document const& wanted) {
  CheckpointInfo const info = read_checkpoint_info(from);
  require_all(info.sampling == sampling_version, ExitCode::data,
              "{} was written by {}, whose state has another meaning than that of {}; train on from its parameters instead (model.from)",
              from.path.string(), info.code_version, code_version());
  std::vector<std::string> left_out{"samples/", "history/", "train/rollbacks"};
  bool other_sampler = false;
  for (std::string const& d : differences(deck::read(info.deck, from.path.string(), catalogue()), wanted)) {
    log::info("differs from {}: {}", from.path.string(), d);
    other_sampler = other_sampler || d.starts_with("sampler.");
  }
  if (other_sampler) left_out.push_back("sampler/");
  return left_out;
}

// A run that left no checkpoint is begun anew, or goes on with the estimators that it has not finished, if nothing finished is lost by that
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
  if (!running.empty()) require_same_deck(running, directory.deck(), directory, wanted);
  if (wanted.at("run").as<RunOptions>().task != "estimate")
    log::warning("the run in {} ended before its first checkpoint: starting from step 0", directory.root().string());
}

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
    require_step(from);
    context_.inputs.require_same(read_checkpoint_info(from).inputs, from.path.string());
    together(context_.ranks, [&] { task_.size_state(from); });
    read_checkpoint(from, context_.ranks, state());
    step_ = saved_ = from.step;
    remove_later_checkpoints(context_.directory, context_.ranks, step_);
    task_.restored(step_);
    log::info("continuing from {} (step {} of {})", from.path.string(), step_, task_.total());
  }

  // From another run's checkpoint: samples, history and what is left out begin here.
  void fork(CheckpointFile const& from, std::vector<std::string> const& left_out) {
    require_step(from);
    auto const absent = read_checkpoint_in_part(from, context_.ranks, state().without(left_out));
    for (std::string const& name : absent) log::warning("{} holds no {}, which starts anew", from.path.string(), name);
    step_ = from.step;
    task_.forked(step_);
    log::info("a fork of {} (step {} of {})", from.path.string(), step_, task_.total());
  }

  // True at the end, false where it stopped early with a checkpoint.
  bool run() {
    Index longest = 1;  // steps of a block, so that signals are answered in time; results do not depend on it
    progress_.start(step_);
    if (step_ > 0 || task_.most_rollbacks() > 0) save();  // a fork, or a start to go back to
    if (step_ == 0) task_.at_boundary(0);
    while (step_ < task_.total()) {
      Index const steps = std::min({task_.next_boundary(step_) - step_, longest, task_.total() - step_, steps_to_checkpoint()});
      double const before = conditions_.elapsed();
      task_.advance(step_, steps);
      step_ += steps;
      if (step_ == task_.total() || step_ == next_task_boundary_after(step_ - 1)) task_.at_boundary(step_);
      Decision const d = conditions_.decide(step_, conditions_.elapsed() - before);
      longest = std::max<Index>(1, static_cast<Index>(std::ceil(static_cast<double>(std::max(steps, Index{1})) * d.longer_blocks)));
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
  void require_step(CheckpointFile const& from) const {
    require_all(from.step <= task_.total(), ExitCode::usage,
                "{} is at step {} already and the deck asks for {}; raise it, or start anew with --overwrite", from.path.string(),
                from.step, task_.total());
  }
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

constexpr double few_degrees_of_freedom = 30;  // below it the quantiles of an error differ from a normal law's by 4 % or more

Json metrics_json(std::vector<Metric> const& metrics) {
  auto const number = [](double x) { return std::isfinite(x) ? Json(x) : Json{}; };
  Json::Object out;
  for (Metric const& m : metrics) {
    out.emplace_back(m.name, number(m.value));
    if (m.error) out.emplace_back(m.name + "_error", number(*m.error));
    if (m.error && m.degrees_of_freedom < few_degrees_of_freedom)
      out.emplace_back(m.name + "_error_degrees_of_freedom", m.degrees_of_freedom);
  }
  return out;
}

Json phases_json(PhaseTable const& table) {
  Json::Array out;
  for (auto const& p : table.phases)
    out.emplace_back(
        Json::Object{{"name", p.name}, {"calls", p.calls}, {"min", p.minimum}, {"mean", p.mean}, {"max", p.maximum}, {"share", p.share}});
  return out;
}

void log_metrics(std::vector<Metric> const& metrics) {
  auto const number = [](double x, int digits) { return std::isnan(x) ? "unknown" : fmt::format("{:.{}g}", x, digits); };
  for (Metric const& m : metrics) {
    bool const few = m.error && std::isfinite(*m.error) && m.degrees_of_freedom < few_degrees_of_freedom;
    log::info("  {:<34} {:>14} {} {:<10} {}{}", m.name, number(m.value, 7), m.error ? "+-" : "  ", m.error ? number(*m.error, 3) : "",
              m.definition, few ? fmt::format(" ({:.0f} degrees of freedom)", m.degrees_of_freedom) : "");
  }
}

// The verdict: all that is known to be wrong with the results, of the whole first.
std::vector<std::string> warnings(Results const& results) {
  std::vector<std::string> all = results.warnings;
  for (Metric const& m : results.metrics)
    if (!m.warning.empty()) all.push_back(m.name + ": " + m.warning);
  return all;
}

void log_verdict(std::vector<std::string> const& warnings, std::vector<std::string> const& not_examined) {
  if (warnings.empty()) log::info("\nverdict: nothing was found wrong with these results");
  else log::info("\nverdict: {} warning{}", warnings.size(), warnings.size() > 1 ? "s" : "");
  for (std::string const& w : warnings) log::warning("{}", w);
  for (std::string const& n : not_examined) log::info("not examined: {}", n);
}

// What the run measured, said and written.
void summarise(RunContext const& c, std::string const& status, Index step, double chain_steps, double analytic_flops,
               Results const& results) {
  std::vector<Metric> const& metrics = results.metrics;
  PhaseTable const table = phase_table(c.timers, c.ranks);
  double const flops = c.ranks.all_reduce(matrix_product_flops(), Reduction::sum) + analytic_flops;
  double const seconds = std::max(table.wall_seconds, 1e-9);
  log::info("\n{}", table.text());
  if (chain_steps > 0)
    log::info("{:.4g} chain-steps/s on {} rank{}, {:.3g} GFLOP/s in matrix products", chain_steps / seconds, c.ranks.ranks(),
              c.ranks.ranks() > 1 ? "s" : "", flops / seconds * 1e-9);
  if (!metrics.empty()) {
    log::info("\nmetrics");
    log_metrics(metrics);
  }
  auto const found = warnings(results);
  if (status == "done") log_verdict(found, results.not_examined);
  Json::Object definitions;
  for (Metric const& m : metrics) definitions.emplace_back(m.name, m.definition);
  on_root(c.ranks, [&] {
    c.directory.write_summary(Json::Object{{"status", status},
                                           {"task", c.options.task},
                                           {"title", c.deck.title},
                                           {"steps", step},
                                           {"ranks", c.ranks.ranks()},
                                           {"wall_seconds", table.wall_seconds},
                                           {"chain_steps_per_second", chain_steps / seconds},
                                           {"gflops", flops / seconds * 1e-9},
                                           {"code_version", c.provenance.code_version},
                                           {"machine", machine_identity()},
                                           {"phases", phases_json(table)},
                                           {"metrics", metrics_json(metrics)},
                                           {"definitions", definitions},
                                           {"warnings", Json::Array(found.begin(), found.end())},
                                           {"not_examined", Json::Array(results.not_examined.begin(), results.not_examined.end())}});
  });
}

// For a shell.
std::string quoted(std::string const& text) {
  std::string out = "'";
  for (char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

// How to go on with smaller steps, in a directory of its own: from the last checkpoint but one, since the last may be about to diverge;
// nothing where there is no checkpoint.
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
  else if (sampler) command += " --set sampler.step_size=...";
  log::info("to go on from the checkpoint of step {} with other settings:\n  {}{}", from, command,
            c.options.task == "train" && c.deck.at("train").as<TrainOptions>().on_divergence == "stop"
                ? "\nor let the training itself go back: --set train.on_divergence=rollback"
                : "");
}

std::unique_ptr<Task> make_task(RunContext const& c) {
  if (c.options.task == "train") return make_train_task(c);
  if (c.options.task == "generate") return make_generate_task(c);
  return make_sample_task(c);
}

double walltime(RunOptions const& o) { return o.walltime.empty() ? 0 : deck::seconds(o.walltime); }

// While there is nothing to save that the checkpoint of this step, or the deck alone, would not give again.
std::unique_ptr<NothingToSave> nothing_to_save(RunContext const& c, StatusRecord const& status, Index step) {
  std::optional<NothingToSave::Clock::time_point> deadline;
  if (double const limit = walltime(c.options); limit > 0)
    deadline = program_start() +
               std::chrono::duration_cast<NothingToSave::Clock::duration>(std::chrono::duration<double>(limit - std::min(10., limit / 10)));
  return std::make_unique<NothingToSave>(deadline, [&status, step, root = c.ranks.is_root()](std::string const& reason) {
    if (root) log::info("\nstopped at step {} ({}): the same command continues from there, with --restart auto", step, reason);
    status.write_early_stop(reason, step);
  });
}

// How a run begins: anew, where an earlier part of it ended, or from a checkpoint of another run, in a directory of its own.
struct Start {
  std::optional<CheckpointFile> from;
  bool fork = false;
  std::vector<std::string> left_out = {};  // groups of the state that a fork does not take over
};

// One attempt of a run's steps; what it was built of goes with it.
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
    else if (start.fork) loop.fork(*start.from, start.left_out);
    else loop.restore(*start.from);
  }
};

// Where a training goes back to: the newest checkpoint that its own schedule of steps made, whenever others were written for signals or
// limits, and one before the last target, which diverged again, where there is one.
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

// Runs the steps to their end, or until they stop early. A training that diverges goes back to its last checkpoint with smaller steps, as
// often as it may, by the very way in which a run continues.
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

// They are in summary.json.
void forget_finished_estimators(RunContext const& c) {
  on_root(c.ranks, [&] { std::filesystem::remove(c.directory.finished_estimators()); });
}

int run_steps(RunContext const& context, Start const& start, StatusRecord const& status, LastWords& last_words) {
  auto const [attempt, done] = run_to_end(context, start, status);
  Loop const& loop = attempt->loop;
  Results results;
  if (done) {
    auto const finishing = nothing_to_save(context, status, loop.step());
    Timers::Scope const scope(context.timers, "estimators");
    results = attempt->task->finish();
  }
  last_words.end();
  summarise(context, done ? "done" : "stopped early", loop.step(), loop.progress().chain_steps(loop.step()), 0, results);
  ExitCode const code = done ? ExitCode::done : ExitCode::stopped_early;
  status.write(done ? "done" : "stopped early", code, loop.reason(), loop.step());
  if (done) forget_finished_estimators(context);
  if (!done)
    log::info("stopped at step {} ({}) with a checkpoint: the same command continues from there, with --restart auto", loop.step(),
              loop.reason());
  else log::info("results are in {}", context.directory.root().string());
  return static_cast<int>(code);
}

}  // namespace

int run(Arguments const& a, Communicator const& ranks) {
  deck::Document const deck = read_deck(a, a.deck, ranks);
  for (auto const& w : deck.warnings) log::warning("{}: {}", deck::to_string(w.at), w.text);
  auto const options = deck.at("run").as<RunOptions>();
  Watchdog::of_process().set_limit(Watchdog::Seconds(deck::seconds(options.watchdog)));
  require_all(printable(options.output) == options.output, ExitCode::usage,
              "run.output = \"{}\" has control characters, which no message could show; choose another", printable(options.output));
  RunDirectory const directory(options.output);
  directory.create(ranks);
  RunLock const lock(directory, ranks);
  directory.remove_unfinished(ranks);
  require_all(a.overwrite || a.restart != Restart::never || !directory.has_run(ranks), ExitCode::usage,
              "{} holds a run already; continue it with --restart auto, replace it with --overwrite, or set another run.output",
              directory.root().string());
  std::string const resolved = deck::resolved(deck);
  bool const may_be_done = a.restart == Restart::automatic || a.restart == Restart::required;
  if (may_be_done && is_done(directory, resolved, ranks)) {
    log::info("{} is done: nothing to do", directory.root().string());
    return static_cast<int>(ExitCode::done);
  }
  auto const from = restart_point(a, directory, ranks);
  Start start{from, from && !ranks.any(ranks.is_root() && is_of(directory, *from))};
  if (start.fork) start.left_out = left_out_of_fork(*from, deck);
  else if (from) require_same_run(a, directory, *from, deck);
  else if (!a.overwrite && directory.has_run(ranks)) require_unfinished(directory, ranks, deck);

  // The status first: from here on the directory is this deck's, and an earlier end is no longer true.
  StatusRecord const status(directory, lock, ranks, resolved, start.fork ? from->path.string() : "");
  on_root(ranks, [&] { status.write("running", {}, "", from ? from->step : 0); });
  Timers timers;
  Inputs inputs;
  RunContext const context{
      ranks, deck, options, directory, {resolved, code_version(), version(), options.seed}, random::make_key(options.seed), timers, inputs};
  LastWords last_words(
      [&status](std::optional<ExitCode> code, std::string const& reason) { status.write_end(code ? "failed" : "died", code, reason); });
  try {
    // Estimators that have finished stay.
    bool const estimators_go_on = options.task == "estimate" && !a.overwrite;
    if (!from && !estimators_go_on) directory.remove_run(ranks);
    on_root(ranks, [&] { directory.write_deck(resolved); });
    log::open_file(directory.log().string());
    log::info("{}{}{}", printable(deck.title), deck.title.empty() ? "" : "\n",
              fmt::format("Partita {}, {} rank{}, {}", code_version(), ranks.ranks(), ranks.ranks() > 1 ? "s" : "", machine_identity()));
    if (ranks.compares_calls()) log::info("the ranks compare their collective calls (PARTITA_CHECK_COLLECTIVES)");
    if (options.task != "estimate") return naming_memory([&] { return run_steps(context, start, status, last_words); });
    Results const results = [&] {
      auto const computing = nothing_to_save(context, status, 0);
      return naming_memory([&] { return estimate(context); });
    }();
    last_words.end();
    summarise(context, "done", 0, 0, 0, results);
    status.write("done", ExitCode::done, "", 0);
    forget_finished_estimators(context);
    log::info("results are in {}", directory.root().string());
    return static_cast<int>(ExitCode::done);
  } catch (Failure const& f) {
    // The directory says why even where a launcher garbles the exit code. Another rank than the root may be the one that knows.
    last_words.end();
    if (f.code() == ExitCode::numerical && f.where() == FailedOn::all_ranks && f.leave() == Leave::in_order) advise_fork(a, context);
    if (f.where() == FailedOn::all_ranks && !ranks.is_root()) throw;
    try {
      status.write_end("failed", f.code(), f.what());
    } catch (Failure const& unwritten) {
      log::error("{}", unwritten.what());
    }
    throw;
  }
}

}  // namespace partita
