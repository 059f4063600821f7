#include "models/mueller_brown.hpp"

namespace partita {

deck::Schema mueller_brown_schema() {
  using O = MuellerBrownOptions;
  return deck::schema<O>("mueller_brown", "E(x, y) = V(x, y) / temperature with the four-term Mueller-Brown potential V",
                         {deck::key("temperature", &O::temperature, "k T in the units of V (its wells are about 100 deep)").above(0)});
}

MuellerBrown make_mueller_brown(MuellerBrownOptions const& o) { return {2, static_cast<Real>(1 / o.temperature)}; }

}  // namespace partita
