#include "estimators/item_energies.hpp"

#include <cmath>

#include "comm/tile_sums.hpp"
#include "core/copy.hpp"
#include "core/math.hpp"
#include "core/require.hpp"
#include "models/rbm.hpp"

namespace partita {
namespace {

using Range = Kokkos::RangePolicy<Execution, Kokkos::IndexType<Index>>;

constexpr Index width = 256;  // items per tile

// A tile of items: x with its hidden units, if any, after the visible ones, and a number for each lane.
struct Tile {
  Tiles x;
  LogWeights value;
  Index lanes;
};

// Mean and standard error over all items of the value that evaluate(Tile) computes.
template <class Evaluate>
Estimate mean_over_items(GibbsModel& model, ItemTiles const& items, Communicator const& ranks, Evaluate const& evaluate) {
  Tiling const tiling{items.count, std::min(width, round_up(items.count, lane_quantum))};
  TileRange const mine = share_of_tiles(tiling.tiles(), ranks.rank(), ranks.ranks());
  TileStorage const x("items", 1, model.dimension(), tiling.pitch());
  LogWeights const value("of items", 1, tiling.pitch());
  auto const host = Kokkos::create_mirror_view(value);
  model.reserve(1, tiling.width);
  std::vector<double> sums;  // of the values and of their squares
  for (Index tile = mine.first; tile < mine.end(); tile++) {
    items.fill(x, tiling, {tile, 1});
    Index const lanes = tiling.lanes(tile);
    evaluate(Tile{Kokkos::subview(x, Kokkos::ALL, Kokkos::ALL, std::pair(Index{0}, lanes)), value, lanes});
    copy_array(host, value);
    double sum = 0, squares = 0;
    for (Index l = 0; l < tiling.chains_in(tile); l++) sum += host(0, l), squares += host(0, l) * host(0, l);
    sums.insert(sums.end(), {sum, squares});
  }
  auto const total = sum_over_tiles(ranks, mine, tiling.tiles(), sums, 2);
  auto const n = double(items.count);
  double const mean = total[0] / n;
  require_all(std::isfinite(mean), ExitCode::numerical,
              "the mean energy of the items is not finite; check that the model's parameters are");
  return {mean, std::sqrt(std::max(total[1] / n - mean * mean, 0.) / (n - 1)), n - 1};
}

// Hidden units of all lanes, behind the visible ones: the bits of `state`.
void set_hidden(Tiles x, Index visible, Index hidden, Index state) {
  Index const lanes = extent(x, 2);
  Kokkos::parallel_for(
      "partita::set_hidden", Range(0, hidden * lanes),
      KOKKOS_LAMBDA(Index n) { x(0, visible + n / lanes, n % lanes) = Real(state >> n / lanes & 1); });
}

// Free energies of tiles.
class FreeEnergy {
 public:
  explicit FreeEnergy(GibbsModel& model) : model_(model), visible_(model.visible_dimension()), hidden_(model.dimension() - visible_) {
    require_free_energies(model);
  }

  // into = F(v), whatever the hidden units of x are.
  void operator()(Tiles x, LogWeights into) {
    Index const lanes = extent(x, 2);
    if (energy_.extent(1) < x.extent(2)) energy_ = TileScalarStorage("energies of items", 1, x.extent(2));
    TileScalars const energy = Kokkos::subview(energy_, Kokkos::ALL, std::pair(Index{0}, lanes));
    for (Index state = 0; state < Index{1} << hidden_; state++) {
      if (hidden_ > 0) set_hidden(x, visible_, hidden_, state);
      model_.path_energy(x, 1, energy);
      bool const first = state == 0;
      Kokkos::parallel_for(
          "partita::add_state", Range(0, lanes), KOKKOS_LAMBDA(Index l) {
            double const e = double(energy(0, l)), so_far = into(0, l), away = std::fabs(e - so_far);
            into(0, l) = first ? e : (e < so_far ? e : so_far) - std::log1p(std::exp(-away));
          });
    }
  }

