// Hybrid (Hamiltonian) Monte Carlo (Duane, Kennedy, Pendleton, Roweth 1987); a step of the chain is one trajectory.
#pragma once
#include "samplers/sampler.hpp"

namespace partita {

struct HmcOptions {
  double step_size = 0;
  Index leapfrogs = 10;
  double temperature = 1;
  double target_acceptance = 0.65;  // Beskos et al. 2013
};
deck::Schema hmc_schema();

class Hmc : public Sampler {
 public:
  explicit Hmc(HmcOptions const& o) : Sampler(o.step_size, o.temperature), options_(o) {}
  using Sampler::advance;
  void advance(DifferentiableModel const&, Chains&, random::Key, TileRange local, Index first_step, Index steps) override;
  bool adjusted() const override { return true; }
  bool adapts() const override { return options_.target_acceptance > 0; }
  void adapt(double acceptance) override { step_size_ = adaptation_.next(step_size_, acceptance, options_.target_acceptance); }
  double evaluations_per_step() const override { return static_cast<double>(options_.leapfrogs); }
  Index work_rows(Index d) const override { return HamiltonianScheme::work_rows(d); }
  void describe_state(State&) override;

 private:
  HmcOptions options_;
  StepSizeAdaptation adaptation_;
};

}  // namespace partita
