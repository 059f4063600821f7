#include "driver/nonfinite.hpp"

#include <algorithm>
#include <limits>

#include "core/require.hpp"

namespace partita {

void require_finite_chains(Communicator const& ranks, std::vector<Chains> const& sets, Index step, double last_energy) {
  Index const none = std::numeric_limits<Index>::max();
  Index mine = none, before = 0;
  for (Chains const& chains : sets) {
    Index const first = first_nonfinite_chain(chains);
    if (first >= 0) mine = std::min(mine, before + first);
    before += chains.tiling.chains;
  }
  Index const first = ranks.all_reduce(mine, Reduction::minimum);
  require_all(first == none, ExitCode::numerical,
              "chain {} is not finite at step {} (last mean energy {:.6g}): the step size is too large for this energy, or the energy is unbounded below; use a smaller "
              "sampler.step_size",
              first, step, last_energy);
}

}  // namespace partita
