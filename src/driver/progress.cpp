#include "driver/progress.hpp"

#include <fmt/format.h>

#include <cmath>

#include "core/log.hpp"

namespace partita {

void Progress::start(Index step) {
  first_ = step;
  start_ = std::chrono::steady_clock::now();
}

void Progress::show(Index step, std::string const& details) const {
  if (!ranks_.is_root()) return;
  double const seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count(), done = double(step - first_);
  double const rate = done / std::max(seconds, 1e-9), left = done > 0 ? double(total_ - step) / rate : 0;
  std::string const chain_steps = per_step_ > 0 ? fmt::format(", {:.3g} chain-steps/s", rate * per_step_) : "";
  log::progress_line(fmt::format("{} {}/{} ({:.0f}%)  {:.3g} {}s/s{}  ETA {}  {}", unit_, step, total_,
                                 total_ > 0 ? 100. * double(step) / double(total_) : 100., rate, unit_, chain_steps, readable_time(left),
                                 details));
}

std::string readable_time(double seconds) {
  auto const s = Index(std::round(seconds));
  if (s < 60) return fmt::format("{}s", s);
  if (s < 3600) return fmt::format("{}min {:02}s", s / 60, s % 60);
  return fmt::format("{}h {:02}min", s / 3600, s % 3600 / 60);
}

}  // namespace partita
