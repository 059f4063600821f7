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
  void set_limit(Seconds limit);    // of the time spent waiting for others, > 0; the same on all ranks

 private:
  friend class EndRecorder;
  struct Thread;
  std::unique_ptr<Thread> thread_;
};

// Records the end of a run where the run's own code may not survive to do it. During its life `write` is called from another thread: with
// ExitCode::communication when the watchdog ends the job, with the failure's code by end_job_with(), and without a code as soon as a
// signal asks the run to stop, since the launcher sends one when it ends a job because some rank has died. A run that then stops in order
// replaces that record.
class EndRecorder {
 public:
  using Write = std::function<void(std::optional<ExitCode>, std::string const& reason)>;
  explicit EndRecorder(Write);
  ~EndRecorder();
  EndRecorder(EndRecorder const&) = delete;
  EndRecorder& operator=(EndRecorder const&) = delete;
  // The run itself records its end: nothing is written after it returns.
  void end();
};

// Ends the job with a failure of this rank where no exception can pass, as inside a callback of a C library; EndRecorder record it.
[[noreturn]] void end_job_with(Failure const&);

// Begins the reason of every stop by the run's time limit.
inline constexpr char wall_clock_limit[] = "wall-clock limit";

// Lives while a run has nothing to save: during its set-up, and after its last step. During its life a signal that asks the run to stop,
// or the end of its time, ends the job within a second, whatever the ranks compute; at other times signals are answered where all ranks
// meet. One object at a time.
class StopImmediately {
 public:
  using Clock = std::chrono::steady_clock;
  enum class Cause { signal, out_of_time };
  // Called from another thread before the job ends, on each rank that ends it, with the code that it returns.
  using Record = std::function<ExitCode(Cause, std::string const& reason)>;
  StopImmediately(std::optional<Clock::time_point> deadline, Record record);
  ~StopImmediately();
  StopImmediately(StopImmediately const&) = delete;
  StopImmediately& operator=(StopImmediately const&) = delete;
};

}  // namespace partita
