// log p(x_0) of any HEE by annealed importance sampling (Neal 2001): chains start with a draw from p(x_1:L) and pass through
// p(x_1:L) p(x_0 | x_1)^beta, beta = 0 .. 1, one Hamiltonian Monte Carlo step for each; exp of a chain's sum of
// (beta_k+1 - beta_k) log p(x_0 | x_1) is an unbiased estimate of p(x_0), the logarithm of a mean of them one that is too low on average.
#pragma once
#include <vector>

#include "comm/communicator.hpp"
#include "estimators/importance.hpp"
#include "models/hee.hpp"

namespace partita {

struct AnnealingOptions {
  Index temperatures = 1000;
  Index chains = 64;  // for each point
};

struct AnnealedLikelihood {
  std::vector<LogMean> points;  // log p(x_0) of each
  double acceptance;            // of all steps
};

// Of points (point, n_0). The length of the leapfrogs at each temperature is found by the chains of the first tile in a run of their own,
// so that it does not depend on the chains that count. Collective; the same bits on any number of ranks. Failure(numerical) for weights
// that are not finite.
AnnealedLikelihood annealed_likelihood(Hee const&, std::vector<double> const& points, AnnealingOptions const&, Communicator const&,
                                       random::Key);

}  // namespace partita
