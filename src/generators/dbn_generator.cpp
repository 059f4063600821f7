#include "generators/dbn_generator.hpp"

#include <utility>

#include "core/math.hpp"
#include "generators/entry.hpp"
#include "samplers/chain_options.hpp"
#include "samplers/gibbs.hpp"
#include "samplers/start_chains.hpp"

namespace partita {
namespace {

// p(v = 1 | h) of a machine's visible units.
void visible_means(Rbm const& machine, ConstTiles hidden, Tiles to) {
  machine.visible_field(hidden, to);
  ConstVector const a = machine.visible_bias();
  auto const units = extent(to, 1), lanes = extent(to, 2);
  Kokkos::parallel_for(
      "partita::visible_means", Kokkos::RangePolicy<Execution, Kokkos::IndexType<Index>>(0, extent(to, 0) * units), KOKKOS_LAMBDA(Index n) {
        Real* const row = &to(n / units, n % units, 0);
        for (Index l = 0; l < lanes; l++) row[l] = math::sigmoid(row[l] + a(n % units));
      });
}

Chains make_top_chains(Arrays const& arrays, DeepBeliefNetwork const& model, Tiling const& tiling, TileRange mine) {
  return {"top chains", tiling, mine, model.top().dimension(), arrays};
}

// The layers below the top machine, and behind them the means of the lowest: (tile, units, pitch) each.
std::vector<TileStorage> make_layers(Arrays const& arrays, DeepBeliefNetwork const& model, TileRange mine, Index pitch) {
  std::vector<TileStorage> out;
  auto const add = [&](Index units) { out.push_back(arrays.make<TileStorage>("samples of a layer", mine.count, units, pitch)); };
  for (Index k = 0; k + 1 < model.machines(); k++) add(model.machine(k).dimension());
  add(model.dimension());
  return out;
}

}  // namespace

deck::Schema dbn_generator_schema() {
  using O = DbnGeneratorOptions;
  return deck::schema<O>("dbn_top_down", "samples of a deep_belief_network: Gibbs sweeps in its top machine, then one pass down",
                         {deck::key("steps", &O::steps, "number of Gibbs sweeps of the top machine").at_least(1)});
}

DbnGenerator::DbnGenerator(DeepBeliefNetwork const& model, DbnGeneratorOptions options, Tiling const& tiling, Communicator communicator,
                           random::Key key)
    : model_(model),
      options_(options),
      key_(key),
      chains_(make_top_chains({}, model, tiling, share_of_tiles(tiling.tiles(), communicator.rank(), communicator.ranks()))) {
  start_chains(model.top(), chains_, {.key = key, .stream = random::Stream::initial_state}, {});
}

void DbnGenerator::list(Arrays held, Arrays at_end, DeepBeliefNetwork const& model, Share const& share) {
  make_top_chains(held, model, share.tiling, share.mine());
  model.work(held, tiles_in_flight(share.mine().count), share.tiling.width);
  make_layers(at_end, model, share.mine(), share.tiling.pitch());
}

void DbnGenerator::advance(Index step, Index steps) { Gibbs().advance(model_.top(), chains_, key_, step, steps); }

std::vector<TileStorage> DbnGenerator::samples() {
  Index const last = model_.machines() - 1;
  auto layers = make_layers({}, model_, chains_.mine, chains_.tiling.pitch());
  TileStorage const means = std::exchange(layers.back(), chains_.x);
  for (Index tile = 0; tile < chains_.mine.count; tile++) {
    auto const view = [&](TileStorage const& s) {
      return Tiles(
          Kokkos::subview(s, std::pair(tile, tile + 1), Kokkos::ALL, std::pair(Index{0}, chains_.tiling.lanes(chains_.mine.first + tile))));
    };
    for (Index k = last - 1; k >= 0; k--)
      model_.draw_below(k, view(layers[k + 1]), view(layers[k]),
                        {.key = key_, .chains = chains_.numbers().from(tile), .step = options_.steps});
    visible_means(model_.machine(0), view(layers[1]), view(means));
  }
  return {layers.front(), means};
}

namespace {

Tiling dbn_tiling(deck::Document const& deck, DeepBeliefNetwork const& model) {
  auto const common = deck.at("generator").as<GeneratorOptions>();
  return {common.samples, ChainOptions{.tile_width = common.tile_width}.width(common.samples, model.top().unit_count(), 2)};
}

}  // namespace

GeneratorEntry dbn_top_down_generator() {
  return {{dbn_generator_schema(),
           [](GeneratorContext const& c) {
             auto const& model = as<DeepBeliefNetwork>(c.model);
             auto const& block = c.deck.at("generator");
             return std::make_unique<DbnGenerator>(model, block.as<DbnGeneratorOptions>(), dbn_tiling(c.deck, model), c.ranks, c.key);
           }},
          [](GeneratorListing const& l) {
            auto const& model = as<DeepBeliefNetwork const>(l.model);
            Tiling const tiling = dbn_tiling(l.deck, model);
            DbnGenerator::list(l.held, l.at_end, model, l.share(tiling));
            return GeneratorEntry::Laid{tiling, {{"x", model.dimension()}, {"x_mean", model.dimension()}}};
          },
          needs<DeepBeliefNetwork>(),
          false};
}

}  // namespace partita
