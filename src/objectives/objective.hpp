// An objective: the estimator of the gradient that an update follows, and the health of the training.
#pragma once
#include <string>
#include <vector>

#include "core/state.hpp"
#include "core/timers.hpp"
#include "core/types.hpp"
#include "samplers/chains.hpp"

namespace partita {

// A quantity that an objective reports at intervals.
struct Series {
  std::string name;
  std::string definition;        // one line
  bool in_progress = false;      // shown in the progress line
  std::string former_name = {};  // in the histories of earlier versions
};

// A part of the training in which a range of the parameters is learnt, with its own optimizer and schedule.
struct Phase {
  Index first_update, updates;
  Index first_parameter, parameters;
};

class Objective {
 public:
  virtual ~Objective() = default;
  // The gradient of the loss at the model's present parameters for update number `update`, of the parameters that its phase learns; the
  // same on every rank. Collective.
  virtual Vector gradient(Index update, Timers&) = 0;
  // The phases, one after the other, of a training of so many updates and parameters.
  virtual std::vector<Phase> phases(Index updates, Index parameters) const { return {{0, updates, 0, parameters}}; }

  virtual std::vector<Series> series() const = 0;
  // The values of series() since the last report, the same on every rank. Failure(numerical) where they show that the training diverged.
  // Collective.
  virtual std::vector<double> report(Index update) = 0;
  // What the reports, in their order, and the chains show to be wrong with the training: sentences without a full stop. Collective; only
  // the root has the reports.
  virtual std::vector<std::string> warnings(std::vector<std::vector<double>> const& /*reports*/) const { return {}; }
  // Failure(numerical) that names the first chain which is not finite. Collective.
  virtual void require_finite(Index update) const = 0;

  // Failure(numerical) where the values since the last report show that the training diverged, by the criteria of report(), so that such a
  // state
  // replaces no checkpoint. Collective.
  virtual void require_sane(Index /*update*/) {}

  // The chains of the model after the updates so far, in groups of one batch each; empty where the objective has none.
  virtual std::vector<Chains> const& chains() const {
    static std::vector<Chains> const none;
    return none;
  }
  // After `updates` updates: chains() make `steps` more steps with the present parameters.
  virtual void settle(Index /*updates*/, Index /*steps*/) {}

  virtual double epoch(Index update) const = 0;  // passes over the training items before this update; 0 without data
  virtual double chain_steps_per_update() const { return 0; }
  virtual void describe_state(State&) = 0;
};

}  // namespace partita
