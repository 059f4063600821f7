// Samples of a deep belief network: Gibbs sampling in its top machine, then one pass down.
#pragma once
#include "comm/communicator.hpp"
#include "deck/schema.hpp"
#include "generators/generator.hpp"
#include "models/deep_belief_network.hpp"
#include "samplers/chains.hpp"

namespace partita {

struct DbnGeneratorOptions {
  Index steps = 1000;
};
deck::Schema dbn_generator_schema();

// Variables: x, binary, and x_mean, the probabilities that it was drawn from.
class DbnGenerator : public Generator {
 public:
  DbnGenerator(DeepBeliefNetwork const&, DbnGeneratorOptions, Tiling const&, Communicator, random::Key);
  Index steps() const override { return options_.steps; }
  void advance(Index step, Index steps) override;
  double chain_steps_per_step() const override { return double(chains_.tiling.chains); }
  void describe_state(State& state) override { chains_.describe_state(state, "chains"); }
  Tiling const& tiling() const override { return chains_.tiling; }
  TileRange mine() const override { return chains_.mine; }
  std::vector<Variable> variables() const override { return {{"x", model_.dimension()}, {"x_mean", model_.dimension()}}; }
  std::vector<TileStorage> samples() override;
  // Lists the arrays of a rank, the network's work memory among them, and those that are made when the samples are ready.
  static void list(Arrays held, Arrays at_end, DeepBeliefNetwork const&, Share const&);

 private:
  DeepBeliefNetwork const& model_;
  DbnGeneratorOptions options_;
  random::Key key_;
  Chains chains_;  // of the top machine's visible layer
};

}  // namespace partita
