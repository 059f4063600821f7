// Leimkuhler-Matthews: x <- x - eta dE/dx + sqrt(2 eta T) (xi_n + xi_{n+1}) / 2.
#pragma once
#include "samplers/sampler.hpp"

namespace partita {

struct LeimkuhlerMatthewsOptions {
  double step_size = 0;
  double temperature = 1;
};
deck::Schema leimkuhler_matthews_schema();

class LeimkuhlerMatthews : public Sampler {
 public:
  explicit LeimkuhlerMatthews(LeimkuhlerMatthewsOptions const& o) : Sampler(o.step_size, o.temperature), options_(o) {}
  void require_fit(Model const&) const override;
  using Sampler::advance;
  void advance(Model const&, Chains&, random::Key, TileRange local, Index first_step, Index steps) override;
  double longest_gradient_step(Index d) const override { return gradient_step_at(1 / step_size_, d); }  // unstable from H = 2 / eta on
  bool biased() const override { return true; }
  Index work_rows(Index d) const override { return LeimkuhlerMatthewsScheme::work_rows(d); }

 private:
  LeimkuhlerMatthewsOptions options_;
};

}  // namespace partita
