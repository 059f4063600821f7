// Metropolis-adjusted Langevin (Roberts and Tweedie 1996): the ULA proposal and a Metropolis test; exact for every step size.
#pragma once
#include "samplers/sampler.hpp"

namespace partita {

struct MalaOptions {
  double step_size = 0;
  double temperature = 1;
  double target_acceptance = 0.574;  // Roberts and Rosenthal 1998
};
deck::Schema mala_schema();

class Mala : public Sampler {
 public:
  explicit Mala(MalaOptions const& o) : Sampler(o.step_size, o.temperature), options_(o) {}
  using Sampler::advance;
  void advance(DifferentiableModel const&, Chains&, random::Key, TileRange local, Index first_step, Index steps) override;
  bool adjusted() const override { return true; }
  bool adapts() const override { return options_.target_acceptance > 0; }
  void adapt(double acceptance) override { step_size_ = adaptation_.next(step_size_, acceptance, options_.target_acceptance); }
  Index work_rows(Index d) const override { return HamiltonianScheme::work_rows(d); }
  void describe_state(State&) override;

 private:
  MalaOptions options_;
  StepSizeAdaptation adaptation_;
};

}  // namespace partita
