// Requests to stop: SIGTERM, SIGINT and SIGUSR1 are noted, and answered where all ranks meet. A reader of the output that has gone away
// (SIGPIPE) is no such request: run.log has it all.
#pragma once
#include "comm/communicator.hpp"

namespace partita {

// During its life, of which there is one at a time, the first signal of each kind is noted; the second of the same kind ends the process.
class Signals {
 public:
  Signals();
  ~Signals();
  Signals(Signals const&) = delete;
  Signals& operator=(Signals const&) = delete;

  static int raised();  // number of the signal that this process noted last, 0 if none
  // The largest of the ranks' numbers, the same on every rank, 0 if none; collective.
  static int raised_on_any_rank(Communicator const&);
};

}  // namespace partita
