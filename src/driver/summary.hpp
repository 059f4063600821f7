// The end of a run: its metrics and the verdict on them, printed and written to summary.json.
#pragma once
#include "driver/task.hpp"

namespace partita {

// Prints and writes the results of a run. Collective. `status`: "done" or "stopped early", after `step` steps; `chain_steps`: of all
// chains.
void summarise(RunContext const&, std::string const& status, Index step, double chain_steps, Results const&);

}  // namespace partita
