#include "networks/layer_kernels.hpp"

#include <cmath>
#include <type_traits>

#include "core/math.hpp"
#include "core/tiling.hpp"

namespace partita::layer {
namespace {

// run(std::integral_constant<int, order>).
template <class Run>
void with_order(int order, Run const& run) {
  if (order == 0) run(std::integral_constant<int, 0>{});
  else if (order == 1) run(std::integral_constant<int, 1>{});
  else run(std::integral_constant<int, 2>{});
}

struct Silu {
  KOKKOS_FORCEINLINE_FUNCTION math::Derivatives<Real> operator()(Real a) const { return math::silu_derivatives(a); }
};
struct Softplus {
  KOKKOS_FORCEINLINE_FUNCTION math::Derivatives<Real> operator()(Real a) const { return math::softplus_derivatives(a); }
};
struct Tanh {
  KOKKOS_FORCEINLINE_FUNCTION math::Derivatives<Real> operator()(Real a) const { return math::tanh_derivatives(a); }
};
struct Gelu {
  KOKKOS_FORCEINLINE_FUNCTION math::Derivatives<Real> operator()(Real a) const { return math::gelu_derivatives(a); }
};

// to = sum over i of w_i x_i.
KOKKOS_INLINE_FUNCTION void combine_rows(Real const* weight, TileRows<Real const> x, Index inputs, Index tile, Index first, Index lanes,
                                         Real* __restrict to) {
  for (Index i = 0; i < inputs; i++) {
    Real const w = weight[i];
    Real const* __restrict const from = x(tile, i) + first;
    if (i == 0)
      for (Index l = 0; l < lanes; l++) to[l] = w * from[l];
    else
      for (Index l = 0; l < lanes; l++) to[l] = std::fma(w, from[l], to[l]);
  }
}

template <class F, int order, bool curved = false>  // curved: f'' goes to the last part of d
struct ActivateRows {
  F f;
  Index part;  // distance between the parts of a jet
  Units layer;
  Real const* bias;
  Source below;
  Readout above;

  KOKKOS_INLINE_FUNCTION void operator()(Index tile, Index first, Index lanes) const {
    if (above.weight != nullptr)
      for (int p = 0; p <= order; p++) {
        Real* const value = above.jet(tile, 0) + p * part + first;
        for (Index l = 0; l < lanes; l++) value[l] = p == 0 ? above.bias[0] : Real(0);
      }
    for (Index j = 0; j < layer.count; j++) {
      Real* const h = layer.h(tile, j) + first;
      Real* const d = layer.d(tile, j) + first;
      if (below.narrow > 0) combine_rows(below.weight + j * below.narrow, below.x, below.narrow, tile, first, lanes, h);
      if constexpr (order > 0)
        if (below.narrow > 0) combine_rows(below.weight + j * below.narrow, below.v, below.narrow, tile, first, lanes, h + part);
      if constexpr (order > 1)
        if (below.input)
          for (Index l = 0; l < lanes; l++) h[2 * part + l] = 0;
      activate_row(bias[j], lanes, h, h + part, h + 2 * part, d, d + part, d + 2 * part);
      if (above.weight != nullptr)
        for (int p = 0; p <= order; p++)
          read_out(above.weight[j], lanes, h + p * part, d + p * part, above.jet(tile, 0) + p * part + first);
    }
  }

  // Parts beyond the order of the jet are not accessed.
  KOKKOS_FORCEINLINE_FUNCTION void activate_row(Real b, Index lanes, Real* __restrict h, Real* __restrict h1, Real* __restrict h2,
                                                Real* __restrict d, Real* __restrict d1, Real* __restrict d2) const {
    for (Index l = 0; l < lanes; l++) {
      auto const y = f(h[l] + b);
      h[l] = y.value;
      d[l] = y.first;
      if constexpr (curved) d2[l] = y.second;
      if constexpr (order > 0) {
        Real const a1 = h1[l], slope1 = y.second * a1;
        h1[l] = y.first * a1;
        d1[l] = slope1;
        if constexpr (order > 1) {
          Real const a2 = h2[l];
          h2[l] = std::fma(y.first, a2, slope1 * a1);
          d2[l] = std::fma(y.second, a2, y.third * a1 * a1);
        }
      }
    }
  }

