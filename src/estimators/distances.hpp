// Distances between two sets of points, (point, dimension) row-major, the same sets on every rank. Collective: ranks share the work; the
// same bits on any number of them.
#pragma once
#include <vector>

#include "comm/communicator.hpp"
#include "core/random.hpp"

namespace partita {

// Squared energy distance as a V-statistic, 2 E|X - Y| - E|X - X'| - E|Y - Y'| (Szekely and Rizzo 2013): never negative, and of order 1/n
// between two samples of one distribution.
double squared_energy_distance(Communicator const&, std::vector<double> const& x, std::vector<double> const& y, Index dimension);

// Mean over random directions of the Wasserstein-p distance of the projections (Bonneel et al. 2015), p = 1 or 2; both sets the same size.
// For p = 2 the root of the mean square.
double sliced_wasserstein(Communicator const&, std::vector<double> const& x, std::vector<double> const& y, Index dimension, int p,
                          Index projections, random::Key);

}  // namespace partita
