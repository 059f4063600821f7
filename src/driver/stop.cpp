#include "driver/stop.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "comm/signals.hpp"
#include "comm/watchdog.hpp"

namespace partita {
namespace {

constexpr double block_target = 0.25;  // seconds between boundaries: a signal is answered at the next one

std::chrono::steady_clock::time_point const loaded = std::chrono::steady_clock::now();

double since(std::chrono::steady_clock::time_point t) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - t).count();
}

}  // namespace

StopConditions::StopConditions(Communicator ranks, double walltime, CheckpointOptions const& checkpoint, double progress_seconds)
    : ranks_(ranks),
      walltime_(walltime),
      every_steps_(checkpoint.every_steps()),
      every_seconds_(checkpoint.every_seconds()),
      progress_seconds_(progress_seconds) {}

std::chrono::steady_clock::time_point program_start() { return loaded; }

double StopConditions::elapsed() const { return since(program_start()); }

void StopConditions::checkpoint_took(double seconds) {
  longest_checkpoint_ = std::max(longest_checkpoint_, seconds);
  last_checkpoint_ = Clock::now();
}

Decision StopConditions::decide(Index step, double block_seconds) {
  enum { signal, out_of_time, checkpoint_due, progress_due, block_microseconds, count };
  std::vector<Index> flags(count);
  flags[signal] = Signals::raised();
  if (ranks_.is_root()) {
    double const reserve = std::max(3 * longest_checkpoint_, 30.);
    flags[out_of_time] = walltime_ > 0 && elapsed() + block_seconds > walltime_ - std::min(reserve, walltime_ / 2);
    flags[checkpoint_due] = every_seconds_ && since(last_checkpoint_) >= *every_seconds_;
    flags[progress_due] = since(last_progress_) >= progress_seconds_;
  }
  flags[block_microseconds] = Index(block_seconds * 1e6);
  ranks_.all_reduce(flags, Reduction::maximum);

  Decision d;
  d.stop = flags[signal] || flags[out_of_time];
  d.reason = flags[signal] ? "signal " + Signals::name(int(flags[signal])) : flags[out_of_time] ? wall_clock_limit : "";
  d.checkpoint = d.stop || flags[checkpoint_due] || (every_steps_ && step % *every_steps_ == 0);
  d.progress = flags[progress_due];
  d.longer_blocks = std::clamp(block_target / std::max(double(flags[block_microseconds]) * 1e-6, 1e-6), 0.25, 4.);
  if (d.progress) last_progress_ = Clock::now();
  return d;
}

}  // namespace partita
