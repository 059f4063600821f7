// ManyWell (Noe, Olsson, Koehler, Wu, Science 2019, in the form of Midgley et al., ICLR 2023): pairs of coordinates,
// x^4 - 6 x^2 - x/2 in the first and y^2/2 in the second; log Z = 10.2934797071 a pair.
#pragma once
#include "core/strip.hpp"
#include "deck/schema.hpp"

namespace partita {

struct ManyWell {
  static constexpr bool separable = true;
  Index dimension = 2;
  struct Coordinate {
    bool well;  // of a pair the first
    KOKKOS_FORCEINLINE_FUNCTION Real energy(Real x) const {
      Real const s = x * x;
      return well ? std::fma(s, s - 6, Real(-0.5) * x) : Real(0.5) * s;
    }
    KOKKOS_FORCEINLINE_FUNCTION Real gradient(Real x) const { return well ? std::fma(4 * x, x * x - 3, Real(-0.5)) : x; }
  };
  KOKKOS_FORCEINLINE_FUNCTION Coordinate coordinate(Index i) const { return {i % 2 == 0}; }
};

struct ManyWellOptions {
  Index dimension = 32;
};
deck::Schema many_well_schema();
ManyWell make_many_well(ManyWellOptions const&);  // Failure(usage) for an odd dimension

}  // namespace partita
