// What single precision hides of samples.
#pragma once
#include <string>
#include <vector>

#include "estimators/sample_set.hpp"

namespace partita {

// A warning where rounding hides the variation of the energy or of a coordinate, which is only a few steps of single precision; empty:
// none. Collective.
std::string rounding_warning(SampleSet const&);
// The same of points of a file in double precision, which are held in single: `exact` (point, dimension) of this rank's. Collective.
std::string rounding_warning(std::string const& where, std::vector<double> const& exact, SampleSet const&);

}  // namespace partita
