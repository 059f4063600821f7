// The progress line: the step, the rate and the time left.
#pragma once
#include <chrono>
#include <string>

#include "comm/communicator.hpp"

namespace partita {

class Progress {
 public:
  Progress(Communicator ranks, Index total, double chain_steps_per_step, std::string unit)
      : ranks_(ranks), total_(total), per_step_(chain_steps_per_step), unit_(std::move(unit)) {}
  void start(Index step);
  void show(Index step, std::string const& details) const;
  double chain_steps(Index step) const { return double(step - first_) * per_step_; }  // made by this process

 private:
  Communicator ranks_;
  Index total_, first_ = 0;
  double per_step_;
  std::string unit_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

// "45s", "3min 10s", "2h 05min"
std::string readable_time(double seconds);

}  // namespace partita
