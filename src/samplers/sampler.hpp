// A sampler: a pure function from (state, model, first step, number of steps) to state, with all randomness keyed.
#pragma once
#include <cmath>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/dense.hpp"
#include "core/metric.hpp"
#include "deck/schema.hpp"
#include "models/model.hpp"
#include "samplers/chains.hpp"

namespace partita {

class Communicator;

class Sampler {
 public:
  virtual ~Sampler() = default;

  // Failure(usage) for a model that it cannot sample; for an unstable step size the message has the bound.
  virtual void require_fit(Model const&) const {}
  // Allocates memory and draws initial velocities; Failure(usage) as require_fit().
  virtual void prepare(Model const& model, Chains&, random::Key) { require_fit(model); }
  // Advances local tiles [range) by `steps` steps numbered from first_step.
  virtual void advance(Model const&, Chains&, random::Key, TileRange local, Index first_step, Index steps) = 0;
  void advance(Model const& m, Chains& c, random::Key key, Index first_step, Index steps) {
    advance(m, c, key, {0, c.mine.count}, first_step, steps);
  }

  virtual bool adjusted() const { return false; }           // has an acceptance test
  // Power of the step size with which the law of the chains differs from exp(-E/T); 0: it does not.
  virtual int order_of_bias() const { return 0; }
  virtual bool stationary() const { return true; }          // its chains have a stationary law, so that convergence can be judged
  virtual bool compares_energies() const { return false; }  // what it accepts or swaps depends on small differences of energies
  virtual bool adapts() const { return false; }             // tunes its step size during warm-up
  virtual void adapt(double /*acceptance*/) {}              // called with the acceptance of all chains since the last call
  // Called after adapt() with all chains, for samplers that adapt to the chains' positions. Collective.
  virtual void adapt_to(Model const&, Chains const&, Communicator const&) {}
  virtual double evaluations_per_step() const { return 1; }
  virtual Index work_rows(Index dimension) const = 0;  // rows of work memory, gradient included
  // Lists what it keeps for chains so dealt: work memory, velocities, further rungs.
  virtual void list(Arrays, Model const&, Share const&) const = 0;
  virtual bool keeps_velocity() const { return false; }
  // The covariance of its long-run samples on a Gaussian with this precision, at its step size: T H^-1 where the sampler is exact there;
  // none where no closed form is known.
  virtual std::optional<Matrix> stationary_covariance(Matrix const& precision) const;
  double step_size() const { return step_size_; }
  void set_step_size(double eta) { step_size_ = eta; }
  // The length of step_size |dE/dx| in this dimension above which an unadjusted sampler of exp(-E/T) is near its bound of stability;
  // infinite where none is known. In equilibrium E|dE/dx|^2 is T times the mean trace of the Hessian (integrate by parts), so the mean
  // length of the gradient measures the mean curvature H. The limit is at half the curvature at which the sampler would be unstable.
  virtual double longest_gradient_step(Index /*dimension*/) const { return std::numeric_limits<double>::infinity(); }
  double temperature() const { return temperature_; }
  void set_temperature(double t) { temperature_ = t; }  // samples exp(-E/T) from now on, or the path of a model of units at beta = 1/T
  virtual Index rungs() const { return 1; }             // number of sets of chains that it moves, the caller's included
  // How its further sets of chains start, with their own key; to be called before prepare(). Default: as copies of the caller's chains.
  using Start = std::function<void(Chains const&, random::Key)>;
  virtual void start_rungs_by(Start const&) {}
  // Numbers about the sampler's run so far. Collective.
  virtual std::vector<Metric> results() const { return {}; }
  virtual void describe_state(State&);

 protected:
  Sampler(double step_size, double temperature) : step_size_(step_size), temperature_(temperature) {}
  // step_size |dE/dx| where the mean curvature is H; infinite at T = 0, where nothing is sampled.
  double gradient_step_at(double curvature, Index dimension) const {
    if (temperature_ == 0) return std::numeric_limits<double>::infinity();
    return step_size_ * std::sqrt(temperature_ * curvature * double(dimension));
  }
  double step_size_, temperature_;
};

// Common base of Metropolis-adjusted samplers: acceptance counts, and a step size that the warm-up adapts by Robbins-Monro on its
// logarithm, log eta += 2 k^-0.6 (acceptance - target) at the k-th call, so that it converges during the warm-up. Target 0: no adaptation.
class AdjustedSampler : public Sampler {
 public:
  bool adjusted() const override { return true; }
  bool compares_energies() const override { return true; }
  bool adapts() const override { return target_ > 0; }
  void adapt(double acceptance) override;
  void describe_state(State&) override;

 protected:
  AdjustedSampler(double step_size, double temperature, double target) : Sampler(step_size, temperature), target_(target) {}

 private:
  double target_;
  Index adaptations_ = 0;
};

}  // namespace partita
