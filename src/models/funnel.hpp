// Neal's funnel (Neal, Annals of Statistics 31, 705 (2003)): v = x_0 ~ N(0, sigma^2), x_i | v ~ N(0, e^v).
// E = v^2 / (2 sigma^2) + (d-1) v / 2 + e^-v sum_i x_i^2 / 2; log Z = log sigma + d/2 log(2 pi).
#pragma once
#include "core/lane_sums.hpp"
#include "core/math.hpp"
#include "deck/schema.hpp"

namespace partita {

struct Funnel {
  static constexpr bool separable = false, sums_in_double = true;
  Index dimension = 2;
  Real precision = 1;  // 1 / sigma^2 of v
  KOKKOS_FORCEINLINE_FUNCTION void energy_and_gradient(Rows<Real const> x, Rows<Real> g, double* energy) const {
    double squares[strip_lanes];
    Real narrowness[strip_lanes];
    LaneSums sums(squares);
    Real const* v = x[0];
    for (int l = 0; l < strip_lanes; l++) narrowness[l] = math::exp(-v[l]);
    for (Index i = 1; i < dimension; i++) {
      Real const* xi = x[i];
      Real *gi = g[i], *sum = sums.next_row();
#pragma GCC ivdep
      for (int l = 0; l < strip_lanes; l++) {
        sum[l] = std::fma(xi[l], xi[l], sum[l]);
        gi[l] = xi[l] * narrowness[l];
      }
    }
    sums.finish();
    Real const slope = Real(0.5) * static_cast<Real>(dimension - 1);
    Real* gv = g[0];
#pragma GCC ivdep
    for (int l = 0; l < strip_lanes; l++) {
      double const spread = 0.5 * static_cast<double>(narrowness[l]) * squares[l];
      energy[l] = std::fma(static_cast<double>(Real(0.5) * precision * v[l] + slope), static_cast<double>(v[l]), spread);
      gv[l] = precision * v[l] + slope - static_cast<Real>(spread);
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
