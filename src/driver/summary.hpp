// The end of a run: its numbers and their verdict, told to people and written to summary.json.
#pragma once
#include "driver/task.hpp"

namespace partita {

// What the run measured, said and written. Collective. `status`: "done" or "stopped early", after `step` steps; `chain_steps`: of all
// chains; `analytic_flops`: of parts that no matrix product counts.
void summarise(RunContext const&, std::string const& status, Index step, double chain_steps, double analytic_flops, Results const&);

}  // namespace partita
