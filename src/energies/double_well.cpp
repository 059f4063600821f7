#include "energies/double_well.hpp"

#include "energies/analytic_model.hpp"

namespace partita {

struct DoubleWell {
  static constexpr bool separable = true;
  Index dimension = 1;
  struct Coordinate {
    KOKKOS_FORCEINLINE_FUNCTION Real energy(Real x) const {
      Real const s = x * x;
      return std::fma(s, s - 4, x);
    }
    KOKKOS_FORCEINLINE_FUNCTION Real gradient(Real x) const { return std::fma(4 * x, x * x - 2, Real(1)); }
  };
  KOKKOS_FORCEINLINE_FUNCTION Coordinate coordinate(Index) const { return {}; }
};

deck::Schema double_well_schema() {
  using O = DoubleWellOptions;
  return deck::schema<O>("double_well", "Quartic double wells, E(x) = sum_i x_i^4 - 4 x_i^2 + x_i",
                         {deck::key("dimension", &O::dimension, "number of independent coordinates").at_least(1)});
}

std::unique_ptr<DifferentiableModel> make_double_well(DoubleWellOptions const& o) { return analytic_model(DoubleWell{o.dimension}); }

}  // namespace partita
