#include "models/many_well.hpp"

#include "core/require.hpp"

namespace partita {

deck::Schema many_well_schema() {
  using O = ManyWellOptions;
  return deck::schema<O>("many_well", "Pairs of a double well and a Gaussian, E = sum over pairs x^4 - 6 x^2 - x/2 + y^2/2",
                         {deck::key("dimension", &O::dimension, "twice the number of pairs").at_least(2)});
}

ManyWell make_many_well(ManyWellOptions const& o) {
  require_all(o.dimension % 2 == 0, ExitCode::usage, "model.dimension = {} is odd (many_well has pairs of coordinates); use an even number",
              o.dimension);
  return {o.dimension};
}

}  // namespace partita
