// A run's own record of its status, run.status.json, while it goes on.
#pragma once
#include "core/require.hpp"
#include "io/run_lock.hpp"
#include "io/run_status.hpp"

namespace partita {

// One record for all ranks; it names the process of rank 0.
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
  // Ends the process if the directory now belongs to another run.
  void confirm() const { lock_.confirm(); }
  // Called by the root.
  void write(std::string const& status, std::optional<ExitCode> code, std::string const& reason, std::optional<Index> step) const {
    if (!ranks_.is_root()) return;
    lock_.confirm();
    put(status, code, reason, step);
  }
  // Called by the root of a run that goes on, after it has written this checkpoint.
  void write_saved(Index step) const { write("running", {}, "", step); }
  // Called by any rank: the one that knows of the end need not be the root. Does not replace another run's record nor, without a code, a
  // final record of this run.
  void write_end(std::string const& status, std::optional<ExitCode> code, std::string const& reason) const {
    lock_.confirm();
    auto const now = read_status(directory_);
    if (now && (now->process != process_ || (!code && now->status != "running"))) return;
    put(status, code, reason, now ? now->step : std::nullopt);
  }
  // The same for a run that was asked to stop while it had nothing to save.
  void write_early_stop(std::string const& reason, Index step) const {
    lock_.confirm();
    auto const now = read_status(directory_);
    if (now && (now->process != process_ || now->status != "running")) return;
    put("stopped early", ExitCode::stopped_early, reason, step);
  }

 private:
  RunDirectory const& directory_;
  RunLock const& lock_;
  Communicator const& ranks_;
  std::string deck_hash_, fork_of_;
  ProcessIdentity process_ = ProcessIdentity::of_this_process();

  void put(std::string const& status, std::optional<ExitCode> code, std::string const& reason, std::optional<Index> step) const {
    std::optional<int> number;
    if (code) number = int(*code);
    write_status(directory_, {status, number, reason, step, process_, deck_hash_, fork_of_});
  }
};

}  // namespace partita
