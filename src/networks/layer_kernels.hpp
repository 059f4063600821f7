// The kernels of a network between its matrix products, on rows of the tiles that are being processed.
//
// A jet of order n along a direction v is a number a with its derivatives D_v a, ..., D_v^n a, n <= 2. The parts of a row's jets lie side
// by side, `lanes` numbers each, so that one matrix product takes all of them. A linear layer acts on each part, an activation f as
//     h = f(a),   h' = d a',   h'' = d a'' + d' a'   with d = f'(a), d' = f''(a) a', d'' = f''(a) a'' + f'''(a) a'^2,
// and cotangents H of the jet of h become those of a by the jet of the slope d (Leibniz' rule):
//     A = d H + d' H' + d'' H'',   A' = d H' + 2 d' H'',   A'' = d H''.
#pragma once
#include "core/types.hpp"
#include "networks/activation.hpp"

namespace partita::layer {

constexpr int highest_order = 2;

// Where row i of a tile starts. A pitch of 0 repeats one row.
template <class T>
struct TileRows {
  T* data = nullptr;
  Index tile_stride = 0, pitch = 0;
  KOKKOS_FORCEINLINE_FUNCTION T* operator()(Index tile, Index i) const { return data + tile * tile_stride + i * pitch; }
};
inline TileRows<Real const> read(TileRows<Real> r) { return {r.data, r.tile_stride, r.pitch}; }

// Rows of each part of a jet, in separate arrays; a null pointer stands for an absent part.
template <class T>
struct PartRows {
  TileRows<T> part[highest_order + 1];
};

struct Extent {
  Index tiles, lanes;
  int order;  // of the jets
  Index columns() const { return (order + 1) * lanes; }
};

// body(tile, first lane, number of lanes): whole rows on a CPU, where loops over lanes are vector code, one lane a thread on a GPU.
template <class Body>
void for_lanes(char const* name, Extent e, Body const& body) {
  Index const span = runs_on_host ? e.lanes : 1, spans = e.lanes / span;
  Kokkos::parallel_for(
      name, Kokkos::RangePolicy<Execution, Kokkos::IndexType<Index>>(0, e.tiles * spans),
      KOKKOS_LAMBDA(Index n) { body(n / spans, n % spans * span, span); });
}

// The jets of activations h and of slopes d of `count` units.
struct Units {
  TileRows<Real> h, d;
  Index count;
};

// Source of the preactivations: already in h, or W times the jet (x, v, 0) of the network's input, W (count, inputs), computed row by row.
struct Source {
  bool input = false;  // the network's input layer: the second derivative is zero, and that part of h is not read
  Index narrow = 0;    // number of inputs of W; 0: h already holds the matrix product
  Real const* weight = nullptr;
  TileRows<Real const> x{}, v{};
};

// A single output w h + b, summed while the rows of h are in cache; a null weight: none.
struct Readout {
  Real const* weight = nullptr;
  Real const* bias = nullptr;
  TileRows<Real> jet{};
};

// h = f(preactivations + bias) with its slopes d; below a readout d carries its weights, d = w f'(a).
void activate(Activation, Extent, Units, Real const* bias, Source, Readout);

// The gradient of a single output and what the derivatives of that gradient need. activate_curved: h = f(preactivations + bias), f' in the
// first and f'' in the last part of d. gradient_rule: with the output's derivatives g in h from `above`, or one number per unit from
// `weight`, the parts of d become f', f' g = cotangents of the preactivations, and f'' g. Along a direction, tangent_rule: the second part
// of h goes from a' to f' a', and d's last part becomes f'' g a'; curvature_rule: d's first part = f' G + f'' g a' with cotangents G of h
// in `above`, or G = 0.
void activate_curved(Activation, Extent, Units, Real const* bias, Source);
void gradient_rule(Extent, Units, TileRows<Real const> above, Real const* weight);
void tangent_rule(Extent, Units, Source);
void curvature_rule(Extent, Units, TileRows<Real const> above);

// The cotangents of one output's jet of order 1, the same in every lane.
void set_cotangents(Extent, TileRows<Real> d, Real value, Real tangent);

// The gradient in the inputs of a layer with few of them, W' d of value parts, W (count, inputs); a null weight: none.
struct NarrowGradient {
  Real const* weight = nullptr;
  Index inputs = 0;
  TileRows<Real> gradient{};
};
void narrow_gradient(Extent, NarrowGradient, TileRows<Real const> d, Index count);

// d = cotangents of the preactivations, from the cotangents of h in `above`; then the gradient in the inputs.
void chain_rule(Extent, TileRows<Real> d, TileRows<Real const> above, Index count, NarrowGradient = {});

// weight (count, inputs) += sum over `columns` of d x', bias (count) += sum of d; inputs = 0 or bias = nullptr leaves that sum out.
void add_row_sums(Index tiles, Index columns, TileRows<Real const> d, Index count, TileRows<Real const> x, Index inputs, Real* weight,
                  Real* bias);

// sum (count) += the rows of all tiles, in their order.
void add_tiles(Index tiles, TileRows<Real const> partial, Index count, Real* sum);

// Copies jets, whose parts lie side by side, to separate rows for each part, adding bias (count) to the value unless nullptr; and back,
// with zeros for absent parts.
void split_parts(Extent, TileRows<Real const> jets, Index count, Real const* bias, PartRows<Real> parts);
void join_parts(Extent, PartRows<Real const> parts, Index count, TileRows<Real> jets);

}  // namespace partita::layer
