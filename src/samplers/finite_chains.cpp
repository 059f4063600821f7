#include "samplers/finite_chains.hpp"

#include <algorithm>
#include <limits>

#include "core/require.hpp"

namespace partita {

namespace {

constexpr Index none = std::numeric_limits<Index>::max();

void refuse(Communicator const& ranks, Index first_here, Index step, double last_energy) {
  Index const first = ranks.all_reduce(first_here, Reduction::minimum);
  require_all(
      first == none, ExitCode::numerical,
      "chain {} is not finite at step {} (last finite mean energy {:.6g}): the steps are too large for this energy, or the energy is "
      "unbounded below; use a smaller sampler.step_size, or, where the energy is learnt, a smaller optimizer.learning_rate",
      first, step, last_energy);
}

}  // namespace

Index restart_nonfinite_chains(Communicator const& ranks, Chains const& chains, random::Key key, Index step,
                               InitialDistribution const& initial, TileScalarStorage const& energy) {
  auto const is_whole = [&](TileStorage const& values) {
    return values.size() == 0 || first_nonfinite_chain(values, chains.tiling, chains.mine) < 0;
  };
  Index restarted = 0;
  bool const by_energy = energy.size() > 0;
  if (by_energy || !is_whole(chains.x) || !is_whole(chains.velocity)) {
    auto const x = chains.x, velocity = chains.velocity;
    TileStorage const fresh("fresh starts", x.extent(0), x.extent(1), x.extent(2));
    place(fresh, chains.numbers(), {.key = key, .stream = random::Stream::restart_state, .step = step}, initial);
    Index const d = chains.dimension, pitch = chains.tiling.pitch(), width = chains.tiling.width, all = chains.tiling.chains;
    Index const first_tile = chains.mine.first, velocities = extent(velocity, 1);
    Kokkos::parallel_reduce(
        "partita::restart_nonfinite", Kokkos::RangePolicy<Execution, Kokkos::IndexType<Index>>(0, chains.mine.count * pitch),
        KOKKOS_LAMBDA(Index n, Index & sum) {
          Index const tile = n / pitch, lane = n % pitch;
          Real nothing = 0;  // NaN as soon as a value is not finite
          for (Index i = 0; i < d; i++) nothing += x(tile, i, lane) - x(tile, i, lane);
          for (Index i = 0; i < velocities; i++) nothing += velocity(tile, i, lane) - velocity(tile, i, lane);
          if (by_energy) nothing += energy(tile, lane) - energy(tile, lane);
          if (nothing == 0) return;
          for (Index i = 0; i < d; i++) x(tile, i, lane) = fresh(tile, i, lane);
          for (Index i = 0; i < velocities; i++) velocity(tile, i, lane) = 0;
          sum += lane < width && (first_tile + tile) * width + lane < all ? 1 : 0;
        },
        restarted);
    repeat_last_chain(chains, {0, chains.mine.count});
  }
  return ranks.all_reduce(restarted, Reduction::sum);
}

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
