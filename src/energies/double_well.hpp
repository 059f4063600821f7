// Independent quartic double wells, U(x) = x^4 - 4 x^2 + x in each coordinate: minima near -1.473 and 1.347, log Z = 5.0322840 each.
#pragma once
#include "deck/schema.hpp"
#include "models/model.hpp"

namespace partita {

struct DoubleWellOptions {
  Index dimension = 1;
};
deck::Schema double_well_schema();
std::unique_ptr<DifferentiableModel> make_double_well(DoubleWellOptions const&);

}  // namespace partita
