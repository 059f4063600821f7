// Neal's funnel (Neal, Annals of Statistics 31, 705 (2003)): v = x_0 ~ N(0, sigma^2), x_i | v ~ N(0, e^v).
// E = v^2 / (2 sigma^2) + (d-1) v / 2 + e^-v sum_i x_i^2 / 2; log Z = log sigma + d/2 log(2 pi).
#pragma once
#include "core/math.hpp"
#include "core/strip.hpp"
#include "deck/schema.hpp"

namespace partita {

struct Funnel {
  static constexpr bool separable = false;
  Index dimension = 2;
  Real precision = 1;  // 1 / sigma^2 of v
  KOKKOS_FORCEINLINE_FUNCTION void energy_and_gradient(Rows<Real const> x, Rows<Real> g, Real* energy) const {
    Real squares[strip_lanes], narrowness[strip_lanes];
    Real const* v = x[0];
    for (int l = 0; l < strip_lanes; l++) squares[l] = 0, narrowness[l] = math::exp(-v[l]);
    for (Index i = 1; i < dimension; i++) {
      Real const* xi = x[i];
      Real* gi = g[i];
#pragma GCC ivdep
      for (int l = 0; l < strip_lanes; l++) {
        squares[l] = std::fma(xi[l], xi[l], squares[l]);
        gi[l] = xi[l] * narrowness[l];
      }
    }
    Real const slope = Real(0.5) * static_cast<Real>(dimension - 1);
    Real* gv = g[0];
#pragma GCC ivdep
    for (int l = 0; l < strip_lanes; l++) {
      Real const spread = Real(0.5) * narrowness[l] * squares[l];
      energy[l] = std::fma(Real(0.5) * precision * v[l] + slope, v[l], spread);
      gv[l] = precision * v[l] + slope - spread;
    }
  }
};

struct FunnelOptions {
  Index dimension = 10;
  double sigma = 3;
};
deck::Schema funnel_schema();
Funnel make_funnel(FunnelOptions const&);

}  // namespace partita
