#include "networks/mlp.hpp"

#include <cmath>

#include "core/math.hpp"
#include "core/matrix_product.hpp"
#include "core/require.hpp"
#include "core/tiling.hpp"

namespace partita {
namespace {

// Inputs up to which a first layer is computed row by row: too few for a matrix product to pay.
constexpr Index narrow_inputs = 4;

// Rows pad past a power of two, so that the rows that a matrix product packs together do not share cache sets.
constexpr Index tape_pitch(Index lanes) { return round_up(lanes, pitch_quantum) + lane_quantum; }

// Where row i of a tile starts; the rows of all tiles in flight.
template <class T>
struct TileRows {
  T* data;
  Index tile_stride, pitch;
  KOKKOS_FORCEINLINE_FUNCTION T* operator()(Index tile, Index i) const { return data + tile * tile_stride + i * pitch; }
};
TileRows<Real const> rows_of(ConstTiles const& v) { return {v.data(), static_cast<Index>(v.stride(0)), static_cast<Index>(v.stride(1))}; }
TileRows<Real> rows_of(Tiles const& v) { return {v.data(), static_cast<Index>(v.stride(0)), static_cast<Index>(v.stride(1))}; }
TileRows<Real> rows_of(TileScalars const& v) { return {v.data(), static_cast<Index>(v.stride(0)), 0}; }
TileRows<Real const> rows_of(ConstTileScalars const& v) { return {v.data(), static_cast<Index>(v.stride(0)), 0}; }

struct Extent {
  Index tiles, lanes;
};

// body(tile, first lane, number of lanes): whole rows on a CPU, where loops over lanes are vector code, one lane a thread on a GPU.
template <class Body>
void for_lanes(char const* name, Extent e, Body const& body) {
  Index const span = runs_on_host ? e.lanes : 1, spans = e.lanes / span;
  Kokkos::parallel_for(
      name, Kokkos::RangePolicy<Execution, Kokkos::IndexType<Index>>(0, e.tiles * spans),
      KOKKOS_LAMBDA(Index n) { body(n / spans, n % spans * span, span); });
}

struct Silu {
  KOKKOS_FORCEINLINE_FUNCTION math::ValueAndSlope<Real> operator()(Real a) const { return math::silu_with_slope(a); }
};
struct Softplus {
  KOKKOS_FORCEINLINE_FUNCTION math::ValueAndSlope<Real> operator()(Real a) const { return math::softplus_with_slope(a); }
};
struct Tanh {
  KOKKOS_FORCEINLINE_FUNCTION math::ValueAndSlope<Real> operator()(Real a) const { return math::tanh_with_slope(a); }
};
struct Gelu {
  KOKKOS_FORCEINLINE_FUNCTION math::ValueAndSlope<Real> operator()(Real a) const { return math::gelu_with_slope(a); }
};

// A hidden layer's activations h and slopes d, `count` rows a tile.
struct Hidden {
  TileRows<Real> h, d;
  Index count;
};

// A layer that reads x row by row; inputs = 0: h holds the matrix product already.
struct NarrowLayer {
  Real const* weight = nullptr;
  TileRows<Real const> x{};
  Index inputs = 0;
};

// The output layer, added up while the last hidden layer's rows are in cache; weight = nullptr: not the last.
struct Readout {
  Real const* weight = nullptr;
  Real const* bias = nullptr;
  TileRows<Real> value{};
};

// h = f(a), d = f'(a) with a = (W x or what h holds) + bias; below the output d = w f'(a), the gradient of the value.
template <class F>
struct ActivateRows {
  F f;
  Hidden layer;
  Real const* bias;
  NarrowLayer below;
  Readout above;

