// An objective: the estimator of the gradient that an update follows, and the health of the training.
#pragma once
#include "core/state.hpp"
#include "core/timers.hpp"
#include "core/types.hpp"
#include "samplers/chains.hpp"

namespace partita {

// Averages over the updates since the last report, the same on every rank.
struct TrainingHealth {
  double energy_data = 0, energy_chains = 0;
  double energy_gap = 0;     // d_s = mean E(data) - mean E(chains)
  double gradient_step = 0;  // r_s = mean length of the chains' gradient step eta |dE/dx|, at the last update
};

class Objective {
 public:
  virtual ~Objective() = default;
  // The gradient of the loss at the model's present parameters for update number `update`; the same on every rank. Collective.
  virtual Vector gradient(Index update, Timers&) = 0;
  // Health since the last call. Collective.
  virtual TrainingHealth health() = 0;
  // The chains of the model that an update leaves behind, in groups of one batch each.
  virtual std::vector<Chains> const& chains() const = 0;
  virtual double chain_steps_per_update() const = 0;
  virtual std::size_t bytes() const = 0;
  virtual void describe_state(State&) = 0;
};

}  // namespace partita
