// How well a flow samples its target exp(-U)/C, from independent weighted samples of it, and whether it covers what it should: the weights
// of a flow that misses a mode of the target look perfect, since no sample is there to show it.
#pragma once
#include <functional>
#include <vector>

#include "estimators/importance.hpp"
#include "estimators/sample_set.hpp"
#include "generators/flow_generator.hpp"

namespace partita {

struct WeightedSamples {
  SampleSet samples;               // one draw a chain, with U(x)
  std::vector<double> log_weight;  // of this rank's chains
};
// Collective.
WeightedSamples draw_flow(Nice&, DifferentiableModel& target, Index samples, Communicator, random::Key);

struct Importance {
  LogMean log_c;        // mean w -> C
  Estimate criterion;   // -mean log w = KL(P || target) - log C, redundant latents included: what to compare flows and choose D by
  Estimate divergence;  // KL(P || target), by both: they are means over the same samples, and their errors cancel in part
};
// Collective, like all below; the same bits on any number of ranks.
Importance importance(WeightedSamples const&);

// P of a set, as the share of samples and by their weights.
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

// A cell is missed where the weighted samples have less than a tenth of the reference's mass; cells of which `samples` samples of the
// reference's law would hold fewer than ten on average are not looked at. The reference's mass that is not missed, of what is looked at;
// NaN where that is nothing.
double covered(std::vector<double> const& reference, std::vector<double> const& weighted, Index samples);

// The smallest of these over grids of cells x cells in every pair of the first `coordinates` coordinates, between the reference's extremes;
// of pairs in which some cells are looked at.
struct Coverage {
  double covered;
  Index first = 0, second = 0;  // the pair where
};
Coverage coverage(WeightedSamples const&, std::vector<double> const& reference, Index coordinates, Index cells);

// Of a target in one dimension by quadrature over [lowest, highest]: log C, and the mass of each of n equal cells.
struct Quadrature {
  double log_c;
  std::vector<double> masses;
};
Quadrature quadrature(std::function<std::vector<double>(std::vector<double> const& points)> const& energy, double lowest, double highest,
                      Index cells);

}  // namespace partita
