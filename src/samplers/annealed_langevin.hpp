// Annealed Langevin dynamics (Song and Ermon 2019, algorithm 1) on a model conditioned on noise sigma_1 > ... > sigma_L: T steps of ula at
// each level, with the step eta_i = eta sigma_i^2 / sigma_L^2. The level is a function of the step's number: it is not part of the state.
#pragma once
#include "samplers/ula.hpp"

namespace partita {

struct AnnealedLangevinOptions {
  double step_size = 0;
  Index level_steps = 100;
  bool denoise = false;
};
deck::Schema annealed_langevin_schema();

class AnnealedLangevin : public SchemeSampler<UlaScheme, Sampler> {
 public:
  explicit AnnealedLangevin(AnnealedLangevinOptions const& o) : SchemeSampler(o.step_size, 1), options_(o) {}
  // Failure(usage) for a model without noise levels.
  void require_fit(Model const&) const override;
  using Sampler::advance;
  // Leaves the model set to the noise level of the last step.
  void advance(Model const&, Chains&, random::Key, TileRange local, Index first_step, Index steps) override;
  int order_of_bias() const override { return 1; }
  bool stationary() const override { return false; }

 private:
  AnnealedLangevinOptions options_;
};

}  // namespace partita
