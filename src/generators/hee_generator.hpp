// Samples of an HEE: joint and marginal generation by its dynamics, ancestral sampling, and the posterior of the latent layers given data.
#pragma once
#include "deck/schema.hpp"
#include "generators/generator.hpp"
#include "samplers/hee_langevin.hpp"

namespace partita {

// Durations are in units of tau = 1, the time unit of step_size; the defaults are those of Dong and Wu (2023).
struct HeeJointOptions {
  double duration = 300;
  double average_over = 100;
  std::string output = "average";
};
// One latent chain is joint generation. The mean of many has less noise but still lags behind the image, which narrows p(x_0): an error
// O(tau_l / tau_0) that more chains do not remove. On the reference model with 16 chains, 56 % of the variance above 1/2 is left at
// tau_l = tau_0, and 97 % at tau_0 = 30 tau_l.
struct HeeMarginalOptions {
  double duration = 100;
  double average_over = 50;
  std::string output = "average";
  Index latent_chains = 16;
};
struct HeePosteriorOptions {
  double duration = 300;
  double average_over = 100;
  std::string output = "average";
};
deck::Schema hee_joint_schema();
deck::Schema hee_marginal_schema();
deck::Schema hee_ancestral_schema();
deck::Schema hee_posterior_schema();

// x and the latent layers: what a sample consists of.
std::vector<Generator::Variable> layers_of(Hee const&);

// How long the dynamics runs, and which part of it is used.
struct HeeRun {
  Visible visible;
  Index group;  // chains that share one x_0
  double duration, average_over;
  bool keeps_average;
};
HeeRun joint_run(HeeJointOptions const&);
HeeRun marginal_run(HeeMarginalOptions const&);
HeeRun posterior_run(HeePosteriorOptions const&);
// The number of steps nearest to a duration; the largest Index for durations beyond that.
Index steps_in(double duration, double step_size);

// Chains from a random state (with clamped x_0: from `data`, (tile, n_0, pitch)), run for `duration`; the sample is each chain's last
// state, or its average over the end of the run, taken every average_every steps.
class HeeDynamicsGenerator : public Generator {
 public:
  static constexpr Index average_every = 10;  // steps; a tenth of tau at the usual dt = 0.01

  // Failure(usage) where the run is shorter than the time of averaging, that time is shorter than average_every steps of this size, or
  // `group` does not divide lane_quantum.
  static void require_fit(HeeRun const&, double step_size);
  // For a run that passed require_fit. `samples` is the tiling of the samples; with shared x_0 there are `group` times as many chains. The
  // model must outlive the generator.
  HeeDynamicsGenerator(Hee const&, HeeLangevinOptions const&, HeeRun const&, Tiling const& samples, Communicator, random::Key,
                       InitialDistribution const&);
  HeeChains const& chains() const { return chains_; }  // clamped data are to be written to x[0] before the first step

  Index steps() const override { return steps_; }
  Index next_boundary(Index step) const override;
  void advance(Index step, Index steps) override;
  void require_finite(Index step) const override;
  double chain_steps_per_step() const override { return double(chains_.tiling.chains); }
  void describe_state(State&) override;
  Tiling const& tiling() const override { return samples_; }
  TileRange mine() const override { return chains_.mine; }
  std::vector<Variable> variables() const override;
  std::vector<TileStorage> samples() override;
  // Lists the arrays of a rank with this share of the samples, and those that are made when they are ready.
  static void list(Arrays held, Arrays at_end, Hee const&, HeeLangevinOptions const&, HeeRun const&, Share const& samples);

 private:
  Index first_averaged() const;  // averaging begins after this step

  HeeLangevin dynamics_;
  HeeRun run_;
  Tiling samples_;
  Communicator communicator_;
  random::Key key_;
  HeeChains chains_;
  Index steps_;
  std::vector<TileStorage> sums_;  // of x[l], where averages are taken
  Index summed_ = 0;
};

// x_L ~ p(x_L), then downwards: exact for Gaussian conditionals.
class HeeAncestralGenerator : public Generator {
 public:
  HeeAncestralGenerator(Hee const&, Tiling const& samples, Communicator, random::Key);
  Tiling const& tiling() const override { return samples_; }
  TileRange mine() const override { return mine_; }
  std::vector<Variable> variables() const override;
  std::vector<TileStorage> samples() override;
  static void list(Arrays at_end, Hee const&, Share const&);

 private:
  Hee const& model_;
  Tiling samples_;
  TileRange mine_;
  random::Key key_;
};

}  // namespace partita
