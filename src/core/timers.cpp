#include "core/timers.hpp"

#include <algorithm>
#include <cstdlib>
#include <mutex>

#include "core/device_access.hpp"

namespace partita {
namespace {

struct {
  std::mutex mutex;
  std::string name = "start";
} current;

void show(std::string const& name) {
  std::lock_guard const guard(current.mutex);
  current.name = name;
}

}  // namespace

std::string Timers::current_phase() {
  std::lock_guard const guard(current.mutex);
  return current.name;
}

bool Timers::waits_for_device() {
  static bool const asked = [] {
    char const* const text = std::getenv("PARTITA_WAIT_FOR_PHASES");
    return text != nullptr && std::string_view(text) == "1";
  }();
  return runs_on_host || asked;
}

void Timers::charge_open_phase() {
  if (waits_for_device()) wait_for_device();  // kernels belong to the phase that launched them
  Clock::time_point const now = Clock::now();
  phases_[open_.back()].seconds += std::chrono::duration<double>(now - charged_until_).count();
  charged_until_ = now;
}

void Timers::enter(std::string_view name) {
  charge_open_phase();
  auto phase = std::find_if(phases_.begin(), phases_.end(), [&](Phase const& p) { return p.name == name; });
  if (phase == phases_.end()) phase = phases_.insert(phases_.end(), {std::string(name)});
  phase->calls++;
  open_.push_back(phase - phases_.begin());
  show(phase->name);
  Kokkos::Profiling::pushRegion(phase->name);
}

void Timers::leave() {
  charge_open_phase();
  open_.pop_back();
  show(phases_[open_.back()].name);
  Kokkos::Profiling::popRegion();
}

std::vector<Timers::Phase> const& Timers::phases() {
  charge_open_phase();
  return phases_;
}

}  // namespace partita
