// Values of a model at points of a grid or of samples.
#pragma once
#include <vector>

#include "models/model.hpp"

namespace partita {

// E(x) at points (point, dimension), a tile at a time on this rank.
std::vector<double> energies(EnergyModel&, std::vector<double> const& points);

}  // namespace partita
