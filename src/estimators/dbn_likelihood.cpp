#include "estimators/dbn_likelihood.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/copy.hpp"
#include "core/math.hpp"
#include "core/require.hpp"

namespace partita {
namespace {

using Range = Kokkos::RangePolicy<Execution, Kokkos::IndexType<Index>>;
constexpr Index width = 128;  // items a tile

// value += sign sum_i log p(unit_i), binary units with log odds field + bias.
void add_log_probability(Tiles units, Tiles field, ConstVector bias, double sign, LogWeights value) {
  Index const rows = extent(units, 1);
  Kokkos::parallel_for(
      "partita::log_probability", Range(0, extent(units, 2)), KOKKOS_LAMBDA(Index l) {
        double sum = 0;
        for (Index i = 0; i < rows; i++) {
          Real const odds = field(0, i, l) + bias(i);
          sum += double(units(0, i, l) * odds - math::softplus(odds));
        }
        value(0, l) += sign * sum;
      });
}

// One tile of items with its layers.
class LayerTile {
 public:
  explicit LayerTile(DeepBeliefNetwork const& model) : model_(model), value_("log weights", 1, width), energy_("top energies", 1, width) {
    for (Index k = 0; k < model.machines(); k++) {
      layers_.emplace_back("layer", 1, model.machine(k).dimension(), width);
      fields_.emplace_back("fields of a layer", 1, model.machine(k).dimension(), width);
    }
  }
  TileStorage const& items() const { return layers_.front(); }

  // Draws the hidden layers of every lane once; returns log w of each lane.
  std::vector<double> draw(Index lanes, Sweep const& sweep) {
    Index const top = model_.machines() - 1;
    std::vector<Tiles> drawn;
    for (Index k = 1; k <= top; k++) drawn.push_back(seen(layers_, k, lanes));
    model_.draw_upwards(seen(layers_, 0, lanes), drawn, sweep);
    fill_array(value_, 0.);
    for (Index k = 0; k < top; k++) {
      Rbm const& machine = model_.machine(k);
      Tiles const below = seen(layers_, k, lanes), above = seen(layers_, k + 1, lanes);
      machine.visible_field(above, seen(fields_, k, lanes));
      add_log_probability(below, seen(fields_, k, lanes), machine.visible_bias(), 1, value_);
      machine.hidden_field(below, seen(fields_, k + 1, lanes));
      add_log_probability(above, seen(fields_, k + 1, lanes), machine.hidden_bias(), -1, value_);
    }
    TileScalars const energy = Kokkos::subview(energy_, Kokkos::ALL, std::pair(Index{0}, lanes));
    model_.top().energy(seen(layers_, top, lanes), energy);
    auto const of_top = values_on_host(energy_);
    auto const below_top = values_on_host(value_);
    std::vector<double> out;
    for (Index l = 0; l < lanes; l++) out.push_back(below_top(0, l) - double(of_top(0, l)));
    return out;
  }

 private:
  static Tiles seen(std::vector<TileStorage> const& all, Index k, Index lanes) {
    return Kokkos::subview(all[k], Kokkos::ALL, Kokkos::ALL, std::pair(Index{0}, lanes));
  }
  DeepBeliefNetwork const& model_;
  std::vector<TileStorage> layers_, fields_;
  LogWeights value_;
  TileScalarStorage energy_;
};

}  // namespace

void list_dbn_likelihood(Arrays arrays, DeepBeliefNetwork const& model, Index items, Index draws) {
  for (Index k = 0; k < model.machines(); k++)
    arrays.count<Real>("a layer of items, and its fields", 2, model.machine(k).dimension(), width);
  arrays.count<double>("log weights of a tile of items", width, draws);
  arrays.count<double>("likelihoods of the items, and as gathered", 2, 7, items);
}

DbnLikelihood dbn_likelihood(DeepBeliefNetwork const& model, ItemTiles const& items, Index draws, Communicator const& ranks,
                             random::Key key) {
  Tiling const tiling{items.count, std::min(width, round_up(items.count, lane_quantum))};
  TileRange const mine = share_of_tiles(tiling.tiles(), ranks.rank(), ranks.ranks());
  LayerTile tower(model);
  std::vector<double> bounds, means;  // (item), and (item, numbers of a LogMean)
  for (Index tile = mine.first; tile < mine.end(); tile++) {
    items.fill(tower.items(), tiling, {tile, 1});
    Index const lanes = tiling.lanes(tile), real = tiling.chains_in(tile);
    std::vector<std::vector<double>> log_weights(real);
    for (auto& of_item : log_weights) of_item.reserve(std::size_t(draws));
    for (Index d = 0; d < draws; d++) {
      auto const w = tower.draw(lanes, {.key = key, .chains = ChainNumbers(tiling, {tile, 1}), .step = d});
      for (std::size_t l = 0; l < log_weights.size(); l++) log_weights[l].push_back(w[l]);
    }
    for (auto const& of_item : log_weights) {
      bounds.push_back(std::accumulate(of_item.begin(), of_item.end(), 0.) / double(draws));
      auto const m = std::isfinite(bounds.back()) ? log_mean_exp(of_item) : LogMean{};  // refused below
      means.insert(means.end(), {m.value, m.tail_index, m.effective, m.largest_share, m.seen, m.unseen});
    }
  }
  bounds = ranks.all_gather(bounds), means = ranks.all_gather(means);
  require_all(std::all_of(bounds.begin(), bounds.end(), [](double b) { return std::isfinite(b); }), ExitCode::numerical,
              "an importance weight of the items is not finite; check that the model's parameters are");
  std::vector<LogMean> of_items;
  for (double const* m = means.data(); m != means.data() + means.size(); m += 6)
    of_items.push_back({m[0], std::size_t(draws), m[1], m[2], m[3], m[4], m[5]});
  return {mean_and_error(bounds), mean_of_logs(of_items)};
}

}  // namespace partita
