// Where a run begins: anew, where an earlier part of it ended, from a checkpoint of another run, or, after divergence, at an earlier one.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "driver/commands.hpp"
#include "driver/task.hpp"

namespace partita {

// All are collective.

// Whether this deck's results exist and are complete. The deck file alone does not tell: a longer run may have written it and then died.
bool is_done(RunDirectory const&, std::string const& resolved, Communicator const&);

struct Start {
  std::optional<CheckpointFile> from;       // none: anew
  bool fork = false;                        // from another run's checkpoint, in a directory of its own
  std::vector<std::string> left_out = {};   // groups of the state that a fork does not take over
  std::vector<std::string> different = {};  // how a fork's deck differs from that of the run from which it begins
};
// Failure(usage) where the deck differs from that of the existing run in keys that change results, or results would be lost; Failure(data)
// where there is nothing to continue from although that is required.
Start find_start(Arguments const&, RunDirectory const&, deck::Document const& wanted, Communicator const&);

// The checkpoint to which a diverged training goes back: the newest one at a regular step (not one written for a signal or a time limit),
// and older than the last target, if there was one, since training from there diverged again.
std::optional<CheckpointFile> rollback_target(RunContext const&, std::optional<Index> last_target);

// Prints a shell command that continues with smaller steps in a new directory, from the last checkpoint but one, since the last may be
// about to diverge; prints nothing where there is no checkpoint.
void advise_fork(Arguments const&, RunContext const&);

}  // namespace partita
