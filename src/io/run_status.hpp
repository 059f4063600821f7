// run.status.json: how a run stands, by whom it is computed, and whether that process still lives.
#pragma once
#include <optional>
#include <string>

#include "io/run_directory.hpp"

namespace partita {

// A process that can be told from a later one of the same number.
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
  std::optional<int> exit_code;  // null while the run goes on, and where it died
  std::string reason;
  std::optional<Index> step;  // the last that is known: of a run that goes on, its newest checkpoint
  ProcessIdentity process;    // rank 0
  std::string deck_hash;      // of the resolved deck that this is about
  std::string fork_of = {};   // the other run's checkpoint that it began from; empty: none

  Json json() const;
};

// Of a resolved deck's text, hexadecimal.
std::string hash_of_deck(std::string const& text);

// As it was written; none where there is none, or what is there is no status (with a warning).
std::optional<RunStatus> read_status(RunDirectory const&);
// As it is: a run that says that it is running has died where its process, or on another host its heartbeat, is no longer there.
std::optional<RunStatus> true_status(RunDirectory const&);
void write_status(RunDirectory const&, RunStatus const&);

}  // namespace partita