  KOKKOS_FORCEINLINE_FUNCTION static void read_out(Real w, Index lanes, Real const* __restrict h, Real* __restrict d,
                                                   Real* __restrict value) {
    for (Index l = 0; l < lanes; l++) {
      value[l] = std::fma(w, h[l], value[l]);
      d[l] *= w;
    }
  }
};

KOKKOS_INLINE_FUNCTION void set_narrow_gradient(NarrowGradient const& to, TileRows<Real const> d, Index count, Index tile, Index first,
                                                Index lanes) {
  for (Index i = 0; i < to.inputs; i++) {
    Real* __restrict const sum = to.gradient(tile, i) + first;
    for (Index l = 0; l < lanes; l++) sum[l] = 0;
    for (Index j = 0; j < count; j++) {
      Real const w = to.weight[j * to.inputs + i];
      Real const* __restrict const from = d(tile, j) + first;
      for (Index l = 0; l < lanes; l++) sum[l] = std::fma(w, from[l], sum[l]);
    }
  }
}

template <int order>
struct ChainRule {
  Index part;
  TileRows<Real> d;
  TileRows<Real const> above;
  Index count;
  NarrowGradient below;

  KOKKOS_INLINE_FUNCTION void operator()(Index tile, Index first, Index lanes) const {
    for (Index j = 0; j < count; j++) {
      Real* const to = d(tile, j) + first;
      Real const* const from = above(tile, j) + first;
      row(lanes, to, to + part, to + 2 * part, from, from + part, from + 2 * part);
    }
    if (below.weight != nullptr) set_narrow_gradient(below, {d.data, d.tile_stride, d.pitch}, count, tile, first, lanes);
  }

