// Independent quartic double wells, U(x) = x^4 - 4 x^2 + x in each coordinate: minima near -1.473 and 1.347, log Z = 5.0322840 each.
#pragma once
#include "core/strip.hpp"
#include "deck/schema.hpp"

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

struct DoubleWellOptions {
  Index dimension = 1;
};
deck::Schema double_well_schema();
DoubleWell make_double_well(DoubleWellOptions const&);

}  // namespace partita
