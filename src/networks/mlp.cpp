#include "networks/mlp.hpp"

#include <algorithm>
#include <cmath>

#include "core/matrix_product.hpp"
#include "core/require.hpp"
#include "core/tiling.hpp"
#include "networks/layer_kernels.hpp"

namespace partita {
namespace {

using layer::Extent, layer::PartRows, layer::TileRows, layer::Units;

// A first layer with at most this many inputs is computed row by row: a matrix product would not pay.
constexpr Index narrow_inputs = 4;

// Rows are padded so that their pitch is not a power of two: the rows that a matrix product packs together then do not share cache sets.
constexpr Index tape_pitch(Index lanes, int order) { return round_up((order + 1) * lanes, pitch_quantum) + lane_quantum; }

template <class T, class... P>
TileRows<T> rows_of(Kokkos::View<T***, P...> const& v) {
  return {v.data(), Index(v.stride(0)), Index(v.stride(1))};
}
template <class View>
auto part_rows(std::array<View, 3> const& jet) {
  PartRows<typename View::value_type> rows;
  for (std::size_t p = 0; p < jet.size(); p++) rows.part[p] = rows_of(jet[p]);
  return rows;
}

Extent extent_of(ConstTiles const& v, int order) { return {extent(v, 0), extent(v, 2), order}; }

// A layer's rows on the tape: jets of activations and of slopes. The output has one block: its jets, in the reverse pass their cotangents.
Units units(Mlp const& m, MlpTape tape, Index lanes, Index k) {
  Index const pitch = tape_pitch(lanes, tape.order), stride = m.tape_elements(lanes, tape.order), count = m.outputs(k);
  Index row = 0;
  for (Index i = 0; i < k; i++) row += 2 * m.outputs(i);
  Index const slopes = k + 1 < m.layers() ? row + count : row;
  return {{tape.data + row * pitch, stride, pitch}, {tape.data + slopes * pitch, stride, pitch}, count};
}

bool starts_narrow(Mlp const& m) { return m.inputs(0) <= narrow_inputs; }
// A single output is summed in the pass of the last hidden layer, whose slopes are then multiplied by the output's weights.
bool reads_out(Mlp const& m) { return m.outputs(m.layers() - 1) == 1; }

// One part of jets whose parts lie side by side.
TileRows<Real> part(TileRows<Real> r, Extent e, Index which) { return {r.data + which * e.lanes, r.tile_stride, r.pitch}; }

Factor factor(TileRows<Real const> r) { return {r.data, r.pitch, Form::plain, r.tile_stride}; }

// to = W x of layer k, `columns` of each row.
void push_forward(Mlp const& m, Extent e, Index k, Real const* theta, TileRows<Real const> x, Index columns, TileRows<Real> to) {
  matrix_product({m.outputs(k), columns, m.inputs(k)}, {theta + m.weight_offset(k), m.inputs(k)}, factor(x),
                 {to.data, to.pitch, 1, 0, to.tile_stride}, e.tiles);
}

// to = W' d of layer k: cotangents of its inputs, `columns` of each row.
void pull_back(Mlp const& m, Extent e, Index k, Real const* theta, TileRows<Real> d, Index columns, TileRows<Real> to) {
  matrix_product({m.inputs(k), columns, m.outputs(k)}, {theta + m.weight_offset(k), m.inputs(k), Form::transposed}, factor(read(d)),
                 {to.data, to.pitch, 1, 0, to.tile_stride}, e.tiles);
}

// From cotangents of layer k's preactivations to those of the layer below, whose activations serve as work memory: they are used up. Where
// that is a narrow first layer, the gradient in the network's input can be had as well.
void descend(Mlp const& m, Extent e, Index k, Real const* theta, TileRows<Real> from, Units const& to, layer::NarrowGradient input = {}) {
  if (k + 1 == m.layers() && reads_out(m)) {
    layer::chain_rule(e, to.d, {from.data, from.tile_stride, 0}, to.count, input);
  } else {
    pull_back(m, e, k, theta, from, e.columns(), to.h);
    layer::chain_rule(e, to.d, read(to.h), to.count, input);
  }
}

void descend_to_input(Mlp const& m, Extent e, Real const* theta, Units const& first, TileRows<Real> gradient) {
  if (starts_narrow(m)) layer::narrow_gradient(e, {theta, m.inputs(0), gradient}, read(first.d), first.count);
  else pull_back(m, e, 0, theta, first.d, e.lanes, gradient);
}

// Where gradients in the parameters go: all are added to `sum`. On a GPU the products of all tiles are formed at once, each in its place
// behind the tile's rows on the tape; on a CPU there is no such place.
struct Sums {
  Real* sum;
  TileRows<Real> of_tile;
};
Index rows_on_tape(Mlp const& m) {
  Index rows = m.widths().back();
  for (Index k = 0; k + 1 < m.layers(); k++) rows += 2 * m.outputs(k);
  return rows;
}
Index largest_weight(Mlp const& m) {
  Index largest = 0;
  for (Index k = 0; k < m.layers(); k++) largest = std::max(largest, m.inputs(k) * m.outputs(k));
  return largest;
}
Sums sums(Mlp const& m, MlpTape tape, Index lanes, Vector const& sum) {
  return {sum.data(), {tape.data + rows_on_tape(m) * tape_pitch(lanes, tape.order), m.tape_elements(lanes, tape.order), 0}};
}

// sum (outputs, inputs) += d x' of layer k over `columns` and all tiles, in the order of the tiles.
void add_products(Mlp const& m, Extent e, Index k, TileRows<Real> d, TileRows<Real const> x, Index columns, Sums const& to) {
  ProductShape const shape{m.outputs(k), m.inputs(k), columns};
  Real* const sum = to.sum + m.weight_offset(k);
  if constexpr (runs_on_host) {
    for (Index t = 0; t < e.tiles; t++)
      matrix_product(shape, {d(t, 0), d.pitch}, {x(t, 0), x.pitch, Form::transposed}, {sum, m.inputs(k), 1, 1});
  } else {
    matrix_product(shape, factor(read(d)), {x.data, x.pitch, Form::transposed, x.tile_stride},
                   {to.of_tile.data, m.inputs(k), 1, 0, to.of_tile.tile_stride}, e.tiles);
    layer::add_tiles(e.tiles, read(to.of_tile), m.outputs(k) * m.inputs(k), sum);
  }
}

// sum += gradient in the input layer's parameters; the input's jet is (x, v, 0).
void add_input_layer(Mlp const& m, Extent e, TileRows<Real> d, TileRows<Real const> x, TileRows<Real const> v, Sums const& to) {
  Real* const weight = to.sum + m.weight_offset(0);
  Index const count = m.outputs(0), narrow = starts_narrow(m) ? m.inputs(0) : 0;
  TileRows<Real> const along = part(d, e, 1);
  layer::add_row_sums(e.tiles, e.lanes, read(d), count, x, narrow, weight, to.sum + m.bias_offset(0));
  if (e.order > 0) layer::add_row_sums(e.tiles, e.lanes, read(along), count, v, narrow, weight, nullptr);
  if (narrow > 0) return;
  add_products(m, e, 0, d, x, e.lanes, to);
  if (e.order > 0) add_products(m, e, 0, along, v, e.lanes, to);
}

// sum += gradient in the parameters of layer k above activations h.
void add_layer(Mlp const& m, Extent e, Index k, TileRows<Real> d, TileRows<Real> h, Sums const& to) {
  layer::add_row_sums(e.tiles, e.lanes, read(d), m.outputs(k), {}, 0, nullptr, to.sum + m.bias_offset(k));
  if (m.outputs(k) == 1) layer::add_row_sums(e.tiles, e.columns(), read(h), m.inputs(k), read(d), 1, to.sum + m.weight_offset(k), nullptr);
  else add_products(m, e, k, d, read(h), e.columns(), to);
}

}  // namespace

Mlp::Mlp(std::vector<Index> widths, Activation activation) : widths_(std::move(widths)), activation_(activation) {
  require_all(widths_.size() >= 3, ExitCode::usage,
              "layers: {} widths (a network has an input, at least one hidden layer and an output), give e.g. [2, 128, 128, 1]",
              widths_.size());
  for (Index w : widths_) require_all(w > 0, ExitCode::usage, "layers: width {} (a layer without units), give widths of at least 1", w);
}

Index Mlp::weight_offset(Index layer) const {
  Index n = 0;
  for (Index k = 0; k < layer; k++) n += (inputs(k) + 1) * outputs(k);
  return n;
}

Index Mlp::tape_elements(Index lanes, int order) const {
  return rows_on_tape(*this) * tape_pitch(lanes, order) + (runs_on_host ? 0 : largest_weight(*this));
}

double Mlp::initial_scale(Index layer) const {
  bool const rectifies = layer + 1 < layers() && activation_ != Activation::tanh;
  return std::sqrt((rectifies ? 2. : 1.) / double(inputs(layer)));
}

void Mlp::forward(ConstVector parameters, ConstTiles x, ConstTiles v, Jet output, MlpTape tape) const {
  Real const* const theta = parameters.data();
  Extent const e = extent_of(x, tape.order);
  Index const last = layers() - 1;
  Units const result = units(*this, tape, e.lanes, last);
  TileRows<Real const> below;
  for (Index k = 0; k < last; k++) {
    Units const here = units(*this, tape, e.lanes, k);
    layer::Source source;
    if (k == 0) {
      source = {true, starts_narrow(*this) ? inputs(0) : 0, theta + weight_offset(0), rows_of(x), rows_of(v)};
      if (source.narrow == 0) {
        push_forward(*this, e, 0, theta, source.x, e.lanes, here.h);
        if (e.order > 0) push_forward(*this, e, 0, theta, source.v, e.lanes, {here.h.data + e.lanes, here.h.tile_stride, here.h.pitch});
      }
    } else {
      push_forward(*this, e, k, theta, below, e.columns(), here.h);
    }
    layer::Readout readout;
    if (k + 1 == last && reads_out(*this)) readout = {theta + weight_offset(last), theta + bias_offset(last), result.h};
    layer::activate(activation_, e, here, theta + bias_offset(k), source, readout);
    below = read(here.h);
  }
  if (!reads_out(*this)) push_forward(*this, e, last, theta, below, e.columns(), result.h);
  bool const asked = std::any_of(output.begin(), output.end(), [](Tiles const& part) { return part.data() != nullptr; });
  if (asked) layer::split_parts(e, read(result.h), result.count, reads_out(*this) ? nullptr : theta + bias_offset(last), part_rows(output));
}

void Mlp::input_gradient(ConstVector parameters, MlpTape tape, Tiles gradient) const {
  Real const* const theta = parameters.data();
  Extent const e = extent_of(gradient, tape.order);
  Units here = units(*this, tape, e.lanes, layers() - 2);  // its slopes contain the output's weights, so they already are cotangents
  for (Index k = layers() - 2; k > 0; k--) {
    Units const below = units(*this, tape, e.lanes, k - 1);
    bool const ends = k == 1 && starts_narrow(*this);
    descend(*this, e, k, theta, here.d, below, ends ? layer::NarrowGradient{theta, inputs(0), rows_of(gradient)} : layer::NarrowGradient{});
    if (ends) return;
    here = below;
  }
  descend_to_input(*this, e, theta, here, rows_of(gradient));
}

void Mlp::reverse(ConstVector parameters, ConstTiles x, ConstTiles v, ConstJet cotangent, MlpTape tape, Vector sum, Tiles gradient) const {
  Real const* const theta = parameters.data();
  Extent const e = extent_of(x, tape.order);
  Sums const to = sums(*this, tape, e.lanes, sum);
  Units here = units(*this, tape, e.lanes, layers() - 1);
  layer::join_parts(e, part_rows(cotangent), here.count, here.d);
  for (Index k = layers() - 1; k > 0; k--) {
    Units const below = units(*this, tape, e.lanes, k - 1);
    if (sum.data() != nullptr) add_layer(*this, e, k, here.d, below.h, to);
    descend(*this, e, k, theta, here.d, below);
    here = below;
  }
  if (sum.data() != nullptr) add_input_layer(*this, e, here.d, rows_of(x), rows_of(v), to);
  if (gradient.data() != nullptr) descend_to_input(*this, e, theta, here, rows_of(gradient));
}

void Mlp::gradient_forward(ConstVector parameters, ConstTiles x, MlpTape tape, Tiles gradient) const {
  Real const* const theta = parameters.data();
  Extent const e = extent_of(x, 0);
  Index const last = layers() - 1;
  for (Index k = 0; k < last; k++) {
    Units const here = units(*this, tape, e.lanes, k);
    layer::Source source;
    if (k == 0 && starts_narrow(*this)) source = {true, inputs(0), theta + weight_offset(0), rows_of(x), {}};
    else push_forward(*this, e, k, theta, k == 0 ? rows_of(x) : read(units(*this, tape, e.lanes, k - 1).h), e.lanes, here.h);
    layer::activate_curved(activation_, e, here, theta + bias_offset(k), source);
  }
  for (Index k = last - 1; k >= 0; k--) {
    Units const here = units(*this, tape, e.lanes, k);
    TileRows<Real> const work = part(here.h, e, 1);
    if (k + 1 < last) pull_back(*this, e, k + 1, theta, part(units(*this, tape, e.lanes, k + 1).d, e, 1), e.lanes, work);
    layer::gradient_rule(e, here, read(work), k + 1 == last ? theta + weight_offset(last) : nullptr);
  }
  Units first = units(*this, tape, e.lanes, 0);
  first.d = part(first.d, e, 1);
  descend_to_input(*this, e, theta, first, rows_of(gradient));
}

void Mlp::gradient_reverse(ConstVector parameters, ConstTiles x, ConstTiles v, MlpTape tape, Vector sum) const {
  Real const* const theta = parameters.data();
  Extent const e = extent_of(x, 1);  // jets of h, and cotangents of those of the preactivations
  Index const last = layers() - 1;
  for (Index k = 0; k < last; k++) {
    Units const here = units(*this, tape, e.lanes, k);
    layer::Source source;
    if (k == 0 && starts_narrow(*this)) source = {true, inputs(0), theta + weight_offset(0), {}, rows_of(v)};
    else
      push_forward(*this, e, k, theta, k == 0 ? rows_of(v) : read(part(units(*this, tape, e.lanes, k - 1).h, e, 1)), e.lanes,
                   part(here.h, e, 1));
    layer::tangent_rule(e, here, source);
  }
  Sums const to = sums(*this, tape, e.lanes, sum);
  Units here = units(*this, tape, e.lanes, last);
  layer::set_cotangents(e, here.d, 0, 1);
  for (Index k = last; k > 0; k--) {
    Units const below = units(*this, tape, e.lanes, k - 1);
    add_layer(*this, e, k, here.d, below.h, to);
    if (k < last) pull_back(*this, e, k, theta, here.d, e.lanes, below.h);
    layer::curvature_rule(e, below, k < last ? read(below.h) : TileRows<Real const>());
    here = below;
  }
  add_input_layer(*this, e, here.d, rows_of(x), rows_of(v), to);
}

}  // namespace partita
