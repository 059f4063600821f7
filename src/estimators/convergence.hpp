// Convergence of chains, and their effective number of independent draws: split R-hat and effective sample size with rank normalisation
// (Vehtari, Gelman, Simpson, Carpenter, Buerkner, Bayesian Analysis 16, 667 (2021)), defined as in ArviZ.
#pragma once
#include <string>
#include <vector>

#include "core/types.hpp"
#include "estimators/sample_set.hpp"
#include "models/model.hpp"

namespace partita {

// (chain, draw), row-major. A single chain is enough: its halves are compared. The functions below return NaN where why_unknown is not
// empty; R-hat is infinite where no chain moves and they differ.
struct ChainSeries {
  Index chains = 0, draws = 0;
  std::vector<double> values;
};

// Empty, or why neither R-hat nor an effective sample size is defined: fewer than 4 draws, values that are not finite, or all values
// equal.
std::string why_unknown(ChainSeries const&);

double split_rhat(ChainSeries const&);             // classical, on split chains
double rank_rhat(ChainSeries const&);              // the larger of the rank-normalised and the folded one
double effective_sample_size(ChainSeries const&);  // of the mean, on split chains, without rank normalisation
double bulk_ess(ChainSeries const&);
double tail_ess(ChainSeries const&);  // the smaller of the 5 % and 95 % quantiles'

// The inverse of the standard normal distribution function, to double precision, 0 < p < 1.
double normal_quantile(double p);

// Warnings about the chains' convergence from the energy and the first coordinates, as by the estimator "convergence"; `copies`: how many
// chains each one here represents. `model`: what was sampled, null where it is not known. Collective.
std::vector<std::string> convergence_warnings(SampleSet const&, Model const* model, double copies);

}  // namespace partita
