#include "energies/phi4.hpp"

#include "core/lane_sums.hpp"
#include "energies/analytic_model.hpp"

namespace partita {

struct Phi4Chain {
  static constexpr bool separable = false, sums_in_double = true;
  Index dimension = 2;
  Real stiffness = 1;  // beta a / h
  Real well = 1;       // beta h / (4 a)
  KOKKOS_FORCEINLINE_FUNCTION void energy_and_gradient(Rows<Real const> x, Rows<Real> g, double* energy) const {
    LaneSums sums(energy);
    for (Index i = 0; i <= dimension; i++) {  // bond between sites i - 1 and i; sites -1 and d are the walls
      bool const left_wall = i == 0, right_wall = i == dimension;
      Real const *before = x[left_wall ? 0 : i - 1], *here = x[right_wall ? dimension - 1 : i];
      Real const has_before = left_wall ? 0 : 1, has_here = right_wall ? 0 : 1;
      Real* const sum = sums.next_row();
      Real *g_before = g[left_wall ? 0 : i - 1], *g_here = g[right_wall ? dimension - 1 : i];
      for (int l = 0; l < strip_lanes; l++) {
        Real const difference = has_here * here[l] - has_before * before[l], pull = stiffness * difference;
        sum[l] = std::fma(Real(0.5) * pull, difference, sum[l]);
        if (!left_wall) g_before[l] -= pull;
        if (!right_wall) {
          Real const s = 1 - here[l] * here[l];
          sum[l] = std::fma(well * s, s, sum[l]);
          g_here[l] = pull - 4 * well * s * here[l];
        }
      }
    }
    sums.finish();
  }
};

deck::Schema phi4_schema() {
  using O = Phi4Options;
  return deck::schema<O>(
      "phi4", "phi^4 chain with fixed ends, E = beta sum a/(2h) (phi_i - phi_{i-1})^2 + beta h/(4a) (1 - phi_i^2)^2, h = 1/(d+1)",
      {deck::key("dimension", &O::dimension, "number of interior sites d").at_least(1),
       deck::key("beta", &O::beta, "inverse temperature beta").above(0),
       deck::key("stiffness", &O::stiffness, "stiffness a of the bonds between neighbours").above(0)});
}

std::unique_ptr<DifferentiableModel> make_phi4(Phi4Options const& o) {
  double const h = 1 / double(o.dimension + 1);
  return analytic_model(Phi4Chain{o.dimension, Real(o.beta * o.stiffness / h), Real(o.beta * h / (4 * o.stiffness))});
}

}  // namespace partita
