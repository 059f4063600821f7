#include "models/mlp_energy.hpp"

#include "core/copy.hpp"
#include "core/require.hpp"
#include "core/tiling.hpp"

namespace partita {
namespace {

using mlp::some_tiles, mlp::extent_of;

// Tiles first, first + 1, ... of an energy, as the only component of a network's output; an empty View stays empty.
template <class Rows, class View>
Rows output_rows(View const& v, Index first, Index count) {
  if (v.data() == nullptr) return {};
  auto const stride = std::size_t(v.stride(0));
  return Rows(v.data() + first * Index(stride), Kokkos::LayoutStride(count, stride, 1, stride, v.extent(1), 1));
}

// sum += share lambda(tile, lane) a b over the components, one number per lane, unless sum is empty.
template <class Lambda>
void add_inner_product(Real share, Lambda const& lambda, ConstTiles const& a, ConstTiles const& b, TileScalars const& sum) {
  if (lambda.lambda == 0 || sum.data() == nullptr) return;
  Index const dimension = extent(a, 1);
  layer::for_lanes(
      "partita::mlp_quadratic", extent_of(a), KOKKOS_LAMBDA(Index tile, Index first, Index lanes) {
        Real* __restrict const to = &sum(tile, first);
        for (Index i = 0; i < dimension; i++) {
          Real const* const ai = &a(tile, i, first);
          Real const* const bi = &b(tile, i, first);
          for (Index l = 0; l < lanes; l++) to[l] = std::fma(share * lambda(tile, first + l) * ai[l], bi[l], to[l]);
        }
      });
}

// gradient += lambda(tile, lane) x.
template <class Lambda>
void add_scaled(Lambda const& lambda, ConstTiles const& x, Tiles const& gradient) {
  if (lambda.lambda == 0) return;
  Index const dimension = extent(x, 1);
  layer::for_lanes(
      "partita::mlp_quadratic", extent_of(x), KOKKOS_LAMBDA(Index tile, Index first, Index lanes) {
        for (Index i = 0; i < dimension; i++) {
          Real const* const from = &x(tile, i, first);
          Real* __restrict const to = &gradient(tile, i, first);
          for (Index l = 0; l < lanes; l++) to[l] = std::fma(lambda(tile, first + l), from[l], to[l]);
        }
      });
}

// to = from factor(tile, lane), on the rows of `to`.
template <class Factor>
void multiply_rows(ConstTiles const& from, Factor const& factor, Index first_tile, Tiles const& to) {
  Index const rows = extent(to, 1);
  layer::for_lanes(
      "partita::mlp_noise", extent_of(to), KOKKOS_LAMBDA(Index tile, Index first, Index lanes) {
        for (Index i = 0; i < rows; i++)
          for (Index l = first; l < first + lanes; l++) to(tile, i, l) = from(tile, i, l) * factor(first_tile + tile, l);
      });
}
// Factors: 1 / sigma for the network's output; and the one that turns its gradient in the network's input into the energy's in x.
template <class Noise>
struct OverNoise {
  Noise noise;
  KOKKOS_FORCEINLINE_FUNCTION Real operator()(Index tile, Index lane) const { return 1 / noise(tile, lane); }
};
template <class Noise>
struct OfGradient {
  Noise noise;
  KOKKOS_FORCEINLINE_FUNCTION Real operator()(Index tile, Index lane) const { return noise.input_scale(tile, lane) / noise(tile, lane); }
};

}  // namespace

deck::Schema mlp_schema() {
  return deck::schema<MlpOptions>("mlp", "fully connected network with one output, E(x) = N(x; theta) + lambda/2 |x|^2, trained from data",
                                  mlp_keys());
}

void MlpEnergy::over_noise(TileScalars const& values) const {
  if (!conditioned() || values.data() == nullptr) return;
  Tiles const rows = output_rows<Tiles>(values, 0, extent(values, 0));
  multiply_rows(rows, OverNoise<Noise>{noise_}, 0, rows);
}

ConstTileScalars MlpEnergy::weights_over_noise(ConstTileScalars const& c, std::size_t part) {
  if (!conditioned() || c.data() == nullptr) return c;
  work_beside_passes({}, extent(c, 0), extent(c, 1), false);
  TileScalars const scaled = leading(weights_[part], extent(c, 0), extent(c, 1));
  copy_array(scaled, c);
  over_noise(scaled);
  return scaled;
}

void MlpEnergy::work(Arrays arrays, Index tiles, Index lanes) const {
  EnergyModel::work(arrays, tiles, lanes);
  MlpModel::work(arrays, tiles, lanes);
  work_beside_passes(arrays, tiles, lanes, false);
}

void MlpEnergy::jet_work(Arrays arrays, Index tiles, Index lanes, int order, bool gradients) const {
  pass_work(arrays, tiles, lanes, gradients ? 2 : order);
  work_beside_passes(arrays, tiles, lanes, gradients);
}

void MlpEnergy::work_beside_passes(Arrays arrays, Index tiles, Index lanes, bool gradients) const {
  if (conditioned())
    for (auto& weights : weights_) arrays.grow(weights, "mlp weights", tiles, pitch_of(lanes));
  if (conditioned() || gradients)
    arrays.grow(input_gradient_, "mlp input gradient", tiles_at_once(tiles), network_.inputs(0), pitch_of(lanes));
}

// Where the network's gradient in its input goes: that in x, or one with log sigma's.
Tiles MlpEnergy::gradient_of_input(Tiles gradient) const {
  if (!conditioned()) return gradient;
  work_beside_passes({}, extent(gradient, 0), extent(gradient, 2), false);
  return leading(input_gradient_, extent(gradient, 0), dimension_ + 1, extent(gradient, 2));
}

void MlpEnergy::energy(ConstTiles x, TileScalars energy) const {
  Index const tiles = extent(x, 0), flight = tiles_at_once(tiles);
  MlpTape const t = tape(tiles, extent(x, 2), 0);
  for (Index first = 0; first < tiles; first += flight)
    network_.forward(parameters_, input(x, first, flight), {}, {output_rows<Tiles>(energy, first, flight)}, t);
  over_noise(energy);
  add_inner_product(Real(0.5), quadratic(), x, x, energy);
}

void MlpEnergy::energy_and_gradient(ConstTiles x, TileScalars energy, Tiles gradient) const {
  Index const tiles = extent(x, 0), lanes = extent(x, 2), flight = tiles_at_once(tiles);
  MlpTape const t = tape(tiles, lanes, 0);
  for (Index first = 0; first < tiles; first += flight) {
    network_.forward(parameters_, input(x, first, flight), {}, {output_rows<Tiles>(energy, first, flight)}, t);
    Tiles const here = some_tiles(gradient, first, flight);
    Tiles const of_input = gradient_of_input(here);
    network_.input_gradient(parameters_, t, of_input);
    if (conditioned()) multiply_rows(of_input, OfGradient<Noise>{noise_}, first, here);
  }
  over_noise(energy);
  add_inner_product(Real(0.5), quadratic(), x, x, energy);
  add_scaled(quadratic(), x, gradient);
}

void MlpEnergy::jet_forward(ConstTiles x, ConstTiles v, int order, TileScalars e0, TileScalars e1, TileScalars e2) {
  require_all(order <= highest_jet_order(), ExitCode::internal,
              "jet of order {} (the mlp energy has order {}), ask highest_jet_order() first", order, highest_jet_order());
  Index const tiles = extent(x, 0), flight = tiles_at_once(tiles);
  order_ = order, direction_ = order > 0 ? v : ConstTiles();
  MlpTape const t = tape(tiles, extent(x, 2), order);
  for (Index first = 0; first < tiles; first += flight) {
    Jet const energy{output_rows<Tiles>(e0, first, flight), output_rows<Tiles>(e1, first, flight), output_rows<Tiles>(e2, first, flight)};
    network_.forward(parameters_, input(x, first, flight), direction(direction_, first, flight), energy, t);
    taped_first_ = first;
  }
  for (TileScalars const& e : {e0, e1, e2}) over_noise(e);
  add_inner_product(Real(0.5), quadratic(), x, x, e0);
  if (order > 0) add_inner_product(1, quadratic(), x, v, e1);
  if (order > 1) add_inner_product(1, quadratic(), v, v, e2);
}

void MlpEnergy::jet_reverse(ConstTiles x, ConstTileScalars c0, ConstTileScalars c1, ConstTileScalars c2, Vector sum) {
  Index const tiles = extent(x, 0), flight = tiles_at_once(tiles), taped = taped_first_;
  c0 = weights_over_noise(c0, 0), c1 = weights_over_noise(c1, 1), c2 = weights_over_noise(c2, 2);
  MlpTape const t = tape(tiles, extent(x, 2), order_);
  for (Index first = tiles - flight; first >= 0; first -= flight) {  // the last first: the tape still holds it
    ConstTiles const here = input(x, first, flight), v = direction(direction_, first, flight);
    if (first != taped) network_.forward(parameters_, here, v, {}, t);
    ConstJet const weight{output_rows<ConstTiles>(c0, first, flight), output_rows<ConstTiles>(c1, first, flight),
                          output_rows<ConstTiles>(c2, first, flight)};
    network_.reverse(parameters_, here, v, weight, t, sum, {});
  }
}

void MlpEnergy::gradient_forward(ConstTiles x, Tiles gradient) {
  Index const tiles = extent(x, 0), lanes = extent(x, 2), flight = tiles_at_once(tiles);
  MlpTape const t = tape(tiles, lanes, 2);
  for (Index first = 0; first < tiles; first += flight) {
    Tiles const here = some_tiles(gradient, first, flight);
    Tiles const of_input = gradient_of_input(here);
    network_.gradient_forward(parameters_, input(x, first, flight), t, of_input);
    taped_first_ = first;
    if (conditioned()) multiply_rows(of_input, OfGradient<Noise>{noise_}, first, here);
  }
  add_scaled(quadratic(), x, gradient);
}

void MlpEnergy::gradient_reverse(ConstTiles x, ConstTiles v, Vector sum) {
  Index const tiles = extent(x, 0), lanes = extent(x, 2), flight = tiles_at_once(tiles), taped = taped_first_;
  MlpTape const t = tape(tiles, lanes, 2);
  jet_work({}, tiles, lanes, 2, true);
  Tiles const scratch = leading(input_gradient_, flight, network_.inputs(0), lanes);
  for (Index first = tiles - flight; first >= 0; first -= flight) {  // the last first: the tape still holds it
    ConstTiles const here = input(x, first, flight);
    if (first != taped) network_.gradient_forward(parameters_, here, t, scratch);
    ConstTiles along = direction(v, first, flight);
    if (conditioned()) {
      multiply_rows(along, OverNoise<Noise>{noise_}, first, scratch);
      along = scratch;
    }
    network_.gradient_reverse(parameters_, here, along, t, sum);
  }
}

}  // namespace partita
