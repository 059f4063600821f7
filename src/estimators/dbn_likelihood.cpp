#include "estimators/dbn_likelihood.hpp"

#include <cmath>
#include <limits>

#include "comm/tile_sums.hpp"
#include "core/math.hpp"
#include "core/require.hpp"

namespace partita {
namespace {

using Range = Kokkos::RangePolicy<Execution, Kokkos::IndexType<Index>>;
constexpr Index width = 128;  // items a tile

// value += sign sum_i log p(unit_i), binary units with log odds field + bias.
void add_log_probability(Tiles units, Tiles field, ConstVector bias, double sign, LogWeights value) {
  Index const rows = static_cast<Index>(units.extent(1));
  Kokkos::parallel_for(
      "partita::log_probability", Range(0, static_cast<Index>(units.extent(2))), KOKKOS_LAMBDA(Index l) {
        double sum = 0;
        for (Index i = 0; i < rows; i++) {
          Real const odds = field(0, i, l) + bias(i);
          sum += static_cast<double>(units(0, i, l) * odds - math::softplus(odds));
        }
        value(0, l) += sign * sum;
      });
}

// One tile of items with its layers.
class Tower {
 public:
  explicit Tower(DeepBeliefNetwork const& model) : model_(model), value_("log weights", 1, width), energy_("top energies", 1, width) {
    for (Index k = 0; k < model.machines(); k++) {
      layers_.emplace_back("layer", 1, model.machine(k).dimension(), width);
      fields_.emplace_back("fields of a layer", 1, model.machine(k).dimension(), width);
    }
  }
  TileStorage const& items() const { return layers_.front(); }

  // log w of one draw for each lane.
  std::vector<double> draw(Index lanes, Sweep const& sweep) {
    Index const top = model_.machines() - 1;
    std::vector<Tiles> drawn;
    for (Index k = 1; k <= top; k++) drawn.push_back(seen(layers_, k, lanes));
    model_.draw_upwards(seen(layers_, 0, lanes), drawn, sweep);
    Kokkos::deep_copy(value_, 0.);
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
    auto const of_top = Kokkos::create_mirror_view_and_copy(Kokkos::HostSpace(), energy_);
    auto const below_top = Kokkos::create_mirror_view_and_copy(Kokkos::HostSpace(), value_);
    std::vector<double> out;
    for (Index l = 0; l < lanes; l++) out.push_back(below_top(0, l) - static_cast<double>(of_top(0, l)));
    return out;
  }

 private:
  static Tiles seen(std::vector<TileStorage> const& all, Index k, Index lanes) {
    return Kokkos::subview(all[static_cast<std::size_t>(k)], Kokkos::ALL, Kokkos::ALL, std::pair(Index{0}, lanes));
  }
  DeepBeliefNetwork const& model_;
  std::vector<TileStorage> layers_, fields_;
  LogWeights value_;
  TileScalarStorage energy_;
};

}  // namespace

DbnLikelihood dbn_likelihood(DeepBeliefNetwork const& model, ItemTiles const& items, Index draws, Communicator const& ranks,
                             random::Key key) {
  Tiling const tiling{items.count, std::min(width, round_up(items.count, lane_quantum))};
  TileRange const mine = share_of_tiles(tiling.tiles(), ranks.rank(), ranks.ranks());
  Tower tower(model);
  std::vector<double> sums;  // of the bounds, of the importance estimates and of the squares of both
  for (Index tile = mine.first; tile < mine.end(); tile++) {
    items.fill(tower.items(), tiling, {tile, 1});
    Index const lanes = tiling.lanes(tile);
    std::vector<double> mean(static_cast<std::size_t>(lanes)), largest(mean.size(), -std::numeric_limits<double>::infinity()),
        sum(mean.size());
    for (Index d = 0; d < draws; d++) {
      auto const w = tower.draw(lanes, {.key = key, .chains = ChainNumbers(tiling, {tile, 1}), .step = d});
      for (std::size_t l = 0; l < w.size(); l++) {
        double const peak = std::max(largest[l], w[l]);
        sum[l] = sum[l] * std::exp(largest[l] - peak) + std::exp(w[l] - peak);
        largest[l] = peak;
        mean[l] += w[l] / static_cast<double>(draws);
      }
    }
    double total[4] = {};
    for (Index l = 0; l < tiling.chains_in(tile); l++) {
      auto const i = static_cast<std::size_t>(l);
      double const bound = mean[i], importance = largest[i] + std::log(sum[i] / static_cast<double>(draws));
      total[0] += bound, total[1] += importance, total[2] += bound * bound, total[3] += importance * importance;
    }
    sums.insert(sums.end(), total, total + 4);
  }
  auto const all = sum_over_tiles(ranks, mine, tiling.tiles(), sums, 4);
  auto const n = static_cast<double>(items.count);
  auto const estimate = [&](std::size_t k) {
    double const mean = all[k] / n;
    return Estimate{mean, std::sqrt(std::max(0., all[k + 2] / n - mean * mean) / (n - 1))};
  };
  require_all(std::isfinite(all[1]), ExitCode::numerical, "a weight of the items is not finite; are the model's parameters?");
  return {estimate(0), estimate(1)};
}

}  // namespace partita
