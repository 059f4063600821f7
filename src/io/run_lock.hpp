// One run at a time in a run directory.
#pragma once
#include <chrono>
#include <memory>

#include "io/run_directory.hpp"

namespace partita {

// How a lock is held: by the operating system, or, on file systems without fcntl locks, by a file that is created exclusively and touched
// at every heartbeat; one that is not touched for three heartbeats belongs to a dead run.
enum class LockKind { fcntl_or_heartbeat, heartbeat };

class RunLock {
 public:
  // Collective: taken by the root, before any other file of the run is written. Failure(locked) on all ranks names the holder: host,
  // process, job and start. Released at the end of the object's life and by the end of the process, however it comes.
  RunLock(RunDirectory const&, Communicator const&, LockKind = LockKind::fcntl_or_heartbeat,
          std::chrono::milliseconds heartbeat = std::chrono::seconds(5));
  ~RunLock();
  RunLock(RunLock&&) noexcept;

 private:
  class Holding;
  std::unique_ptr<Holding> holding_;  // on the root
};

}  // namespace partita
