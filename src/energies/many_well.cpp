#include "energies/many_well.hpp"

#include "core/require.hpp"
#include "energies/analytic_model.hpp"

namespace partita {

struct ManyWell {
  static constexpr bool separable = true;
  Index dimension = 2;
  struct Coordinate {
    bool well;  // the first coordinate of a pair
    KOKKOS_FORCEINLINE_FUNCTION Real energy(Real x) const {
      Real const s = x * x;
      return well ? std::fma(s, s - 6, Real(-0.5) * x) : Real(0.5) * s;
    }
    KOKKOS_FORCEINLINE_FUNCTION Real gradient(Real x) const { return well ? std::fma(4 * x, x * x - 3, Real(-0.5)) : x; }
  };
  KOKKOS_FORCEINLINE_FUNCTION Coordinate coordinate(Index i) const { return {i % 2 == 0}; }
};

deck::Schema many_well_schema() {
  using O = ManyWellOptions;
  return deck::schema<O>("many_well", "Pairs of a double well and a Gaussian, E = sum over pairs x^4 - 6 x^2 - x/2 + y^2/2",
                         {deck::key("dimension", &O::dimension, "number of coordinates, twice the number of pairs").at_least(2)});
}

std::unique_ptr<DifferentiableModel> make_many_well(ManyWellOptions const& o) {
  require_all(o.dimension % 2 == 0, ExitCode::usage, "model.dimension = {} is odd (many_well has pairs of coordinates); use an even number",
              o.dimension);
  return analytic_model(ManyWell{o.dimension});
}

}  // namespace partita