 private:
  GibbsModel& model_;
  Index visible_, hidden_;
  TileScalarStorage energy_;
};

// log p(v_k | rest) = -log(1 + exp(F(v) - F(v with unit k flipped))), added to value for each k.
void add_log_conditional(Tile const& tile, LogWeights free_energy, LogWeights flipped) {
  auto const value = tile.value;
  Kokkos::parallel_for(
      "partita::add_log_conditional", Range(0, tile.lanes),
      KOKKOS_LAMBDA(Index l) { value(0, l) -= math::softplus(free_energy(0, l) - flipped(0, l)); });
}

void flip(Tiles x, Index unit) {
  Kokkos::parallel_for(
      "partita::flip_unit", Range(0, extent(x, 2)), KOKKOS_LAMBDA(Index l) { x(0, unit, l) = 1 - x(0, unit, l); });
}

// Of an rbm: a flipped unit changes the fields of the hidden units by one row of W.
void rbm_pseudo_likelihood(Rbm const& rbm, Tiles field, Tiles softplus, Tile const& tile) {
  rbm.hidden_field(tile.x, field);
  ConstVector const w = rbm.weight(), a = rbm.visible_bias(), b = rbm.hidden_bias();
  Index const visible = rbm.dimension(), hidden = rbm.hidden(), strips = divide_up(tile.lanes, strip_lanes);
  auto const x = tile.x;
  auto const value = tile.value;
  Index const lanes = tile.lanes;
  Kokkos::parallel_for(
      "partita::softplus_of_fields", Range(0, hidden), KOKKOS_LAMBDA(Index j) {
        Real *const f = &field(0, j, 0), *const s = &softplus(0, j, 0);
#pragma GCC ivdep
        for (Index l = 0; l < lanes; l++) f[l] += b(j), s[l] = math::softplus(f[l]);
      });
  Kokkos::parallel_for(
      "partita::rbm_pseudo_likelihood", Range(0, strips), KOKKOS_LAMBDA(Index strip) {
        Index const lane = strip * strip_lanes, count = lanes - lane < strip_lanes ? lanes - lane : strip_lanes;
        double total[strip_lanes] = {};
        for (Index k = 0; k < visible; k++) {
          Real const* const v = &x(0, k, lane);
          Real gained[strip_lanes], change[strip_lanes];  // F(v) - F(flipped)
          for (Index l = 0; l < count; l++) change[l] = 1 - 2 * v[l], gained[l] = change[l] * a(k);
          for (Index j = 0; j < hidden; j++) {
            Real const weight = w(k * hidden + j);
            Real const *const f = &field(0, j, lane), *const s = &softplus(0, j, lane);
#pragma GCC ivdep
            for (Index l = 0; l < count; l++) gained[l] += math::softplus(std::fma(change[l], weight, f[l])) - s[l];
          }
          for (Index l = 0; l < count; l++) total[l] -= double(math::softplus(gained[l]));
        }
        for (Index l = 0; l < count; l++) value(0, lane + l) = total[l];
      });
}

}  // namespace

void require_free_energies(GibbsModel const& model) {
  Index const hidden = model.dimension() - model.visible_dimension();
  require_all(hidden == 0 || (model.binary() && hidden <= most_hidden_enumerated), ExitCode::usage,
              "the likelihood of an item is a sum over the states of {} coupled hidden units (at most {} binary ones are "
              "enumerated); use an rbm, whose hidden units are summed out in closed form",
              hidden, most_hidden_enumerated);
}

void list_item_energies(Arrays arrays, GibbsModel const& model) {
  arrays.count<Real>("items", 1, model.dimension(), width);
  model.work(arrays, 1, width);
  if (auto const* rbm = dynamic_cast<Rbm const*>(&model)) arrays.count<Real>("fields of hidden units", 2, rbm->hidden(), width);
}

Estimate mean_free_energy(GibbsModel& model, ItemTiles const& items, Communicator const& ranks) {
  FreeEnergy free_energy(model);
  return mean_over_items(model, items, ranks, [&](Tile const& t) { free_energy(t.x, t.value); });
}

Estimate mean_pseudo_likelihood(GibbsModel& model, ItemTiles const& items, Communicator const& ranks) {
  require_all(model.binary(), ExitCode::usage,
              "pseudo-likelihoods need binary units, and this model has others; use estimator.type = \"free_energy_gap\" or \"ais\"");
  if (auto const* rbm = dynamic_cast<Rbm const*>(&model)) {
    TileStorage const field("hidden fields", 1, rbm->hidden(), width), softplus("softplus of hidden fields", 1, rbm->hidden(), width);
    auto const seen = [](TileStorage const& s, Index lanes) {
      return Tiles(Kokkos::subview(s, Kokkos::ALL, Kokkos::ALL, std::pair(Index{0}, lanes)));
    };
    return mean_over_items(model, items, ranks,
                           [&](Tile const& t) { rbm_pseudo_likelihood(*rbm, seen(field, t.lanes), seen(softplus, t.lanes), t); });
  }
  FreeEnergy free_energy(model);
  LogWeights const here("free energies", 1, width), flipped("free energies of flipped items", 1, width);
  return mean_over_items(model, items, ranks, [&](Tile const& t) {
    fill_array(t.value, 0.);
    free_energy(t.x, here);
    for (Index k = 0; k < model.visible_dimension(); k++) {
      flip(t.x, k);
      free_energy(t.x, flipped);
      flip(t.x, k);
      add_log_conditional(t, here, flipped);
    }
  });
}

}  // namespace partita
