#include "energies/banana.hpp"

#include "energies/analytic_model.hpp"

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
      energy[l] = double(Real(0.5) * std::fma(precision * u, u, w * w));
      g0[l] = std::fma(2 * bend * u, w, precision * u);
      g1[l] = w;
    }
  }
};

deck::Schema banana_schema() {
  using O = BananaOptions;
  return deck::schema<O>(
      "banana", "Twisted Gaussian, E = x_0^2 / (2 a^2) + (x_1 + b x_0^2 - a^2 b)^2 / 2",
      {deck::key("scale", &O::scale, "standard deviation a of x_0").above(0), deck::key("bend", &O::bend, "strength b of the twist")});
}

std::unique_ptr<DifferentiableModel> make_banana(BananaOptions const& o) { return analytic_model(Banana{2, Real(o.scale), Real(o.bend)}); }

}  // namespace partita
