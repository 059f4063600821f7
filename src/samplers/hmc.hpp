// Hybrid (Hamiltonian) Monte Carlo (Duane, Kennedy, Pendleton, Roweth 1987); a step of the chain is one trajectory.
#pragma once
#include "samplers/hamiltonian.hpp"
#include "samplers/scheme_sampler.hpp"

namespace partita {

struct HmcOptions {
  double step_size = 0;
  Index leapfrogs = 10;
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
  double evaluations_per_step() const override { return static_cast<double>(options_.leapfrogs); }
  bool adapts() const override { return AdjustedSampler::adapts() || options_.adapt_mass; }
  // With adapt_mass: the chains' places are gathered over calls, and calls number 1, 2, 4, 8, ... turn those since the last into scales and
  // forget them. Held coordinates have no scale.
  void adapt_to(Chains const&, Communicator const&) override;
  // Lengths of the coordinates' leapfrogs in units of step_size(), (dimension); masses are one over their squares. Empty: all 1.
  Vector scales() const { return scales_; }
  void describe_state(State&) override;

 private:
  void gather(Chains const&, Communicator const&);

  HmcOptions options_;
  Vector scales_;
  Vector centre_, sums_,
      squares_;  // (dimension): of the places gathered, a mean of the first ones, and the sums of x - centre and its square
  Index gathered_ = 0, calls_ = 0;  // places; calls of adapt_to
};

// Scales from variances of `count` places: standard deviations over the least of them, so that a step size keeps its meaning for the
// narrowest coordinate. Their logarithms are drawn to their mean as if by five more places, for few places know a variance badly. Entries
// that are `left_out` are 1; empty where a variance is not a positive number, so that nothing is known yet.
std::vector<Real> scales_of(std::vector<double> const& variances, std::vector<bool> const& left_out, Index count);

}  // namespace partita
