// Samples of many independent chains, spread over ranks by tile, and averages over them with standard errors.
#pragma once
#include <functional>
#include <vector>

#include "comm/communicator.hpp"
#include "core/metric.hpp"
#include "core/tiling.hpp"

namespace partita {

class SampleReader;

struct SampleSet {
  Communicator ranks;
  Tiling tiling;
  TileRange mine;
  Index draws = 0, dimension = 0;
  std::vector<float> x;        // (chain, draw, dimension) of this rank's chains
  std::vector<double> energy;  // (chain, draw); empty where unknown, and on ranks without chains
  bool has_energy = false;     // whether it is known; the same on all ranks

  Index first_chain_here() const;
  Index chains_here() const;  // real chains of this rank's tiles
  float const* point(Index chain, Index draw) const { return x.data() + (chain * draws + draw) * dimension; }
  double energy_of(Index chain, Index draw) const { return energy.empty() ? 0 : energy[chain * draws + draw]; }
};

// This rank's chains of a file with this tiling, (chain, draw, dimension); the last `draws` draws, 0: all.
SampleSet read_samples(Communicator const&, SampleReader const&, Tiling const&, Index draws);

// Mean of independent numbers with its standard error, NaN for one number.
Estimate mean_and_error(std::vector<double> const&);
// The share of n independent trials in which something happened, with the error of Agresti and Coull (The American Statistician 52, 1998),
// who add two successes and two failures: the error is then not 0 where it never or always happened.
Estimate share_and_error(double happened, double n);
// a / b of independent estimates, by linearisation, with the degrees of freedom of a; b should be many of its errors from 0.
Estimate quotient(Estimate const& a, Estimate const& b);

// Expectations of n functions of (x, energy) over all chains and draws. Chains are independent, so the spread of the chains' own averages
// gives standard errors without any assumption on the correlation along a chain; a single chain's come from its effective sample size. The
// error is NaN for a function whose average is the same for all chains, or that is constant along each: nothing moved, or the event that it
// counts never happened. Collective; the same bits on any number of ranks.
using Functions = std::function<void(float const* x, double energy, double* values)>;
std::vector<Estimate> expectations(SampleSet const&, Index n, Functions const&, Communicator::Place = Communicator::Place::current());

// Up to `count` points on every rank, (point, dimension): the last draw of every chain, then the draw before it, and so on. Collective.
std::vector<double> gather_points(SampleSet const&, Index count, Communicator::Place = Communicator::Place::current());
// Values (chain, draw) of a function for all chains, on every rank. Collective.
std::vector<double> gather_series(SampleSet const&, std::function<double(float const* x, double energy)> const&,
                                  Communicator::Place = Communicator::Place::current());

}  // namespace partita
