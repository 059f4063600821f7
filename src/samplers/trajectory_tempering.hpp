// Tempering along the trajectory of learning (Bereux, Decelle, Furtlehner, Seoane, ICLR 2025): in place of temperatures the rungs have
// earlier parameters of the same machine, and the hottest rung is its start, independent units that each sweep draws anew. States can pass
// where temperatures meet first-order transitions, since the machine learnt its modes one after the other.
//
// During training rung 0, the chains of the objective, has the present parameters. When their swap rate with the newest copy falls
// below a limit, the present parameters are copied, with the states of the chains. When all copies are in use, the one that swaps best with
// its neighbours is removed first; the start always stays.
#pragma once
#include "models/gibbs_model.hpp"
#include "samplers/ladder.hpp"

namespace partita {

struct TrajectoryTemperingOptions {
  Index rungs = 10;
  double copy_below_swap_rate = 0.3;
  Index measure_every = 100;
  std::string trajectory;
};
deck::Schema trajectory_tempering_schema();

class TrajectoryTempering : public LadderSampler {
 public:
  // Returns the parameters of all copies that a training run kept, its start first.
  using Load = std::function<std::vector<std::vector<Real>>()>;
  // Failure(usage) for more copies than further rungs, Failure(data) for copies with another number of parameters.
  static void require_fit(std::vector<std::vector<Real>> const& copies, Index rungs, std::size_t parameters);
  // With `load` the copies are these, from the first prepare() on; without it they come during training.
  TrajectoryTempering(TrajectoryTemperingOptions const&, LadderOptions const&, Communicator, Load load = {});

  void prepare(Model const&, Chains&, random::Key) override;
  double evaluations_per_step() const override { return double(rungs()); }
  Index work_rows(Index) const override { return 0; }
  Index copies() const { return copies_; }  // the start included
  std::vector<Metric> results() const override;
  void describe_state(State&) override;

 protected:
  std::vector<Index> order() const override;
  void prepare_rung(Index, Model const&, Chains&, random::Key) override {}
  void list_rung(Arrays, Index rung, Model const&, Share const&) const override;
  void advance_rung(Index rung, Model const&, Chains&, random::Key, TileRange local, Index first_step, Index steps) override;
  void compare(Index rung, Index neighbour, Model const&, ConstTiles x, TileEnergies difference) const override;
  void before_advance(Model const&, Index first_step) override;

 private:
  GibbsModel& copy(Index rung) const { return *machines_[rung - 1]; }
  void energy(Index rung, Model const& present, ConstTiles x, TileScalars) const;
  void set_parameters(Index rung, ConstVector);
  void freeze(Model const&);
  void remove_redundant_copy();

  double copy_below_swap_rate_;
  Index measure_every_;
  Load load_;
  std::vector<std::unique_ptr<GibbsModel>> machines_;  // of rung 1, the start, to the newest
  Index copies_ = 1, next_measurement_ = 0;
  mutable TwoEnergies energies_;  // of a rung and of its neighbour
};

}  // namespace partita
