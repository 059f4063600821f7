// Distances between two sets of points, (point, dimension) row-major, the same sets on every rank. Collective: ranks share the work; the
// same bits on any number of them.
#pragma once
#include <vector>

#include "comm/communicator.hpp"
#include "core/random.hpp"
#include "data/dataset.hpp"
#include "deck/document.hpp"
#include "estimators/sample_set.hpp"
#include "samplers/chains.hpp"

namespace partita {

// The group of each point of a set, 0 ... number - 1. Groups (chains, or stretches of time) are independent of each other; points of
// one group need not be.
struct Groups {
  Index number = 1;
  std::vector<Index> of;  // (point); empty: all in one

  // For points in the order of gather_points, from `chains` chains: groups of whole chains if there are enough, else stretches of draws.
  static Groups of_draws(Index points, Index chains);
};

// Squared energy distance as a V-statistic, 2 E|X - Y| - E|X - X'| - E|Y - Y'| (Szekely and Rizzo 2013): never negative, and of order 1/n
// between two samples of one distribution.
double squared_energy_distance(Communicator const&, std::vector<double> const& x, std::vector<double> const& y, Index dimension);
// With its standard error, by leaving out the points of one group after the other from both sets (delete-a-group jackknife; Kott 2001):
// both sets have the same number of groups, two or more. The distance is a square: between distributions of one or two dimensions that are
// two or three standard errors apart, values that are too small by chance have too small an error, and z = (value - truth) / error has root
// mean square 1.7; it is 1 between equal distributions and between those farther apart (tests/estimators/test_calibration.cpp).
Estimate squared_energy_distance(Communicator const&, std::vector<double> const& x, std::vector<double> const& y, Index dimension,
                                 Groups const& of_x, Groups const& of_y);

// Mean over random directions of the Wasserstein-p distance of the projections (Bonneel et al. 2015), p = 1 or 2; both sets the same size.
// For p = 2 the root of the mean square.
double sliced_wasserstein(Communicator const&, std::vector<double> const& x, std::vector<double> const& y, Index dimension, int p,
                          Index projections, random::Key);
// With its standard error as above, for the directions given.
Estimate sliced_wasserstein(Communicator const&, std::vector<double> const& x, std::vector<double> const& y, Index dimension, int p,
                            Index projections, random::Key, Groups const& of_x, Groups const& of_y);

// Sampler steps that the chains of a training run make with the final parameters before the estimators use them.
Index final_steps(deck::Document const&);

// Squared energy distance between the first `points` chains and validation items. Collective; the same bits on any number of ranks.
double validation_distance(Communicator const&, std::vector<Chains> const&, data::Dataset const&, Index points);

}  // namespace partita
