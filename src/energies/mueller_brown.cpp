#include "energies/mueller_brown.hpp"

#include "core/math.hpp"
#include "energies/analytic_model.hpp"

namespace partita {

struct MuellerBrown {
  static constexpr bool separable = false, sums_in_double = false;
  Index dimension = 2;
  Real inverse_temperature = 1;
  KOKKOS_FORCEINLINE_FUNCTION void energy_and_gradient(Rows<Real const> x, Rows<Real> g, double* energy) const {
    constexpr Real height[4] = {-200, -100, -170, 15}, a[4] = {-1, -1, -6.5, Real(0.7)}, b[4] = {0, 0, 11, Real(0.6)},
                   c[4] = {-10, -10, -6.5, Real(0.7)};
    constexpr Real x0[4] = {1, 0, -0.5, -1}, y0[4] = {0, 0.5, 1.5, 1};
    Real const *xs = x[0], *ys = x[1];
    Real *gx = g[0], *gy = g[1];
#pragma GCC ivdep
    for (int l = 0; l < strip_lanes; l++) {
      Real e = 0, ex = 0, ey = 0;
      for (int k = 0; k < 4; k++) {
        Real const u = xs[l] - x0[k], v = ys[l] - y0[k];
        Real const term = height[k] * inverse_temperature * math::exp(a[k] * u * u + b[k] * u * v + c[k] * v * v);
        e += term;
        ex += term * (2 * a[k] * u + b[k] * v);
        ey += term * (b[k] * u + 2 * c[k] * v);
      }
      energy[l] = double(e), gx[l] = ex, gy[l] = ey;
    }
  }
};

deck::Schema mueller_brown_schema() {
  using O = MuellerBrownOptions;
  return deck::schema<O>("mueller_brown", "E(x, y) = V(x, y) / temperature with the four-term Mueller-Brown potential V",
                         {deck::key("temperature", &O::temperature, "k T in the units of V (its wells are about 100 deep)").above(0)});
}

std::unique_ptr<DifferentiableModel> make_mueller_brown(MuellerBrownOptions const& o) {
  return analytic_model(MuellerBrown{2, Real(1 / o.temperature)});
}

}  // namespace partita
