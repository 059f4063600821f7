// run.status.json: the status of a run, the process that computes it, and whether that process is still alive.
#pragma once
#include <optional>
#include <string>

#include "io/run_directory.hpp"

namespace partita {

// Identifies a process, so that a later one of the same number is not mistaken for it.
struct ProcessIdentity {
  std::string host;
  Index process = 0;
  Index start = 0;      // clock ticks after the host's own start (/proc/PID/stat), 0: unknown
  std::string started;  // the same moment as a date, for people
  static ProcessIdentity of_this_process();
  friend bool operator==(ProcessIdentity const&, ProcessIdentity const&) = default;
};

struct RunStatus {
  std::string status;            // "running", "done", "stopped early", "failed", "died"
  std::optional<int> exit_code;  // null while the run goes on, and if it died
  std::string reason;
  std::optional<Index> step;  // the last known step; while the run goes on, that of its newest checkpoint
  ProcessIdentity process;    // rank 0
  std::string deck_hash;      // of the run's resolved deck
  std::string fork_of = {};   // the other run's checkpoint from which it began; empty: none

  Json json() const;
};

// Hash of a resolved deck's text, hexadecimal.
std::string hash_of_deck(std::string const& text);

// The status as it was written; none where there is no such file, or it is not a status (with a warning).
std::optional<RunStatus> read_status(RunDirectory const&);
// The true status: a run whose file says "running" has died if its process or, on another host, its heartbeat is gone.
std::optional<RunStatus> true_status(RunDirectory const&);
void write_status(RunDirectory const&, RunStatus const&);

}  // namespace partita
