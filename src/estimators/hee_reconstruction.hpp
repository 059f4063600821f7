// How well the latent layers of an HEE represent its data: their posterior means, and the data expected given them.
#pragma once
#include <vector>

#include "comm/communicator.hpp"
#include "samplers/hee_langevin.hpp"

namespace partita {

struct ReconstructionOptions {
  double duration = 150,
         average_over = 100;  // in units of tau = 1: time that the clamped dynamics runs, and its last part that is averaged
};

// Failure(usage) where the time of averaging is longer than the run.
void require_fit(ReconstructionOptions const&);

// [0]: the posterior mean of A'(eta_0) = E[phi(x_0) | x_1], (point, n_0); [l]: that of x_l, (point, n_l). For points (point, n_0), one
// chain each, averaged over every tenth step. Collective; the same bits on any number of ranks. Failure(numerical) for a chain that
// diverged.
std::vector<std::vector<double>> reconstruct(Hee const&, HeeLangevinOptions const&, std::vector<double> const& points,
                                             ReconstructionOptions const&, Communicator const&, random::Key);
// Lists the arrays of the first of so many ranks, which has the most.
void list_reconstruct(Arrays, Hee const&, HeeLangevinOptions const&, Index points, Index ranks);

}  // namespace partita
