// When a run stops before its end: signals and the wall-clock limit, and when it saves its state.
#pragma once
#include <chrono>
#include <string>

#include "comm/communicator.hpp"
#include "driver/settings.hpp"

namespace partita {

// The wall-clock limit counts from here.
std::chrono::steady_clock::time_point program_start();

// What to do at the end of a block of steps; the same on every rank.
struct Decision {
  bool stop = false;
  bool checkpoint = false;
  bool progress = false;
  std::string reason;        // for stopping
  double longer_blocks = 1;  // factor for the length of the next block
};

// The root's clock and any rank's signals count; one reduction per decision.
class StopConditions {
 public:
  // walltime in seconds, 0: none.
  StopConditions(Communicator, double walltime, CheckpointOptions const&, double progress_seconds);
  // Collective, at a boundary at this step, after a block that took block_seconds here.
  Decision decide(Index step, double block_seconds);
  void checkpoint_took(double seconds);
  double elapsed() const;  // since the program's start, in seconds

 private:
  using Clock = std::chrono::steady_clock;
  Communicator ranks_;
  double walltime_;
  std::optional<Index> every_steps_;
  std::optional<double> every_seconds_;
  double progress_seconds_;
  Clock::time_point last_checkpoint_ = Clock::now(), last_progress_ = last_checkpoint_;
  double longest_checkpoint_ = 0;
};

}  // namespace partita