  // Parts beyond the order of the jet are not accessed.
  KOKKOS_FORCEINLINE_FUNCTION static void row(Index lanes, Real* __restrict d, Real* __restrict d1, Real* __restrict d2,
                                              Real const* __restrict g, Real const* __restrict g1, Real const* __restrict g2) {
    for (Index l = 0; l < lanes; l++) {
      Real const slope = d[l];
      Real a = slope * g[l];
      if constexpr (order > 0) {
        Real const slope1 = d1[l];
        Real a1 = slope * g1[l];
        a = std::fma(slope1, g1[l], a);
        if constexpr (order > 1) {
          a = std::fma(d2[l], g2[l], a);
          a1 = std::fma(2 * slope1, g2[l], a1);
          d2[l] = slope * g2[l];
        }
        d1[l] = a1;
      }
      d[l] = a;
    }
  }
};

// The sum of term(column) in independent partial sums, which become vector lanes.
template <class Term>
KOKKOS_INLINE_FUNCTION Real sum_over(Index columns, Term const& term) {
  Real partial[lane_quantum] = {};
  Index const whole = columns / lane_quantum * lane_quantum;
  for (Index l = 0; l < whole; l += lane_quantum)
    for (Index q = 0; q < lane_quantum; q++) partial[q] += term(l + q);
  for (Index l = whole; l < columns; l++) partial[0] += term(l);
  for (Index width = lane_quantum / 2; width > 0; width /= 2)
    for (Index q = 0; q < width; q++) partial[q] += partial[q + width];
  return partial[0];
}

}  // namespace

namespace {

template <class Run>
void with_activation(Activation a, Run const& run) {
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

}  // namespace

void activate(Activation a, Extent e, Units layer, Real const* bias, Source below, Readout above) {
  with_activation(a, [&](auto f) {
    with_order(e.order, [&](auto order) {
      for_lanes("partita::layer_activate", e, ActivateRows<decltype(f), order>{f, e.lanes, layer, bias, below, above});
    });
  });
}

void activate_curved(Activation a, Extent e, Units layer, Real const* bias, Source below) {
  with_activation(a, [&](auto f) {
    for_lanes("partita::layer_activate_curved", e, ActivateRows<decltype(f), 0, true>{f, e.lanes, layer, bias, below, {}});
  });
}

void gradient_rule(Extent e, Units layer, TileRows<Real const> above, Real const* weight) {
  for_lanes(
      "partita::layer_gradient_rule", e, KOKKOS_LAMBDA(Index tile, Index first, Index lanes) {
        for (Index j = 0; j < layer.count; j++) {
          Real* __restrict const slope = layer.d(tile, j) + first;
          Real* __restrict const cotangent = slope + e.lanes;
          Real* __restrict const curvature = slope + 2 * e.lanes;
          Real const* const g = weight == nullptr ? above(tile, j) + first : nullptr;
          Real const w = weight == nullptr ? Real(0) : weight[j];
          for (Index l = 0; l < lanes; l++) {
            Real const here = g == nullptr ? w : g[l];
            cotangent[l] = slope[l] * here;
            curvature[l] *= here;
          }
        }
      });
}

void tangent_rule(Extent e, Units layer, Source below) {
  for_lanes(
      "partita::layer_tangent_rule", e, KOKKOS_LAMBDA(Index tile, Index first, Index lanes) {
        for (Index j = 0; j < layer.count; j++) {
          Real* __restrict const tangent = layer.h(tile, j) + e.lanes + first;
          Real const* __restrict const slope = layer.d(tile, j) + first;
          Real* __restrict const curvature = layer.d(tile, j) + 2 * e.lanes + first;
          if (below.narrow > 0) combine_rows(below.weight + j * below.narrow, below.v, below.narrow, tile, first, lanes, tangent);
          for (Index l = 0; l < lanes; l++) {
            Real const a = tangent[l];
            tangent[l] = slope[l] * a;
            curvature[l] *= a;
          }
        }
      });
}

void curvature_rule(Extent e, Units layer, TileRows<Real const> above) {
  for_lanes(
      "partita::layer_curvature_rule", e, KOKKOS_LAMBDA(Index tile, Index first, Index lanes) {
        for (Index j = 0; j < layer.count; j++) {
          Real* __restrict const d = layer.d(tile, j) + first;
          Real const* __restrict const curvature = d + 2 * e.lanes;
          if (above.data == nullptr) {
            for (Index l = 0; l < lanes; l++) d[l] = curvature[l];
          } else {
            Real const* __restrict const g = above(tile, j) + first;
            for (Index l = 0; l < lanes; l++) d[l] = std::fma(d[l], g[l], curvature[l]);
          }
        }
      });
}

void set_cotangents(Extent e, TileRows<Real> d, Real value, Real tangent) {
  for_lanes(
      "partita::layer_set_cotangents", e, KOKKOS_LAMBDA(Index tile, Index first, Index lanes) {
        Real* const to = d(tile, 0) + first;
        for (Index l = 0; l < lanes; l++) to[l] = value, to[e.lanes + l] = tangent;
      });
}

void chain_rule(Extent e, TileRows<Real> d, TileRows<Real const> above, Index count, NarrowGradient below) {
  with_order(e.order, [&](auto order) { for_lanes("partita::layer_chain_rule", e, ChainRule<order>{e.lanes, d, above, count, below}); });
}

void narrow_gradient(Extent e, NarrowGradient to, TileRows<Real const> d, Index count) {
  for_lanes(
      "partita::layer_narrow_gradient", e,
      KOKKOS_LAMBDA(Index tile, Index first, Index lanes) { set_narrow_gradient(to, d, count, tile, first, lanes); });
}

void add_row_sums(Index tiles, Index columns, TileRows<Real const> d, Index count, TileRows<Real const> x, Index inputs, Real* weight,
                  Real* bias) {
  Kokkos::parallel_for(
      "partita::layer_row_sums", Kokkos::RangePolicy<Execution, Kokkos::IndexType<Index>>(0, count), KOKKOS_LAMBDA(Index j) {
        for (Index tile = 0; tile < tiles; tile++) {
          Real const* const dj = d(tile, j);
          for (Index i = 0; i < inputs; i++) {
            Real const* const xi = x(tile, i);
            weight[j * inputs + i] += sum_over(columns, [=](Index l) { return dj[l] * xi[l]; });
          }
          if (bias != nullptr) bias[j] += sum_over(columns, [=](Index l) { return dj[l]; });
        }
      });
}

void add_tiles(Index tiles, TileRows<Real const> partial, Index count, Real* sum) {
  Kokkos::parallel_for(
      "partita::layer_add_tiles", Kokkos::RangePolicy<Execution, Kokkos::IndexType<Index>>(0, count), KOKKOS_LAMBDA(Index i) {
        Real s = sum[i];
        for (Index t = 0; t < tiles; t++) s += partial(t, 0)[i];
        sum[i] = s;
      });
}

void split_parts(Extent e, TileRows<Real const> jets, Index count, Real const* bias, PartRows<Real> parts) {
  for_lanes(
      "partita::layer_split_parts", e, KOKKOS_LAMBDA(Index tile, Index first, Index lanes) {
        for (int p = 0; p <= e.order; p++) {
          if (parts.part[p].data == nullptr) continue;
          for (Index i = 0; i < count; i++) {
            Real const* __restrict const from = jets(tile, i) + p * e.lanes + first;
            Real* __restrict const to = parts.part[p](tile, i) + first;
            Real const b = p == 0 && bias != nullptr ? bias[i] : Real(0);
            for (Index l = 0; l < lanes; l++) to[l] = from[l] + b;
          }
        }
      });
}

void join_parts(Extent e, PartRows<Real const> parts, Index count, TileRows<Real> jets) {
  for_lanes(
      "partita::layer_join_parts", e, KOKKOS_LAMBDA(Index tile, Index first, Index lanes) {
        for (int p = 0; p <= e.order; p++)
          for (Index i = 0; i < count; i++) {
            Real* __restrict const to = jets(tile, i) + p * e.lanes + first;
            if (parts.part[p].data == nullptr)
              for (Index l = 0; l < lanes; l++) to[l] = 0;
            else {
              Real const* __restrict const from = parts.part[p](tile, i) + first;
              for (Index l = 0; l < lanes; l++) to[l] = from[l];
            }
          }
      });
}

}  // namespace partita::layer
