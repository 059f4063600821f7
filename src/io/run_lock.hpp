// One run at a time in a run directory.
#pragma once
#include <chrono>
#include <memory>

#include "io/run_directory.hpp"

namespace partita {

// How a lock is held: by the operating system, or, on file systems without fcntl locks, by a file that is created exclusively; a file that
// is not touched for three heartbeats belongs to a dead run. Either way the holder touches its file at every heartbeat, and checks that it
// is still the holder: another run may have taken it for dead while it was suspended.
enum class LockKind { fcntl_or_heartbeat, heartbeat };

class RunLock {
 public:
  // Collective: taken by the root, before any other file of the run is written. Failure(locked) on all ranks names the holder: host,
  // process, job and start. Released at the end of the object's life and by any end of the process. A holder whose heartbeat thread finds
  // that the lock is lost ends its process at once with ExitCode::locked: the directory belongs to another run now.
  RunLock(RunDirectory const&, Communicator const&, LockKind = LockKind::fcntl_or_heartbeat,
          std::chrono::milliseconds heartbeat = std::chrono::seconds(5));
  ~RunLock();
  RunLock(RunLock&&) noexcept;

  // Called before a write that could replace another run's files: ends the process, as above, where the lock is lost.
  void confirm() const;
  // Whether the operating system knows a holder; false where the file system has no locks.
  static bool is_held(RunDirectory const&);

 private:
  class Holding;
  std::unique_ptr<Holding> holding_;  // on the root
};

}  // namespace partita
