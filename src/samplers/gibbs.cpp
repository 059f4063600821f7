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
  auto const sweep = [&](Index first, Index count, Index lanes) {
    Tiles const x = chains.tiles(first, count, lanes);
    for (Index step = first_step; step < first_step + steps; step++)
      model.sweep(x, {.key = key, .chains = chains.numbers().from(first), .step = step, .beta = 1 / temperature_, .held = chains.held});
  };
  for_tiles_of_one_width(chains.tiling, chains.mine, local, tiles_in_flight(chains.mine.count), sweep);
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
