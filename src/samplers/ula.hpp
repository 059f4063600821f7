// Unadjusted Langevin algorithm: x <- x - eta dE/dx + sqrt(2 eta T) noise_scale xi.
#pragma once
#include "samplers/sampler.hpp"

namespace partita {

struct UlaOptions {
  double step_size = 0;
  double temperature = 1;
  double noise_scale = 1;
};
deck::Schema ula_schema();

class Ula : public Sampler {
 public:
  explicit Ula(UlaOptions const& o) : Sampler(o.step_size, o.temperature), noise_scale_(o.noise_scale) {}
  void require_fit(Model const&) const override;
  using Sampler::advance;
  void advance(Model const&, Chains&, random::Key, TileRange local, Index first_step, Index steps) override;
  bool biased() const override { return true; }
  Index work_rows(Index d) const override { return UlaScheme::work_rows(d); }
  // Unstable from H = 2 / eta on; at half of that its chains are twice as wide as exp(-E), and with the gradient sqrt(2) times as long.
  // With less noise they are not meant to sample exp(-E).
  double longest_gradient_step(Index d) const override {
    return noise_scale_ == 1 ? gradient_step_at(2 / step_size_, d) : Sampler::longest_gradient_step(d);
  }
  // s^2 T (H - eta H^2 / 2)^-1 with s the noise scale: for H = I an overshoot of 2 / (2 - eta).
  Matrix stationary_covariance(Matrix const& precision) const override;

 private:
  double noise_scale_;
};

}  // namespace partita
