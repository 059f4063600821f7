// The interface of tasks to the run loop: sampling and training in blocks of steps between boundaries.
#pragma once
#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "core/metric.hpp"
#include "core/state.hpp"
#include "core/timers.hpp"
#include "deck/document.hpp"
#include "driver/settings.hpp"
#include "io/checkpoint.hpp"
#include "io/history.hpp"
#include "io/inputs.hpp"
#include "io/provenance.hpp"
#include "io/run_directory.hpp"
#include "models/fit.hpp"

namespace partita {

// Whether a restart would begin later than this start did, because steps were made or an estimator has finished.
struct Gain {
  std::atomic<bool> made = false;        // read by another thread
  bool stopped_by_limit_before = false;  // whether the time limit ended the run before this start
};

// What every task is given. `deck` outlives the task.
struct RunContext {
  Communicator ranks;
  deck::Document const& deck;
  RunOptions options;
  RunDirectory directory;
  Provenance provenance;
  random::Key key;
  Timers& timers;
  Inputs& inputs;        // filled as they are read
  Loaded const& loaded;  // what the deck names, without its models, which each task makes itself
  Gain& gain;
};

class Task {
 public:
  virtual ~Task() = default;
  virtual Index total() const = 0;                    // steps or updates of the whole run
  virtual Index next_boundary(Index step) const = 0;  // the next step after this one at which at_boundary() must be called
  virtual void advance(Index step, Index steps) = 0;
  virtual void at_boundary(Index step) = 0;                                 // adaptation, draws, history rows
  virtual void describe_state(State&) = 0;                                  // with its present size, which may change
  virtual std::vector<std::string> may_be_nonfinite() const { return {}; }  // of the state: beginnings of names
  virtual void size_state(CheckpointFile const&) {}  // before it is described for reading: what has its size from the checkpoint
  virtual void verify() const {}                     // after the state was read: Failure(data) where files that the run needs are lost
  virtual void restored(Index /*step*/) {}           // then, at this step: removes files of later steps
  virtual void flush(Index step) = 0;                // before a checkpoint: writes the history; Failure(numerical) for non-finite chains
  // Called instead of `restored` where the state is another run's: samples and history begin at this step.
  virtual void forked(Index step) = 0;
  // Going back to an earlier checkpoint after a Failure(numerical), with smaller steps: how often a run may do so; how often it has done
  // so, which is part of its state; and setting that number.
  virtual Index most_rollbacks() const { return 0; }
  virtual Index rollbacks() const { return 0; }
  virtual void set_rollbacks(Index) {}
  virtual Results finish() = 0;  // final files, and the estimators
  virtual void show_draws() {}   // called instead where the run stops early: makes the draws so far readable
  // Parts of the progress line, "acceptance 0.57"; collective.
  virtual std::string progress() = 0;
  virtual double chain_steps_per_step() const = 0;
};

std::unique_ptr<Task> make_sample_task(RunContext const&);
std::unique_ptr<Task> make_train_task(RunContext const&);
std::unique_ptr<Task> make_generate_task(RunContext const&);
// The task "estimate" has no steps: it reads files and computes metrics.
Results estimate(RunContext const&);

// The memory that a task will need on so many ranks, over all of them: a line for each array, with its extents on one rank; allocates made.
std::string memory_estimate(deck::Document const&, Index ranks);

}  // namespace partita
