#include "models/mlp_model.hpp"

#include <fmt/format.h>

#include <cmath>

#include "core/copy.hpp"
#include "core/math.hpp"
#include "core/require.hpp"
#include "core/tiling.hpp"

namespace partita {
namespace {

std::vector<Index> widths(MlpOptions const& o, Index outputs) {
  Index const last = o.layers.empty() ? 0 : o.layers.back();
  require_all(last == outputs, ExitCode::usage,
              "layers: {} widths ending in {} (this network has {} output{}), give e.g. [2, 128, 128, {}]", o.layers.size(), last, outputs,
              outputs == 1 ? "" : "s, one for each input", outputs == 1 ? 1 : 2);
  std::vector<Index> all = o.layers;
  if (o.noise_levels > 0) all.front()++;
  return all;
}

std::vector<double> geometric_levels(MlpOptions const& o) {
  if (o.noise_levels == 0) return {};
  require_all(o.noise_levels > 1 && o.noise_lowest < o.noise_highest, ExitCode::usage,
              "noise_levels = {} from {} down to {} (a ladder has at least two, in decreasing order), set noise_highest above noise_lowest",
              o.noise_levels, o.noise_highest, o.noise_lowest);
  std::vector<double> sigma;
  for (Index i = 0; i < o.noise_levels; i++)
    sigma.push_back(o.noise_highest * std::pow(o.noise_lowest / o.noise_highest, double(i) / double(o.noise_levels - 1)));
  return sigma;
}

// to = x scaled as the network's input, with one more row.
template <class Noise, class Row>
void add_row(ConstTiles const& x, Noise const& noise, Index first_tile, Tiles const& to, Row const& row) {
  Index const dimension = extent(x, 1);
  layer::for_lanes(
      "partita::mlp_input", mlp::extent_of(x), KOKKOS_LAMBDA(Index tile, Index first, Index lanes) {
        Real* __restrict const last = &to(tile, dimension, first);
        for (Index l = 0; l < lanes; l++) last[l] = noise.input_scale(first_tile + tile, first + l);
        for (Index i = 0; i < dimension; i++) {
          Real const* const from = &x(tile, i, first);
          Real* __restrict const here = &to(tile, i, first);
          for (Index l = 0; l < lanes; l++) here[l] = last[l] * from[l];
        }
        for (Index l = 0; l < lanes; l++) last[l] = row(first_tile + tile, first + l);
      });
}

}  // namespace

std::vector<deck::Key> mlp_keys() {
  using O = MlpOptions;
  return {
      deck::key("layers", &O::layers, "widths of input (the dimension of x), hidden layers and output").required().at_least(1),
      deck::key("activation", &O::activation, "activation function of the hidden layers; gelu is the exact form, with the error function")
          .one_of({"silu", "softplus", "tanh", "gelu"}),
      deck::key("quadratic", &O::quadratic,
                "lambda of the term lambda/2 |x|^2 of E, which confines x; with noise_levels it is lambda / (1 + lambda sigma^2)")
          .at_least(0),
      deck::key("noise_levels", &O::noise_levels,
                "number L of noise levels; above 0 the network is conditioned on the noise sigma and learnt at sigma_1 .. sigma_L, a "
                "geometric sequence, with N in units of 1/sigma; 0: without noise")
          .at_least(0),
      deck::key("noise_highest", &O::noise_highest, "highest noise level sigma_1: as wide as the data").above(0),
      deck::key("noise_lowest", &O::noise_lowest, "lowest noise level sigma_L, that of the model for samplers other than annealed_langevin")
          .above(0)};
}

Sizes MlpModel::sizes(MlpOptions const& o, Index outputs) {
  geometric_levels(o);
  Mlp const network(widths(o, outputs), activation_named(o.activation));
  return {o.layers.front(), o.layers.front()};
}

MlpModel::MlpModel(MlpOptions const& o, Index outputs, Arrays arrays)
    : dimension_(o.layers.empty() ? 0 : o.layers.front()),
      noise_levels_(geometric_levels(o)),
      network_(widths(o, outputs), activation_named(o.activation)),
      quadratic_(Real(o.quadratic)),
      parameters_(arrays.make<Vector>("mlp parameters", network_.parameter_count())) {
  if (conditioned()) noise_.all = Real(noise_levels_.back());
}

void MlpModel::initialise(std::function<double(Index)> const& normal) {
  auto const host = Kokkos::create_mirror_view(parameters_);
  fill_array(host, Real(0));
  for (Index k = 0; k < network_.layers(); k++)
    for (Index i = network_.weight_offset(k); i < network_.bias_offset(k); i++) host(i) = Real(network_.initial_scale(k) * normal(i));
  copy_array(parameters_, host);
}

std::vector<ParameterBlock> MlpModel::parameter_blocks() const {
  std::vector<ParameterBlock> blocks;
  for (Index k = 0; k < network_.layers(); k++) {
    blocks.push_back({fmt::format("layer{}/weight", k), {network_.outputs(k), network_.inputs(k)}, network_.weight_offset(k)});
    blocks.push_back({fmt::format("layer{}/bias", k), {network_.outputs(k)}, network_.bias_offset(k)});
  }
  return blocks;
}

double MlpModel::products() const {
  double sum = 0;
  for (Index k = 0; k < network_.layers(); k++) sum += double(network_.inputs(k) * network_.outputs(k));
  return sum;
}

void MlpModel::pass_work(Arrays arrays, Index tiles, Index lanes, int order) const {
  Index const flight = tiles_at_once(tiles);
  arrays.grow_unset(tapes_, "mlp activations", flight * network_.tape_elements(lanes, order));
  if (!conditioned()) return;
  arrays.grow(input_, "mlp input", flight, dimension_ + 1, pitch_of(lanes));
  if (order > 0) arrays.grow(with_direction_, "mlp direction", flight, dimension_ + 1, pitch_of(lanes));
}

MlpTape MlpModel::tape(Index tiles, Index lanes, int order) const {
  pass_work({}, tiles, lanes, order);
  taped_first_ = -1;
  return {tapes_.data(), order};
}

ConstTiles MlpModel::input(ConstTiles const& x, Index first, Index count) const {
  ConstTiles const here = mlp::some_tiles(x, first, count);
  if (!conditioned()) return here;
  Tiles const with_noise = leading(input_, count, dimension_ + 1, extent(x, 2));
  auto const noise = noise_;
  add_row(
      here, noise, first, with_noise, KOKKOS_LAMBDA(Index tile, Index lane) { return math::log(noise(tile, lane)); });
  return with_noise;
}

ConstTiles MlpModel::direction(ConstTiles const& v, Index first, Index count) const {
  ConstTiles const here = mlp::some_tiles(v, first, count);
  if (!conditioned() || v.data() == nullptr) return here;
  Tiles const with_noise = leading(with_direction_, count, dimension_ + 1, extent(v, 2));
  add_row(
      here, noise_, first, with_noise, KOKKOS_LAMBDA(Index, Index) { return Real(0); });
  return with_noise;
}

}  // namespace partita
