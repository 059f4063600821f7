#include "samplers/gibbs.hpp"

#include "core/require.hpp"
#include "samplers/entry.hpp"

namespace partita {

deck::Schema gibbs_schema() {
  return deck::schema<GibbsOptions>("gibbs", "Gibbs sweeps: every unit drawn given the others, block after block; a step is one sweep", {});
}

GibbsModel const& units_of(Model const& model) {
  auto const* units = dynamic_cast<GibbsModel const*>(&model);
  require_all(units != nullptr, ExitCode::usage,
              "gibbs draws units from their conditional distributions, but this model has none in closed form; use a Langevin sampler");
  return *units;
}

void Gibbs::prepare(Model const& model, Chains&, random::Key) { units_of(model); }

void Gibbs::advance(Model const& of, Chains& chains, random::Key key, TileRange local, Index first_step, Index steps) {
  GibbsModel const& model = units_of(of);
  Index const flight = tiles_in_flight(chains.mine.count);
  for (Index first = local.first; first < local.end();) {
    Index const lanes = chains.tiling.lanes(chains.mine.first + first);
    Index count = 1;
    while (count < flight && first + count < local.end() && chains.tiling.lanes(chains.mine.first + first + count) == lanes) count++;
    Tiles const x = chains.tiles(first, count, lanes);
    for (Index step = first_step; step < first_step + steps; step++)
      model.sweep(x, {.key = key, .chains = chains.numbers().from(first), .step = step, .beta = 1 / temperature_, .held = chains.held});
    first += count;
  }
}

namespace {

// Copies the chains that are restarted, which `place` chooses in the same way.
void copy_some(TileStorage const& from, Chains const& chains, StartKey const& start) {
  auto const x = chains.x;
  auto const numbers = chains.numbers();
  auto const key = start.key;
  auto const at = static_cast<std::uint64_t>(start.step);
  Real const share = static_cast<Real>(start.fraction);
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
  if (!all) Kokkos::deep_copy(to, chains.x);
  for (Index tile = 0; tile < chains.mine.count; tile++) {
    auto const one = std::pair(tile, tile + 1);
    Tiles const x = Kokkos::subview(to, one, Kokkos::ALL, std::pair(Index{0}, chains.tiling.pitch()));
    model->sweep(x, {start.key, chains.numbers().from(tile), start.step, 0, chains.held, random::Stream::gibbs_start});
  }
  if (!all) copy_some(to, chains, start);
}

namespace {

void moves_one_machine(Fit const& fit) {
  if (fit.deck.task == "sample" && !fit.can.has<GibbsModel>())
    fit.refuse("", "a belief network is sampled from its top machine down; use task = \"generate\" with generator.type = \"dbn_top_down\"");
}

}  // namespace

SamplerEntry gibbs_sampler() {
  return sampler_entry<Gibbs, GibbsOptions>(gibbs_schema(), needs<GibbsModel, DeepBeliefNetwork>(), moves_one_machine);
}

}  // namespace partita
