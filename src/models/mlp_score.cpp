#include "models/mlp_score.hpp"

#include <algorithm>

#include "core/require.hpp"

namespace partita {
namespace {

using mlp::some_tiles, mlp::extent_of;

// Tiles first, first + 1, ... of one number per lane; an empty View stays empty.
template <class View>
View some_scalars(View const& v, Index first, Index count) {
  if (v.data() == nullptr) return {};
  return Kokkos::subview(v, std::make_pair(first, first + count), Kokkos::ALL);
}

// product = v . (lambda x - output / sigma), unless empty.
template <class Lambda>
void project(ConstTiles const& v, ConstTiles const& x, Tiles const& output, Lambda const& lambda, Index first_tile,
             TileScalars const& product) {
  if (product.data() == nullptr) return;
  Index const dimension = extent(x, 1);
  layer::for_lanes(
      "partita::mlp_project", extent_of(x), KOKKOS_LAMBDA(Index tile, Index first, Index lanes) {
        for (Index l = first; l < first + lanes; l++) product(tile, l) = 0;
        for (Index i = 0; i < dimension; i++)
          for (Index l = first; l < first + lanes; l++)
            product(tile, l) +=
                v(tile, i, l) * (lambda(first_tile + tile, l) * x(tile, i, l) - output(tile, i, l) / lambda.sigma(first_tile + tile, l));
      });
}

// cotangent = -c v / sigma; c empty: 1.
template <class Noise>
void weigh(ConstTileScalars const& c, ConstTiles const& v, Noise const& sigma, Index first_tile, Tiles const& cotangent) {
  Index const dimension = extent(v, 1);
  layer::for_lanes(
      "partita::mlp_cotangent", extent_of(v), KOKKOS_LAMBDA(Index tile, Index first, Index lanes) {
        for (Index i = 0; i < dimension; i++)
          for (Index l = first; l < first + lanes; l++)
            cotangent(tile, i, l) = (c.data() == nullptr ? Real(-1) : -c(tile, l)) * v(tile, i, l) / sigma(first_tile + tile, l);
      });
}

}  // namespace

deck::Schema mlp_score_schema() {
  return deck::schema<MlpOptions>(
      "score_mlp", "fully connected network with as many outputs as inputs, s(x) = N(x; theta) - lambda x: a score without an energy",
      mlp_keys());
}

// The network gives the score itself: its jets are of one order less.
void MlpScore::jet_work(Arrays arrays, Index tiles, Index lanes, int order, bool) const {
  pass_work(arrays, tiles, lanes, std::max(order - 1, 0));
  for (std::size_t part = 0; part < (order > 1 ? 2u : 1u); part++)
    arrays.grow(output_[part], "mlp output", tiles_at_once(tiles), dimension_, pitch_of(lanes));
}

void MlpScore::gradient(ConstTiles x, Tiles gradient) const {
  Index const tiles = extent(x, 0), flight = tiles_at_once(tiles);
  MlpTape const t = tape(tiles, extent(x, 2), 0);
  for (Index first = 0; first < tiles; first += flight)
    network_.forward(parameters_, input(x, first, flight), {}, {some_tiles(gradient, first, flight)}, t);
  auto const lambda = quadratic();
  Index const dimension = dimension_;
  layer::for_lanes(
      "partita::mlp_score", extent_of(x), KOKKOS_LAMBDA(Index tile, Index first, Index lanes) {
        for (Index i = 0; i < dimension; i++)
          for (Index l = first; l < first + lanes; l++)
            gradient(tile, i, l) = lambda(tile, l) * x(tile, i, l) - gradient(tile, i, l) / lambda.sigma(tile, l);
      });
}

void MlpScore::directional_forward(ConstTiles x, ConstTiles v, int order, TileScalars first, TileScalars second) {
  Index const tiles = extent(x, 0), lanes = extent(x, 2), flight = tiles_at_once(tiles);
  order_ = order, direction_ = v;
  jet_work({}, tiles, lanes, order, false);
  MlpTape const t = tape(tiles, lanes, order - 1);
  Jet const jet{output(0, flight, lanes), order > 1 ? output(1, flight, lanes) : Tiles()};
  ConstTiles const inner = order > 1 ? v : ConstTiles();  // of the network's own jet
  for (Index k = 0; k < tiles; k += flight) {
    ConstTiles const here = some_tiles(x, k, flight), along = some_tiles(v, k, flight);
    network_.forward(parameters_, input(x, k, flight), direction(inner, k, flight), jet, t);
    taped_first_ = k;
    project(along, here, jet[0], quadratic(), k, some_scalars(first, k, flight));
    if (order > 1) project(along, along, jet[1], quadratic(), k, some_scalars(second, k, flight));
  }
}

void MlpScore::directional_reverse(ConstTiles x, ConstTileScalars c1, ConstTileScalars c2, Vector sum) {
  Index const tiles = extent(x, 0), lanes = extent(x, 2), flight = tiles_at_once(tiles), taped = taped_first_;
  MlpTape const t = tape(tiles, lanes, order_ - 1);
  for (Index k = tiles - flight; k >= 0; k -= flight) {  // the last first: the tape still holds it
    ConstTiles const here = input(x, k, flight), along = direction(order_ > 1 ? direction_ : ConstTiles(), k, flight),
                     v = some_tiles(direction_, k, flight);
    if (k != taped) network_.forward(parameters_, here, along, {}, t);
    auto const cotangent = [&](ConstTileScalars const& c, std::size_t part) -> ConstTiles {
      if (c.data() == nullptr) return {};
      Tiles const to = output(part, flight, lanes);
      weigh(some_scalars(c, k, flight), v, noise_, k, to);
      return to;
    };
    network_.reverse(parameters_, here, along, {cotangent(c1, 0), cotangent(c2, 1)}, t, sum, {});
  }
}

void MlpScore::gradient_forward(ConstTiles x, Tiles gradient) {
  this->gradient(x, gradient);
  auto const tiles = extent(x, 0);
  taped_first_ = tiles - tiles_at_once(tiles);
}

void MlpScore::gradient_reverse(ConstTiles x, ConstTiles v, Vector sum) {
  Index const tiles = extent(x, 0), lanes = extent(x, 2), flight = tiles_at_once(tiles), taped = taped_first_;
  jet_work({}, tiles, lanes, 0, true);
  MlpTape const t = tape(tiles, lanes, 0);
  for (Index k = tiles - flight; k >= 0; k -= flight) {  // the last first: the tape still holds it
    ConstTiles const here = input(x, k, flight);
    if (k != taped) network_.forward(parameters_, here, {}, {}, t);
    Tiles const cotangent = output(0, flight, lanes);
    weigh({}, some_tiles(v, k, flight), noise_, k, cotangent);
    network_.reverse(parameters_, here, {}, {cotangent}, t, sum, {});
  }
}

}  // namespace partita
