#include "samplers/start_chains.hpp"

#include "core/copy.hpp"
#include "models/gibbs_model.hpp"

namespace partita {
namespace {

// Copies the chains that are restarted, which `place` chooses in the same way.
void copy_some(TileStorage const& from, Chains const& chains, StartKey const& start) {
  auto const x = chains.x;
  auto const numbers = chains.numbers();
  auto const key = start.key;
  auto const at = std::uint64_t(start.step);
  Real const share = Real(start.fraction);
  Index const d = chains.dimension, pitch = chains.tiling.pitch();
  Kokkos::parallel_for(
      "partita::restart_units", Kokkos::RangePolicy<Execution, Kokkos::IndexType<Index>>(0, chains.mine.count * pitch),
      KOKKOS_LAMBDA(Index n) {
        Index const tile = n / pitch, lane = n % pitch;
        if (random::uniform(random::words(key, numbers.of(tile, lane), random::Stream::restart_choice, at, 0).w[0]) >= share) return;
        for (Index i = 0; i < d; i++) x(tile, i, lane) = from(tile, i, lane);
      });
}

}  // namespace

void start_chains(Model const& of, Chains const& chains, StartKey const& start, InitialDistribution const& initial) {
  if (start.fraction <= 0) return;
  auto const* model = dynamic_cast<GibbsModel const*>(&of);
  if (model == nullptr) return place(chains.x, chains.numbers(), start, initial);
  bool const all = start.fraction >= 1;
  TileStorage const to = all ? chains.x : TileStorage("restarted units", chains.mine.count, chains.dimension, chains.tiling.pitch());
  if (!all) copy_array(to, chains.x);
  for (Index tile = 0; tile < chains.mine.count; tile++) {
    auto const one = std::pair(tile, tile + 1);
    Tiles const x = Kokkos::subview(to, one, Kokkos::ALL, std::pair(Index{0}, chains.tiling.pitch()));
    model->sweep(x, {start.key, chains.numbers().from(tile), start.step, 0, chains.held, random::Stream::gibbs_start});
  }
  if (!all) copy_some(to, chains, start);
}

}  // namespace partita
