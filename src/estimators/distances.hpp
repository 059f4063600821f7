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

// Which group each point of a set belongs to, 0 ... number - 1. Groups are independent of each other (chains, stretches of time), points of
// one group need not be.
struct Groups {
  Index number = 1;
  std::vector<Index> of;  // (point); empty: all in one

  // Of points as gather_points gives them, of so many chains: groups of whole chains where there are enough, else stretches of draws.
  static Groups of_draws(Index points, Index chains);
};

// Squared energy distance as a V-statistic, 2 E|X - Y| - E|X - X'| - E|Y - Y'| (Szekely and Rizzo 2013): never negative, and of order 1/n
// between two samples of one distribution.
double squared_energy_distance(Communicator const&, std::vector<double> const& x, std::vector<double> const& y, Index dimension);
// With its standard error, by leaving out the points of one group after the other from both sets (delete-a-group jackknife; Kott 2001):
// both sets in equally many groups, of which there are two or more. The distance is a square: between laws of one or two dimensions that
// are two or three errors apart, values too small by chance have too small an error, and z = (value - truth) / error is 1.7 in root mean
// square; it is 1 between equal laws and between laws farther apart (tests/estimators/test_calibration.cpp).
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
