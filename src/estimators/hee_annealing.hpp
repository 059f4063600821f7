// log p(x_0) of any HEE by annealed importance sampling (Neal 2001): chains start with a draw from p(x_1:L) and pass through
// p(x_1:L) p(x_0 | x_1)^beta, beta = 0 .. 1, with one Hamiltonian Monte Carlo step for each; exp of a chain's sum of
// (beta_k+1 - beta_k) log p(x_0 | x_1) is an unbiased estimate of p(x_0); the logarithm of their mean is too low on average.
#pragma once
#include <vector>

#include "comm/communicator.hpp"
#include "estimators/importance.hpp"
#include "models/hee.hpp"

namespace partita {

struct HeeAnnealingOptions {
  Index temperatures = 1000;
  Index chains = 64;  // for each point
};

struct AnnealedLikelihood {
  std::vector<LogMean> points;  // log p(x_0) of each point
  double acceptance;            // average over all steps
};

// For points (point, n_0). The length of the leapfrogs at each temperature is tuned in a separate pilot run of the first tile's chains,
// so that it does not depend on the chains of the estimate. Collective; the same bits on any number of ranks. Failure(numerical) for
// weights that are not finite.
AnnealedLikelihood annealed_likelihood(Hee const&, std::vector<double> const& points, HeeAnnealingOptions const&, Communicator const&,
                                       random::Key);
// Lists what it holds for so many points.
void list_annealed_likelihood(Arrays, Hee const&, HeeAnnealingOptions const&, Index points);

}  // namespace partita
