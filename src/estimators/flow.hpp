// How well a flow samples its target exp(-U)/Z, from independent weighted samples of the flow, and whether it covers the target: the
// weights of a flow that misses a mode of the target look perfect, since no sample is in that mode.
#pragma once
#include <functional>
#include <vector>

#include "estimators/importance.hpp"
#include "estimators/sample_set.hpp"
#include "generators/flow_generator.hpp"

namespace partita {

struct WeightedSamples {
  SampleSet samples;               // one draw per chain, with U(x)
  std::vector<double> log_weight;  // of this rank's chains
};
// Collective.
WeightedSamples draw_flow(Nice&, DifferentiableModel& target, Index samples, Communicator, random::Key);

struct Importance {
  LogMean log_z;        // mean w -> Z
  Estimate criterion;   // -mean log w = KL(P || target) - log Z, redundant latents included: for comparing flows and choosing D
  Estimate divergence;  // KL(P || target), from both: they are means over the same samples, so their errors cancel in part
};
// Collective, like all below; the same bits on any number of ranks.
Importance importance(WeightedSamples const&);

// Probability of a set, as the share of the samples and by their weights.
struct Probability {
  Estimate direct;
  WeightedShare weighted;
};
Probability probability(WeightedSamples const&, std::function<bool(float const* x)> const& holds);

// The mass of each of n cells, cell(x) = 0 .. n - 1 or -1 for none, by number of samples and by their weights.
struct Masses {
  std::vector<double> direct, weighted;
};
Masses masses(WeightedSamples const&, Index n, std::function<Index(float const* x)> const& cell);

// A cell is missed if the weighted samples have less than a tenth of the reference's mass in it; cells in which fewer than ten of `samples`
// samples of the reference distribution are expected are not examined. Returns the share of the reference's mass in examined cells that is
// not missed; NaN where no cell is examined.
double covered(std::vector<double> const& reference, std::vector<double> const& weighted, Index samples);

// The smallest such share over grids of cells x cells in every pair of the first `coordinates` coordinates, between the reference's
// extremes; pairs without examined cells are left out.
struct Coverage {
  double covered;
  Index first = 0, second = 0;  // that pair
};
Coverage coverage(WeightedSamples const&, std::vector<double> const& reference, Index coordinates, Index cells);

// Quadrature of a one-dimensional target over [lowest, highest]: log Z, and the mass of each of n equal cells.
struct Quadrature {
  double log_z;
  std::vector<double> masses;
};
Quadrature quadrature(std::function<std::vector<double>(std::vector<double> const& points)> const& energy, double lowest, double highest,
                      Index cells);

}  // namespace partita
