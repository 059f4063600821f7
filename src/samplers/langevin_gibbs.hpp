// Gibbs-Langevin sampling (Liao, Kornblith, Ren, Fleet, Hinton 2022, Gaussian-Bernoulli RBMs without tears) of restricted machines with
// Gaussian visible units. A step draws h given v, then makes K Langevin steps on v with that h,
//   v <- v - eta s^2 dE(v, h)/dv + sqrt(2 eta) s xi = v - eta (v - m) + sqrt(2 eta) s xi,  v | h ~ N(m, s^2) in the model,
// with eta in units of each visible unit's variance, so that one eta suits all of them; for s = 1 it is that of the paper.
//
// K such steps are equivalent to one draw, v' ~ N(m + (1 - eta)^K (v - m), (1 - (1 - eta)^2K) t^2), t^2 = 2 s^2 / (2 - eta), and are
// implemented so. It is reversible with respect to N(m, t^2); the Metropolis test that corrects for t > s has log ratio -eta ((v' - m)^2 -
// (v - m)^2) / (4 s^2), summed over units, for any K. With it every eta is exact; without it the bias goes to zero with eta.
#pragma once
#include "models/gaussian_rbm.hpp"
#include "samplers/sampler.hpp"

namespace partita {

struct LangevinGibbsOptions {
  double step_size = 0;
  Index langevin_steps = 10;
  bool adjusted = false;
  double target_acceptance = 0.574;
};
deck::Schema langevin_gibbs_schema();

class LangevinGibbs : public AdjustedSampler {
 public:
  explicit LangevinGibbs(LangevinGibbsOptions const& o) : AdjustedSampler(o.step_size, 1, o.target_acceptance), options_(o) {}
  // Failure(usage) for other models.
  void prepare(Model const&, Chains&, random::Key) override;
  bool compares_energies() const override { return false; }  // its log ratios are sums of differences for each unit
  using Sampler::advance;
  void advance(Model const&, Chains&, random::Key, TileRange local, Index first_step, Index steps) override;
  bool adjusted() const override { return options_.adjusted; }
  int order_of_bias() const override { return options_.adjusted ? 0 : 1; }
  bool adapts() const override { return options_.adjusted && AdjustedSampler::adapts(); }
  void adapt(double acceptance) override;  // up to eta = 1, where v' no longer depends on v
  Index work_rows(Index dimension) const override { return 2 * dimension; }
  void list(Arrays, Model const&, Share const&) const override;

 public:  // what holds kernels: nvcc refuses it otherwise
  void step(GaussianRbm const&, Chains const&, Index first, Tiles x, Sweep const&);

 private:
  struct Work {
    TileStorage hidden, mean, proposal;
    void grow(Arrays, GaussianRbm const&, Index tiles, Index lanes, bool proposes);
  };
  LangevinGibbsOptions options_;
  Work work_;
};

}  // namespace partita