  KOKKOS_INLINE_FUNCTION void operator()(Index tile, Index first, Index lanes) const {
    if (above.weight != nullptr) {
      Real* const value = above.value(tile, 0) + first;
      for (Index l = 0; l < lanes; l++) value[l] = above.bias[0];
    }
    for (Index j = 0; j < layer.count; j++) {
      Real* __restrict const h = layer.h(tile, j) + first;
      Real* __restrict const d = layer.d(tile, j) + first;
      for (Index i = 0; i < below.inputs; i++) {
        Real const w = below.weight[j * below.inputs + i];
        Real const* __restrict const x = below.x(tile, i) + first;
        if (i == 0)
          for (Index l = 0; l < lanes; l++) h[l] = w * x[l];
        else
          for (Index l = 0; l < lanes; l++) h[l] = std::fma(w, x[l], h[l]);
      }
      Real const b = bias[j];
      for (Index l = 0; l < lanes; l++) {
        auto const y = f(h[l] + b);
        h[l] = y.value;
        d[l] = y.slope;
      }
      if (above.weight != nullptr) {
        Real const w = above.weight[j];
        Real* __restrict const value = above.value(tile, 0) + first;
        for (Index l = 0; l < lanes; l++) {
          value[l] = std::fma(w, h[l], value[l]);
          d[l] *= w;
        }
      }
    }
  }
};

void activate(Activation a, Extent e, Hidden layer, Real const* bias, NarrowLayer below, Readout above) {
  auto const run = [&](auto f) { for_lanes("partita::mlp_activate", e, ActivateRows<decltype(f)>{f, layer, bias, below, above}); };
  switch (a) {
    case Activation::silu:
      return run(Silu{});
    case Activation::softplus:
      return run(Softplus{});
    case Activation::tanh:
      return run(Tanh{});
    case Activation::gelu:
      return run(Gelu{});
  }
}

// d *= g, row by row: the chain rule through an activation, where g is the gradient in h. A pitch of 0 repeats one row for all.
void multiply_rows(Extent e, TileRows<Real> d, TileRows<Real const> g, Index count) {
  for_lanes(
      "partita::mlp_multiply_rows", e, KOKKOS_LAMBDA(Index tile, Index first, Index lanes) {
        for (Index j = 0; j < count; j++) {
          Real* __restrict const to = d(tile, j) + first;
          Real const* __restrict const from = g(tile, j) + first;
          for (Index l = 0; l < lanes; l++) to[l] *= from[l];
        }
      });
}

// gradient = W' d of a narrow layer, W (count, inputs).
void narrow_gradient(Extent e, Real const* weight, Index inputs, TileRows<Real const> d, Index count, TileRows<Real> gradient) {
  for_lanes(
      "partita::mlp_narrow_gradient", e, KOKKOS_LAMBDA(Index tile, Index first, Index lanes) {
        for (Index i = 0; i < inputs; i++) {
          Real* __restrict const to = gradient(tile, i) + first;
          for (Index l = 0; l < lanes; l++) to[l] = 0;
          for (Index j = 0; j < count; j++) {
            Real const w = weight[j * inputs + i];
            Real const* __restrict const from = d(tile, j) + first;
            for (Index l = 0; l < lanes; l++) to[l] = std::fma(w, from[l], to[l]);
          }
        }
      });
}

// The sum of term(lane) in independent partial sums, which become vector lanes.
template <class Term>
KOKKOS_INLINE_FUNCTION Real sum_over_lanes(Index lanes, Term const& term) {
  Real partial[lane_quantum] = {};
  Index const whole = lanes / lane_quantum * lane_quantum;
  for (Index l = 0; l < whole; l += lane_quantum)
    for (Index q = 0; q < lane_quantum; q++) partial[q] += term(l + q);
  for (Index l = whole; l < lanes; l++) partial[0] += term(l);
  for (Index width = lane_quantum / 2; width > 0; width /= 2)
    for (Index q = 0; q < width; q++) partial[q] += partial[q + width];
  return partial[0];
}

// weight (count, inputs) += sum over lanes of d x', bias (count) += sum over lanes of d; inputs = 0 or bias = nullptr: without that part.
void add_row_sums(Extent e, TileRows<Real const> d, Index count, TileRows<Real const> x, Index inputs, Real* weight, Real* bias) {
  Kokkos::parallel_for(
      "partita::mlp_row_sums", Kokkos::RangePolicy<Execution, Kokkos::IndexType<Index>>(0, count), KOKKOS_LAMBDA(Index j) {
        for (Index tile = 0; tile < e.tiles; tile++) {
          Real const* const dj = d(tile, j);
          for (Index i = 0; i < inputs; i++) {
            Real const* const xi = x(tile, i);
            weight[j * inputs + i] += sum_over_lanes(e.lanes, [=](Index l) { return dj[l] * xi[l]; });
          }
          if (bias != nullptr) bias[j] += sum_over_lanes(e.lanes, [=](Index l) { return dj[l]; });
        }
      });
}

// The hidden layers of the tiles in flight on a tape.
Hidden hidden(Mlp const& m, MlpTape tape, Index lanes, Index layer) {
  Index const pitch = tape_pitch(lanes), stride = m.tape_elements(lanes);
  Index row = 0;
  for (Index k = 0; k < layer; k++) row += 2 * m.outputs(k);
  Index const count = m.outputs(layer);
  return {{tape.data + row * pitch, stride, pitch}, {tape.data + (row + count) * pitch, stride, pitch}, count};
}

Extent extent_of(ConstTileScalars const& v) { return {static_cast<Index>(v.extent(0)), static_cast<Index>(v.extent(1))}; }

Factor factor(TileRows<Real const> r, Form form = Form::plain) { return {r.data, r.pitch, form, r.tile_stride}; }
TileRows<Real const> read(TileRows<Real> r) { return {r.data, r.tile_stride, r.pitch}; }

// to = W' d of layer k, the gradient in its inputs.
void pull_back(Mlp const& m, Extent e, Index k, Real const* theta, TileRows<Real> d, TileRows<Real> to) {
  matrix_product({m.inputs(k), e.lanes, m.outputs(k)}, {theta + m.weight_offset(k), m.inputs(k), Form::transposed}, factor(read(d)),
                 {to.data, to.pitch, 1, 0, to.tile_stride}, e.tiles);
}

// From the gradient in a hidden layer's preactivations to the one below. The activations below serve as work memory: they are used up.
void descend(Mlp const& m, Extent e, Index k, Real const* theta, Hidden const& from, Hidden const& to) {
  pull_back(m, e, k, theta, from.d, to.h);
  multiply_rows(e, to.d, read(to.h), to.count);
}

}  // namespace

Mlp::Mlp(std::vector<Index> widths, Activation activation) : widths_(std::move(widths)), activation_(activation) {
  require_all(widths_.size() >= 3 && widths_.back() == 1, ExitCode::usage,
              "layers: {} widths ending in {} (an energy network has an input, at least one hidden layer and one output), give e.g. [2, "
              "128, 128, 1]",
              widths_.size(), widths_.empty() ? 0 : widths_.back());
  for (Index w : widths_) require_all(w > 0, ExitCode::usage, "layers: width {} (no unit to compute), give widths of at least 1", w);
}

Index Mlp::weight_offset(Index layer) const {
  Index n = 0;
  for (Index k = 0; k < layer; k++) n += (inputs(k) + 1) * outputs(k);
  return n;
}

Index Mlp::tape_elements(Index lanes) const {
  Index rows = 0;
  for (Index k = 0; k + 1 < layers(); k++) rows += 2 * outputs(k);
  return rows * tape_pitch(lanes);
}

double Mlp::initial_scale(Index layer) const {
  bool const rectifies = layer + 1 < layers() && activation_ != Activation::tanh;
  return std::sqrt((rectifies ? 2. : 1.) / static_cast<double>(inputs(layer)));
}

void Mlp::forward(ConstVector parameters, ConstTiles x, TileScalars value, MlpTape tape) const {
  Real const* const theta = parameters.data();
  Extent const e = extent_of(value);
  Index const output = layers() - 1;
  TileRows<Real const> below = rows_of(x);
  for (Index k = 0; k < output; k++) {
    Hidden const layer = hidden(*this, tape, e.lanes, k);
    Real const* const weight = theta + weight_offset(k);
    NarrowLayer narrow;
    if (k == 0 && inputs(0) <= narrow_inputs) narrow = {weight, below, inputs(0)};
    else
      matrix_product({outputs(k), e.lanes, inputs(k)}, {weight, inputs(k)}, factor(below),
                     {layer.h.data, layer.h.pitch, 1, 0, layer.h.tile_stride}, e.tiles);
    Readout readout;
    if (k + 1 == output) readout = {theta + weight_offset(output), theta + bias_offset(output), rows_of(value)};
    activate(activation_, e, layer, theta + bias_offset(k), narrow, readout);
    below = read(layer.h);
  }
}

void Mlp::input_gradient(ConstVector parameters, MlpTape tape, Tiles gradient) const {
  Real const* const theta = parameters.data();
  Extent const e{static_cast<Index>(gradient.extent(0)), static_cast<Index>(gradient.extent(2))};
  for (Index k = layers() - 2; k > 0; k--)
    descend(*this, e, k, theta, hidden(*this, tape, e.lanes, k), hidden(*this, tape, e.lanes, k - 1));
  Hidden const first = hidden(*this, tape, e.lanes, 0);
  if (inputs(0) <= narrow_inputs) narrow_gradient(e, theta, inputs(0), read(first.d), first.count, rows_of(gradient));
  else pull_back(*this, e, 0, theta, first.d, rows_of(gradient));
}

void Mlp::add_parameter_gradient(ConstVector parameters, ConstTiles x, ConstTileScalars weight, MlpTape tape, Vector sum) const {
  Real const* const theta = parameters.data();
  Extent const e = extent_of(weight);
  Index const output = layers() - 1;
  TileRows<Real const> const c = rows_of(weight);
  Hidden layer = hidden(*this, tape, e.lanes, output - 1);
  add_row_sums(e, read(layer.h), layer.count, c, 1, sum.data() + weight_offset(output), nullptr);
  add_row_sums(e, c, 1, {}, 0, nullptr, sum.data() + bias_offset(output));
  multiply_rows(e, layer.d, c, layer.count);
  for (Index k = output - 1; k >= 0; k--) {
    Real* const weight_sum = sum.data() + weight_offset(k);
    Real* const bias_sum = sum.data() + bias_offset(k);
    bool const narrow = k == 0 && inputs(0) <= narrow_inputs;
    TileRows<Real const> const below = k == 0 ? rows_of(x) : read(hidden(*this, tape, e.lanes, k - 1).h);
    add_row_sums(e, read(layer.d), layer.count, below, narrow ? inputs(0) : 0, weight_sum, bias_sum);
    for (Index t = 0; t < e.tiles && !narrow; t++)  // one after the other: all tiles add to one sum
      matrix_product({outputs(k), inputs(k), e.lanes}, {layer.d(t, 0), layer.d.pitch}, {below(t, 0), below.pitch, Form::transposed},
                     {weight_sum, inputs(k), 1, 1});
    if (k > 0) {
      Hidden const next = hidden(*this, tape, e.lanes, k - 1);
      descend(*this, e, k, theta, layer, next);
      layer = next;
    }
  }
}

}  // namespace partita
