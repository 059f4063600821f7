// Where a run begins: anew, where an earlier part of it ended, from a checkpoint of another run, or, after it diverged, further back.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "driver/commands.hpp"
#include "driver/task.hpp"

namespace partita {

// All are collective.

// Whether this deck's results are there, whole. The deck file does not tell: a longer run may have died when it had written it.
bool is_done(RunDirectory const&, std::string const& resolved, Communicator const&);

struct Start {
  std::optional<CheckpointFile> from;       // none: anew
  bool fork = false;                        // from another run's checkpoint, in a directory of its own
  std::vector<std::string> left_out = {};   // groups of the state that a fork does not take over
  std::vector<std::string> different = {};  // how its deck differs from that of the run that it begins from
};
// Failure(usage) where the deck differs from that of the run that is there in what changes its results, or something finished would be
// lost; Failure(data) where there is nothing to continue from and there must be.
Start find_start(Arguments const&, RunDirectory const&, deck::Document const& wanted, Communicator const&);

// Where a training that diverged goes back to: the newest checkpoint that its own schedule of steps made, whenever others were written for
// signals or limits, and one before the last target, which diverged again, where there is one.
std::optional<CheckpointFile> rollback_target(RunContext const&, std::optional<Index> last_target);

// Says how to go on with smaller steps, in a directory of its own, by a command for a shell: from the last checkpoint but one, since the
// last may be about to diverge; nothing where there is no checkpoint.
void advise_fork(Arguments const&, RunContext const&);

}  // namespace partita
