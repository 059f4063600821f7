#include "samplers/finite_chains.hpp"

#include <algorithm>
#include <limits>

#include "core/require.hpp"

namespace partita {

namespace {

constexpr Index none = std::numeric_limits<Index>::max();

void refuse(Communicator const& ranks, Index first_here, Index step, double last_energy) {
  Index const first = ranks.all_reduce(first_here, Reduction::minimum);
  require_all(first == none, ExitCode::numerical,
              "chain {} is not finite at step {} (last mean energy {:.6g}): the step size is too large for this energy, or the energy is "
              "unbounded below; use a smaller "
              "sampler.step_size",
              first, step, last_energy);
}

}  // namespace

void require_finite_chains(Communicator const& ranks, std::vector<Chains> const& sets, Index step, double last_energy) {
  Index first_here = none, before = 0;
  for (Chains const& chains : sets) {
    if (Index const first = first_nonfinite_chain(chains); first >= 0) first_here = std::min(first_here, before + first);
    before += chains.tiling.chains;
  }
  refuse(ranks, first_here, step, last_energy);
}

void require_finite_chains(Communicator const& ranks, Tiling const& tiling, TileRange mine, std::vector<TileStorage> const& layers,
                           Index step, double last_energy) {
  Index first_here = none;
  for (TileStorage const& x : layers)
    if (Index const first = first_nonfinite_chain(x, tiling, mine); first >= 0) first_here = std::min(first_here, first);
  refuse(ranks, first_here, step, last_energy);
}

}  // namespace partita
