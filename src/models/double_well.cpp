#include "models/double_well.hpp"

namespace partita {

deck::Schema double_well_schema() {
  using O = DoubleWellOptions;
  return deck::schema<O>("double_well", "Quartic double wells, E(x) = sum_i x_i^4 - 4 x_i^2 + x_i",
                         {deck::key("dimension", &O::dimension, "number of independent coordinates").at_least(1)});
}

DoubleWell make_double_well(DoubleWellOptions const& o) { return {o.dimension}; }

}  // namespace partita
