// Local learning of an HEE (Dong and Wu 2023): W, b (and S) change while inference on the data runs,
//
//     W_l += (dt/tau_w) < eps_l f(x_l+1)' >,  b_l += (dt/tau_w) < eps_l >,  dS_l = (dt/tau_w) < 2 [(S u)u' - (S x)x'] - 2 lambda S >,
//
// < > the mean over the batch. An update is k steps of the dynamics at constant parameters, whose drives are summed and applied once: k = 1
// is the rule above. A larger k has an error O(k dt / tau_w) during learning, but the same fixed points.
#pragma once
#include "comm/tile_sums.hpp"
#include "data/batches.hpp"
#include "models/hee.hpp"
#include "objectives/objective.hpp"
#include "samplers/hee_langevin.hpp"

namespace partita {

struct HeeLocalOptions {
  double tau_w = 10;
  Index steps_per_update = 10;  // k
  Index steps_per_batch = 1000;
  Index warmup = 0;
  std::string latent_start = "warm";
  double lateral_decay = 0;  // lambda
};
deck::Schema hee_local_schema();

class HeeLocal : public Objective {
 public:
  // Failure(usage) where steps_per_batch is not a multiple of steps_per_update.
  static void require_fit(HeeLocalOptions const&);
  // For options that passed require_fit. All references must outlive the objective.
  HeeLocal(Hee const&, HeeLangevinOptions const&, HeeLocalOptions const&, data::Batches const&, Communicator, Summation, random::Key,
           Index tile_width, InitialDistribution);

  // -(dt/tau_w) times the sum over k steps of the batch's mean drive: the optimizer sgd with learning rate 1 applies the rule above.
  Vector gradient(Index update, Timers&) override;
  std::vector<Series> series() const override;
  std::vector<double> report(Index update) override;
  void require_finite(Index update) const override;
  double epoch(Index update) const override { return batches_.epoch(update / updates_per_batch_); }
  double chain_steps_per_update() const override;
  void describe_state(State& state) override { chains_.describe_state(state, "chains"); }

  // Lists the arrays of a rank, the dynamics' among them.
  static void list(Arrays, HeeLangevin const&, Share const&, Summation);

  HeeChains const& latent_chains() const { return chains_; }

 private:
  Index first_step(Index update) const;
  void show_next_batch(Index update);

  Hee const& model_;
  HeeLangevin dynamics_;
  HeeLocalOptions options_;
  data::Batches const& batches_;
  Communicator communicator_;
  random::Key key_;
  InitialDistribution initial_;
  Index updates_per_batch_;
  HeeChains chains_;
  TileSums sums_;
  double last_log_joint_ = 0;
};

}  // namespace partita
