// Times of a run's phases, summarised over its ranks.
#pragma once
#include <string>
#include <vector>

#include "comm/communicator.hpp"
#include "core/timers.hpp"

namespace partita {

// Seconds of one phase over the ranks; a rank that never entered it counts with zero.
struct PhaseTimes {
  std::string name;
  Index calls = 0;  // largest over the ranks
  double minimum = 0, mean = 0, maximum = 0;
  double share = 0;  // of the mean wall time; the shares add up to one
};

struct PhaseTable {
  std::vector<PhaseTimes> phases;  // in the order of first use, time outside of all phases last
  double wall_seconds = 0;         // largest over the ranks

  // Aligned columns: phase, calls, min, mean, max seconds, share of the wall time.
  std::string text() const;
};

// Collective; the same on every rank.
PhaseTable phase_table(Timers&, Communicator const&);

}  // namespace partita
