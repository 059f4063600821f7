// Underdamped Langevin dynamics dx = v dt, m dv = -dE/dx dt - gamma m v dt + sqrt(2 gamma m T) dW by BAOAB
// (Leimkuhler and Matthews 2013): exact positional variance on harmonic targets at every stable step.
#pragma once
#include "samplers/sampler.hpp"

namespace partita {

struct UnderdampedOptions {
  double step_size = 0;
  double friction = 1;
  double mass = 1;
  double temperature = 1;
};
deck::Schema underdamped_schema();

class Underdamped : public Sampler {
 public:
  explicit Underdamped(UnderdampedOptions const& o) : Sampler(o.step_size, o.temperature), options_(o) {}
  void require_fit(Model const&) const override;
  void prepare(Model const&, Chains&, random::Key) override;
  using Sampler::advance;
  void advance(Model const&, Chains&, random::Key, TileRange local, Index first_step, Index steps) override;
  bool keeps_velocity() const override { return true; }
  double longest_gradient_step(Index d) const override {  // unstable from H = 4 m / h^2 on
    return gradient_step_at(2 * options_.mass / (step_size_ * step_size_), d);
  }
  bool biased() const override { return true; }
  Index work_rows(Index d) const override { return BaoabScheme::work_rows(d); }

 private:
  UnderdampedOptions options_;
};

}  // namespace partita
