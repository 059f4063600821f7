// Replica exchange over temperatures (Swendsen and Wang 1986; Geyer 1991; Hukushima and Nemoto 1996): rung r samples exp(-beta_r E), or for
// a model of units the distribution p_beta of its path, which at beta = 0 is drawn independently in each sweep.
#pragma once
#include "samplers/ladder.hpp"

namespace partita {

struct ReplicaExchangeOptions {
  std::string moves;
  double step_size = 0;
  double target_acceptance = -1;
  Index leapfrog_steps = 10;
  bool random_length = true;
  Index rungs = 8;
  double lowest_beta = 0.1;
  std::vector<double> betas;
  bool adapt_ladder = true;
};
deck::Schema replica_exchange_schema();

class ReplicaExchange : public LadderSampler {
 public:
  // Failure(usage) for betas that do not decrease from 1, or moves without the step size that they need.
  ReplicaExchange(ReplicaExchangeOptions const&, LadderOptions const&, Communicator);

  void require_fit(Model const&) const override;
  void prepare(Model const&, Chains&, random::Key) override;
  void advance(Model const&, Chains&, random::Key, TileRange local, Index first_step, Index steps) override;
  using Sampler::advance;
  bool adjusted() const override { return moves_.front()->adjusted(); }
  int order_of_bias() const override { return moves_.front()->order_of_bias(); }
  std::optional<Matrix> stationary_covariance(Matrix const& precision) const override {
    return order_of_bias() > 0 ? std::nullopt : moves_.front()->stationary_covariance(precision);
  }
  bool adapts() const override { return adapts_ladder_ || moves_.front()->adapts(); }
  // Adapts the step sizes of all rungs and, at calls number 1, 2, 4, 8, ..., the betas, which move towards equal swap rates. Collective.
  void adapt(double acceptance) override;
  double evaluations_per_step() const override { return double(rungs()) * moves_.front()->evaluations_per_step(); }
  Index work_rows(Index dimension) const override { return moves_.front()->work_rows(dimension); }
  std::vector<double> betas() const { return {betas_.data(), betas_.data() + betas_.extent(0)}; }
  std::vector<Metric> results() const override;
  void describe_state(State&) override;

 protected:
  std::vector<Index> order() const override;
  void prepare_rung(Index rung, Model const&, Chains&, random::Key) override;
  void list_rung(Arrays, Index rung, Model const&, Share const&) const override;
  void advance_rung(Index rung, Model const&, Chains&, random::Key, TileRange local, Index first_step, Index steps) override;
  void compare(Index rung, Index neighbour, Model const&, ConstTiles x, TileEnergies difference) const override;

 private:
  double beta(Index rung) const { return betas_(rung); }
  void move_betas();

  bool adapts_ladder_;
  Kokkos::View<double*, Kokkos::LayoutRight, Kokkos::HostSpace> betas_;
  std::vector<std::unique_ptr<Sampler>> moves_;           // of each rung
  Index adaptations_ = 0, reached_ = 0, adapted_at_ = 0;  // calls of adapt(); the step after the last, and that of the last call
  mutable TwoEnergies energies_;                          // of units at both betas
};

// New betas with the same ends and equal rejection rates: the communication barrier, which is the sum of the rejection rates from the
// coldest rung on, is interpolated linearly between the old betas (Syed, Bouchard-Cote, Deligiannidis, Doucet, JRSS B 84, 2022,
// algorithm 2).
std::vector<double> equal_rejections(std::vector<double> const& betas, std::vector<double> const& rejection_rates);

}  // namespace partita
