// No rank waits for ever for one that never comes: a thread beside each rank ends the job with ExitCode::communication.
#pragma once
#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "comm/communicator.hpp"
#include "core/require.hpp"

namespace partita {

// Each rank's thread makes no MPI call. It counts its own ticks, which stand still while the job is suspended, and tells rank 0's thread,
// by datagrams, in which collective call its rank waits, or that it computes. When a rank has waited longer than the limit, rank 0's thread
// lets the job go on while some rank still computes, for slow work is not waiting; it ends the job where a rank no longer answers (stopped,
// dead, cut off), where all ranks wait (in calls that do not fit together), or where storage has kept one, or all in the same call, for
// `stuck_limits` limits. When rank 0 does not answer, the waiting rank ends the job. Where no datagram gets through, the limit
// alone counts. The last words name rank, host, phase and the last collective calls.
class Watchdog {
 public:
  using Seconds = std::chrono::duration<double>;
  static constexpr Seconds default_limit{600};
  static constexpr int stuck_limits = 6;

  Watchdog();
  ~Watchdog();
  Watchdog(Watchdog const&) = delete;
  Watchdog& operator=(Watchdog const&) = delete;

  static Watchdog& of_process();    // the Environment's
  void start(Communicator const&);  // collective
  void set_limit(Seconds limit);    // of waiting for others, > 0; alike on all ranks

 private:
  friend class LastWords;
  struct Thread;
  std::unique_ptr<Thread> thread_;
};

// How a run's end is recorded that its own code may not live to record. During its life `write` is called from another thread: with
// ExitCode::communication when the watchdog ends the job, with that of the failure by end_job_with(), and without a code as soon as a
// signal asks the run to stop, since the launcher sends one when it ends a job because some rank has died. What a run that stops in order
// records replaces that.
class LastWords {
 public:
  using Write = std::function<void(std::optional<ExitCode>, std::string const& reason)>;
  explicit LastWords(Write);
  ~LastWords();
  LastWords(LastWords const&) = delete;
  LastWords& operator=(LastWords const&) = delete;
  // The run itself records its end: nothing is written after it returns.
  void end();
};

// Ends the job with a failure of this rank, from where no exception can pass, as below the calls of a C library; LastWords record it.
[[noreturn]] void end_job_with(Failure const&);

// Begins the reason of every stop by the run's time limit.
inline constexpr char wall_clock_limit[] = "wall-clock limit";

// The stretches of a run in which there is nothing to save: its set-up, and what comes after its last step. During its life a signal that
// asks the run to stop, or the end of its time, ends the job within a second, whatever the ranks compute; in between signals are answered
// where all ranks meet. One at a time.
class NothingToSave {
 public:
  using Clock = std::chrono::steady_clock;
  enum class Cause { signal, out_of_time };
  // Called from another thread before the job ends, on each rank that ends it, with the code that it returns.
  using Record = std::function<ExitCode(Cause, std::string const& reason)>;
  NothingToSave(std::optional<Clock::time_point> deadline, Record record);
  ~NothingToSave();
  NothingToSave(NothingToSave const&) = delete;
  NothingToSave& operator=(NothingToSave const&) = delete;
};

}  // namespace partita
