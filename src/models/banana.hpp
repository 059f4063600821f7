// The twisted Gaussian of Haario, Saksman and Tamminen (Comput. Stat. 14, 375 (1999)): x_0 ~ N(0, a^2), x_1 + b x_0^2 - a^2 b ~ N(0, 1).
// Twisting keeps volumes: log Z = log a + log(2 pi), mean 0, variances a^2 and 1 + 2 a^4 b^2.
#pragma once
#include "core/strip.hpp"
#include "deck/schema.hpp"

namespace partita {

struct Banana {
  static constexpr bool separable = false, sums_in_double = false;
  Index dimension = 2;
  Real scale = 1, bend = 0;  // a, b
  KOKKOS_FORCEINLINE_FUNCTION void energy_and_gradient(Rows<Real const> x, Rows<Real> g, double* energy) const {
    Real const precision = 1 / (scale * scale), shift = scale * scale * bend;
    Real const *x0 = x[0], *x1 = x[1];
    Real *g0 = g[0], *g1 = g[1];
#pragma GCC ivdep
    for (int l = 0; l < strip_lanes; l++) {
      Real const u = x0[l], w = std::fma(bend * u, u, x1[l] - shift);
      energy[l] = static_cast<double>(Real(0.5) * std::fma(precision * u, u, w * w));
      g0[l] = std::fma(2 * bend * u, w, precision * u);
      g1[l] = w;
    }
  }
};

struct BananaOptions {
  double scale = 2;
  double bend = 0.5;
};
deck::Schema banana_schema();
Banana make_banana(BananaOptions const&);

}  // namespace partita
