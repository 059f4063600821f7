// Annealed importance sampling of log Z along a model's path p_beta, beta = 0 .. 1 (Neal, Statistics and Computing 11, 2001; Salakhutdinov
// and Murray, ICML 2008), in both directions, and Bennett's acceptance ratio between them.
//
// Forward: a chain starts with a draw of p_0; for each beta_k its log weight increases by log p*_k - log p*_k-1 at the present x, then x
// moves by the sweep at beta_k. exp of the log weight is an unbiased estimate of Z / Z_0, so the logarithm of their mean is too low on
// average. Reverse: a chain starts with a draw of the model and follows the path backwards with reversed sweeps; exp of its log weight is
// an unbiased estimate of Z_0 / Z where the starts are exact, and log Z from their mean is too high on average.
#pragma once
#include <vector>

#include "comm/communicator.hpp"
#include "estimators/sample_set.hpp"
#include "samplers/chains.hpp"

namespace partita {

class GibbsModel;

// beta_0 = 0 < ... < beta_n = 1.
using Schedule = std::vector<double>;
Schedule uniform_schedule(Index temperatures);
constexpr Index most_temperatures = 10'000'000;
// In steps of steps[0] up to ends[0], then of steps[1] up to ends[1], ..; the last end is 1. Failure(usage) unless ends increase and steps
// are positive, and for more than most_temperatures steps in all.
Schedule piecewise_schedule(std::vector<double> const& ends, std::vector<double> const& steps);
// The number of steps that it makes, for which it makes nothing. Failure(usage) as above.
Index temperatures_of(std::vector<double> const& ends, std::vector<double> const& steps);

// Log weights of all chains in their order, on every rank. Failure(numerical) where one is not finite. Collective; the same bits on any
// number of ranks.
std::vector<double> forward_log_weights(GibbsModel&, Schedule const&, Tiling const&, Communicator const&, random::Key);
// The same in reverse for these chains: draws of the model, which end as draws of the reference.
std::vector<double> reverse_log_weights(GibbsModel&, Schedule const&, Chains const&, Communicator const&, random::Key);

// log(Z / Z_0) from the log weights of both directions, with its asymptotic standard error (Bennett, J. Comput. Phys. 22, 1976; Shirts and
// Chodera, J. Chem. Phys. 129, 2008).
Estimate acceptance_ratio(std::vector<double> const& forward, std::vector<double> const& reverse);

}  // namespace partita
