// Metropolis-adjusted Langevin (Roberts and Tweedie 1996): the ULA proposal and a Metropolis test; exact for every step size.
#pragma once
#include "samplers/hamiltonian.hpp"
#include "samplers/scheme_sampler.hpp"

namespace partita {

struct MalaOptions {
  double step_size = 0;
  double temperature = 1;
  double target_acceptance = 0.574;  // Roberts and Rosenthal 1998
};
deck::Schema mala_schema();

class Mala : public SchemeSampler<HamiltonianScheme<>, AdjustedSampler> {
 public:
  explicit Mala(MalaOptions const& o) : SchemeSampler(o.step_size, o.temperature, o.target_acceptance) {}
  using Sampler::advance;
  void advance(Model const&, Chains&, random::Key, TileRange local, Index first_step, Index steps) override;
};

}  // namespace partita
