#include "driver/nonfinite.hpp"

#include "core/require.hpp"

namespace partita {

void require_finite_chains(Communicator const& ranks, Chains const& chains, Index step, double last_energy) {
  Index const mine = first_nonfinite_chain(chains), none = chains.tiling.chains;
  Index const first = ranks.all_reduce(mine < 0 ? none : mine, Reduction::minimum);
  require_all(first == none, ExitCode::numerical,
              "chain {} is not finite at step {} (last mean energy {:.6g}): the step size is too large for this energy, or the energy is unbounded below; use a smaller sampler.step_size", first,
              step, last_energy);
}

}  // namespace partita
