// Greedy learning of a deep belief network (Hinton, Osindero and Teh 2006): machine after machine by persistent contrastive divergence,
// each on draws of the layer below it given the data. A machine with the transposed shape of the one below starts with its transposed
// weights, which leaves the bound on the likelihood unchanged; others start at small random weights and the means of their data.
#pragma once
#include "models/deep_belief_network.hpp"
#include "objectives/contrastive_divergence.hpp"

namespace partita {

deck::Schema greedy_cd_schema();

class GreedyCd : public Objective {
 public:
  // The updates are divided evenly among the machines. All references must outlive the objective.
  GreedyCd(DeepBeliefNetwork&, Sampler&, data::Batches const&, Index updates, Communicator, Summation, random::Key, Index tile_width,
           ContrastiveOptions, PersistentOptions);

  Vector gradient(Index update, Timers&) override;
  std::vector<Phase> phases(Index updates, Index parameters) const override;
  std::vector<Series> series() const override;
  std::vector<double> report(Index update) override;
  std::vector<std::string> warnings(std::vector<std::vector<double>> const& reports) const override;
  void require_finite(Index update) const override { learner(update).require_finite(update); }
  void require_sane(Index update) override { learner(update).require_sane(update); }
  double epoch(Index update) const override { return batches_.epoch(update); }
  double chain_steps_per_update() const override { return learners_.front()->chain_steps_per_update(); }
  void describe_state(State&) override;
  static void list(Arrays, DeepBeliefNetwork const&, Share const&, Summation, ContrastiveOptions const&, PersistentOptions const&);

 private:
  // The machine that the update before this one trained.
  Index machine_before(Index update) const;
  ContrastiveDivergence& learner(Index update) const { return *learners_[machine_before(update)]; }
  void start_machine(Index machine, Index update);
  void fill(Index machine, TileStorage to, Tiling const&, TileRange mine, Index update);
  std::vector<double> mean_of_layer(Index machine, Index update);

  DeepBeliefNetwork& model_;
  data::Batches const& batches_;
  Index updates_;
  Communicator communicator_;
  random::Key key_;
  Tiling tiling_;
  TileRange mine_;
  std::vector<TileStorage> layers_;  // this rank's tiles of the minibatch in each layer, (tile, units, pitch)
  std::vector<std::unique_ptr<ContrastiveDivergence>> learners_;
};

}  // namespace partita
