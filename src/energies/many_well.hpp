// ManyWell (Noe, Olsson, Koehler, Wu, Science 2019, in the form of Midgley et al., ICLR 2023): pairs of coordinates,
// x^4 - 6 x^2 - x/2 in the first and y^2/2 in the second; log Z = 10.2934797071 per pair.
#pragma once
#include "deck/schema.hpp"
#include "models/model.hpp"

namespace partita {

struct ManyWellOptions {
  Index dimension = 32;
};
deck::Schema many_well_schema();
std::unique_ptr<DifferentiableModel> make_many_well(ManyWellOptions const&);  // Failure(usage) for an odd dimension

}  // namespace partita
