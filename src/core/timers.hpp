// Where the time of a run goes, by named phases.
#pragma once
#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "core/types.hpp"

namespace partita {

// Phases nest, and their times exclude each other: while an inner phase is open the outer one's clock stands still, so that all phases and
// the time outside of them add up to the wall time. A phase is also a Kokkos profiling region. For one thread.
//
// On a device a phase ends when its kernels have been launched, and their time is that of the phase that waits for them: to wait at every
// phase would cost more than short kernels do. With PARTITA_WAIT_FOR_PHASES=1 in the environment each phase waits, and has its own time.
class Timers {
 public:
  struct Phase {
    std::string name;
    Index calls = 0;
    double seconds = 0;
  };
  // A phase lasts as long as its scope, whose name is that of the phase and contains no line break.
  class Scope {
   public:
    Scope(Timers& timers, std::string_view name) : timers_(timers) { timers_.enter(name); }
    ~Scope() { timers_.leave(); }
    Scope(Scope const&) = delete;
    Scope& operator=(Scope const&) = delete;

   private:
    Timers& timers_;
  };

  // Times since construction: first that outside of all phases, named "other", then those of the phases in order of first use.
  std::vector<Phase> const& phases();

  // Whether phases wait for their kernels; on a CPU kernels have ended when they return.
  static bool waits_for_device();

  // The innermost open phase of the Timers that were used last; may be called from another thread.
  static std::string current_phase();

 private:
  using Clock = std::chrono::steady_clock;
  void enter(std::string_view name);
  void leave();
  void charge_open_phase();

  std::vector<Phase> phases_ = {{"other"}};
  std::vector<std::size_t> open_ = {0};  // nested phases, the innermost last
  Clock::time_point charged_until_ = Clock::now();
};

}  // namespace partita
