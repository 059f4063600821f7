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

class Hmc : public AdjustedSampler {
 public:
  explicit Hmc(HmcOptions const& o) : AdjustedSampler(o.step_size, o.temperature, o.target_acceptance), leapfrogs_(o.leapfrogs) {}
  using Sampler::advance;
  void advance(Model const&, Chains&, random::Key, TileRange local, Index first_step, Index steps) override;
  double evaluations_per_step() const override { return static_cast<double>(leapfrogs_); }

 private:
  Index leapfrogs_;
};

}  // namespace partita
