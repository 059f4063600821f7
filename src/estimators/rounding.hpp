// Warnings of samples that single precision does not resolve.
#pragma once
#include <string>
#include <vector>

#include "estimators/sample_set.hpp"

namespace partita {

// A warning where rounding hides the variation of the energy or of a coordinate, which is only a few steps of single precision; empty:
// none. Collective.
std::string rounding_warning(SampleSet const&);
// Points of a file in double precision are stored in single; a warning where that loses more than noise. `exact`: this rank's points in
// double precision, (point, dimension). Collective.
std::string rounding_warning(std::string const& where, std::vector<double> const& exact, SampleSet const&);

}  // namespace partita
