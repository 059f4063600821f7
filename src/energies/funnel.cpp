#include "energies/funnel.hpp"

#include "core/lane_sums.hpp"
#include "core/math.hpp"
#include "energies/analytic_model.hpp"

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
    Real const slope = Real(0.5) * Real(dimension - 1);
    Real* gv = g[0];
#pragma GCC ivdep
    for (int l = 0; l < strip_lanes; l++) {
      double const spread = 0.5 * double(narrowness[l]) * squares[l];
      energy[l] = std::fma(double(Real(0.5) * precision * v[l] + slope), double(v[l]), spread);
      gv[l] = precision * v[l] + slope - Real(spread);
    }
  }
};

deck::Schema funnel_schema() {
  using O = FunnelOptions;
  return deck::schema<O>("funnel", "Neal's funnel, E = v^2 / (2 sigma^2) + (d-1) v / 2 + exp(-v) sum_i x_i^2 / 2 with v = x_0",
                         {deck::key("dimension", &O::dimension, "number of coordinates d, v included").at_least(2),
                          deck::key("sigma", &O::sigma, "standard deviation of v").above(0)});
}

std::unique_ptr<DifferentiableModel> make_funnel(FunnelOptions const& o) {
  return analytic_model(Funnel{o.dimension, Real(1 / (o.sigma * o.sigma))});
}

}  // namespace partita
