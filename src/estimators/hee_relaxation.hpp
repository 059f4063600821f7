// How fast the dynamics of a linear-Gaussian HEE (f and phi the identity, g quadratic) relaxes along the slowest mode of its posterior, the
// eigenvector q of the posterior precision with the smallest eigenvalue h: the autocorrelation of q . (x_1:L - their posterior mean), all
// tau_l = 1, A' in closed form. In continuous time its integral over all times is 2/h for first order and 2 / ((1 + m) h) for second order.
#pragma once
#include <vector>

#include "comm/communicator.hpp"
#include "estimators/sample_set.hpp"
#include "samplers/hee_langevin.hpp"

namespace partita {

struct SlowMode {
  double curvature;               // h
  std::vector<double> direction;  // q, over all latent units
  double mean;                    // q . posterior mean
};
SlowMode slowest_mode(Hee const&, std::vector<double> const& x0);

struct RelaxationOptions {
  double step_size = 0.01;
  double tau_v = 0.5;
  double duration = 0;  // of each chain, in units of tau = 1; 0: 200/h
  Index chains = 256;
};

struct Relaxation {
  std::vector<double> time;               // lags, up to eight times the larger of 1/h and tau_v
  std::vector<Estimate> autocorrelation;  // errors from the spread of the chains
  Estimate integrated_time;
};
// Failure(usage) for a duration below two times the longest lag.
void require_long_enough(SlowMode const&, RelaxationOptions const&);
// For a duration that passed the check. Second order with this m; m = 0: first order. Collective; the same bits on any number of ranks.
Relaxation relaxation(Hee const&, SlowMode const&, std::vector<double> const& x0, double m, RelaxationOptions const&, Communicator const&,
                      random::Key);

// The integrated autocorrelation time of a mode of curvature h under the discrete dynamics: dt (1 + 2 sum_k rho_k) of the recursion
// y <- (I + dt A) y + noise of y = (x, v).
double exact_integrated_time(double curvature, double m, double tau_v, double step_size);

}  // namespace partita
