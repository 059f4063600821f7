// Hybrid (Hamiltonian) Monte Carlo (Duane, Kennedy, Pendleton, Roweth 1987); a step of the chain is one trajectory.
#pragma once
#include "samplers/hamiltonian.hpp"
#include "samplers/position_moments.hpp"
#include "samplers/scheme_sampler.hpp"

namespace partita {

struct HmcOptions {
  double step_size = 0;
  Index leapfrog_steps = 10;
  double temperature = 1;
  double target_acceptance = 0.65;  // Beskos et al. 2013
  bool random_length = true;
  bool adapt_mass = false;
};
deck::Schema hmc_schema();

class Hmc : public SchemeSampler<HamiltonianScheme<>, AdjustedSampler> {
 public:
  explicit Hmc(HmcOptions const& o) : SchemeSampler(o.step_size, o.temperature, o.target_acceptance), options_(o) {}
  void prepare(Model const&, Chains&, random::Key) override;
  using Sampler::advance;
  void advance(Model const&, Chains&, random::Key, TileRange local, Index first_step, Index steps) override;
  double evaluations_per_step() const override { return double(options_.leapfrog_steps); }
  bool adapts() const override { return AdjustedSampler::adapts() || options_.adapt_mass; }
  // With adapt_mass: adapts the scales to the chains' positions, see PositionMoments.
  void adapt_to(Model const&, Chains const&, Communicator const&) override;
  // Leapfrog lengths of the coordinates in units of step_size(), (dimension); masses are one over their squares. Empty: all 1.
  Vector scales() const { return scales_; }
  void describe_state(State&) override;
  void list(Arrays, Model const&, Share const&) const override;

 private:
  HmcOptions options_;
  Vector scales_;
  PositionMoments places_;
};

}  // namespace partita
