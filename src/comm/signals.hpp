// Signals and the threads that compute. oneDNN before 3.11.2 uses the stack pointer as a data pointer inside its products (oneDNN issue
// 4845), so a handler that runs on a computing thread's stack, whoever installed it, destroys memory there. Hence no signal is ever
// delivered to such a thread: one thread that does nothing else takes them all.
#pragma once
#include <csignal>
#include <string>
#include <thread>

#include "comm/communicator.hpp"

namespace partita {

// During its life all signals but those of the processor's own faults (SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS) are blocked in the
// constructing thread and in every thread started after it, and delivered to a thread of its own. To be made before anything else starts a
// thread. Child processes get the mask that was there before. A profiler that interrupts threads by signals sees the idle one only.
class SignalThread {
 public:
  SignalThread();
  ~SignalThread();
  SignalThread(SignalThread const&) = delete;
  SignalThread& operator=(SignalThread const&) = delete;

 private:
  sigset_t before_;
  int end_;  // an event that wakes the thread
  std::thread thread_;
};

// Requests to stop: SIGTERM, SIGINT and SIGUSR1 are noted, and answered where all ranks meet. A closed pipe at the output (SIGPIPE) is not
// such a request: run.log has everything.
//
// During its life the first signal of each kind is noted; the second of the same kind ends the process. One object at a time.
class Signals {
 public:
  Signals();
  ~Signals();
  Signals(Signals const&) = delete;
  Signals& operator=(Signals const&) = delete;

  static int raised();                  // number of the last signal that this process noted, 0 if none
  static std::string name(int number);  // "USR1"
  // The largest of the ranks' numbers, the same on every rank, 0 if none; collective.
  static int raised_on_any_rank(Communicator const&);
};

}  // namespace partita
