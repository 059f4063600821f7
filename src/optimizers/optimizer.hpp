// Optimizers: from a gradient to new parameters. They see flat parameter Views only; every rank makes the same update.
#pragma once
#include <memory>
#include <string>

#include "core/arrays.hpp"
#include "core/state.hpp"
#include "core/types.hpp"
#include "deck/schema.hpp"

namespace partita {

class Optimizer {
 public:
  virtual ~Optimizer() = default;
  // parameters <- parameters - rate * direction(gradient).
  virtual void update(Vector parameters, ConstVector gradient, double rate) = 0;
  virtual void describe_state(State&) {}
};

// Keys that all optimizers share.
struct OptimizerOptions {
  double learning_rate = 1e-3;
  std::string schedule = "constant";
  Index warmup_updates = 0;
  double final_fraction = 0;
  double clip_norm = 0;
};
std::vector<deck::Key> optimizer_keys();

// Learning rate of an update (from 0) out of `updates`: a linear warm-up from 0, then constant, or linear or half a cosine
// (Loshchilov and Hutter 2017) down to final_fraction of the learning rate.
double scheduled_rate(OptimizerOptions const&, Index update, Index updates);

// Euclidean norm in double, summed in a fixed order.
double norm(ConstVector);
// values *= factor
void scale(Vector values, double factor);

// Exponential moving average of parameters with the usual smaller decay at the start: average <- average + (1 - d_u) (parameters -
// average), d_u = min(decay, (1 + u) / (10 + u)).
void average(Vector average, ConstVector parameters, double decay, Index update);

}  // namespace partita
