// A sampler: a pure function from (state, model, first step, number of steps) to state, with all randomness keyed.
#pragma once
#include <cmath>
#include <memory>
#include <optional>
#include <string>

#include "core/dense.hpp"
#include "deck/schema.hpp"
#include "models/model.hpp"
#include "samplers/advance.hpp"
#include "samplers/chains.hpp"

namespace partita {

// Robbins-Monro on log step size: log eta += 2 k^-0.6 (acceptance - target) at the k-th call, so that it settles as the warm-up goes on.
class StepSizeAdaptation {
 public:
  double next(double step_size, double acceptance, double target) {
    calls_++;
    return step_size * std::exp(2 * std::pow(static_cast<double>(calls_), -0.6) * (acceptance - target));
  }
  void describe_state(State& state) { state.add_scalar("sampler/adaptations", calls_); }

 private:
  Index calls_ = 0;
};

class Sampler {
 public:
  virtual ~Sampler() = default;

  // Memory and initial velocities; refuses a step size that cannot be stable on this model, Failure(usage) with the bound.
  virtual void prepare(DifferentiableModel const&, Chains&, random::Key) {}
  // Advances local tiles [range) by `steps` steps numbered from first_step.
  virtual void advance(DifferentiableModel const&, Chains&, random::Key, TileRange local, Index first_step, Index steps) = 0;
  void advance(DifferentiableModel const& m, Chains& c, random::Key key, Index first_step, Index steps) {
    advance(m, c, key, {0, c.mine.count}, first_step, steps);
  }

  virtual bool adjusted() const { return false; }  // has an acceptance test
  virtual bool adapts() const { return false; }    // tunes its step size during warm-up
  virtual void adapt(double /*acceptance*/) {}     // called with the acceptance of all chains since the last call
  virtual double evaluations_per_step() const { return 1; }
  virtual Index work_rows(Index dimension) const = 0;  // rows of work memory, gradient included
  virtual bool keeps_velocity() const { return false; }
  // The covariance of its long-run samples on a Gaussian with this precision: T H^-1 where the sampler is exact there.
  virtual Matrix stationary_covariance(Matrix const& precision) const {
    Matrix c = inverse(precision);
    for (double& v : c.values) v *= temperature_;
    return c;
  }
  double step_size() const { return step_size_; }
  virtual void describe_state(State& state) { state.add_scalar("sampler/step_size", step_size_); }

 protected:
  Sampler(double step_size, double temperature) : step_size_(step_size), temperature_(temperature) {}
  double step_size_, temperature_;
  SamplerWork work_;
};

}  // namespace partita
