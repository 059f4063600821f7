// Samples of a flow with their importance weights for a target, and chains of the target that use such samples as proposals.
#pragma once
#include <memory>

#include "comm/communicator.hpp"
#include "generators/generator.hpp"
#include "models/nice.hpp"
#include "samplers/sampler.hpp"

namespace partita {

// Lanes of a tile of a flow: its matrix products need wide tiles whatever its dimension.
constexpr Index flow_tile_width = 256;
// Lanes of a tile of a flow: `asked`, or for 0 a default.
Index flow_width(Index asked, Index samples);

// Independent samples (x, y) of a flow on this rank's tiles, with U(x) and log w (models/nice.hpp).
struct FlowDraws {
  Chains latents;                        // (tile, D, pitch)
  TileStorage xy;                        // the same
  TileScalarStorage energy, log_weight;  // (tile, pitch)

  // With the flow's work memory.
  FlowDraws(Nice const&, Tiling const&, TileRange mine, Arrays = {});
  // A pure function of (key, chain, step).
  void draw(Nice&, DifferentiableModel& target, random::Key, Index step);
};

deck::Schema flow_schema();
// Weighted samples: variables x and, with redundant latents, y; statistics energy and log_weight.
class FlowGenerator : public Generator {
 public:
  // The flow must outlive the generator.
  FlowGenerator(Nice&, std::unique_ptr<DifferentiableModel> target, Tiling const&, Communicator, random::Key);
  Tiling const& tiling() const override { return draws_.latents.tiling; }
  TileRange mine() const override { return draws_.latents.mine; }
  std::vector<Variable> variables() const override;
  std::vector<TileStorage> samples() override;
  std::vector<Statistic> statistics() const override;
  std::vector<TileScalarStorage> statistic_values() const override { return {draws_.energy, draws_.log_weight}; }
  void require_finite(Index step) const override;
  // Lists the arrays of a rank, the work memory of flow and target among them, and those that are made when the samples are ready.
  static void list(Arrays held, Arrays at_end, Nice const&, Model const& target, Share const&);

 private:
  Nice& flow_;
  std::unique_ptr<DifferentiableModel> target_;
  Communicator communicator_;
  random::Key key_;
  FlowDraws draws_;
};

struct FlowMetropolisOptions {
  Index steps = 100;
  Index sampler_steps = 0;
};
deck::Schema flow_metropolis_schema();
// Chains that start at a sample of the flow and take further ones as proposals, accepted with probability min(1, w'/w) (Hastings 1970,
// independence sampler): exact for the target wherever the flow's samples cover it. Then each makes sampler_steps steps of a sampler.
class FlowMetropolis : public Generator {
 public:
  // The flow must outlive the generator. The sampler may be null.
  FlowMetropolis(Nice&, std::unique_ptr<DifferentiableModel> target, std::unique_ptr<Sampler>, FlowMetropolisOptions const&, Tiling const&,
                 Communicator, random::Key);
  Index steps() const override { return options_.steps + (sampler_ ? options_.sampler_steps : 0); }
  Index next_boundary(Index step) const override { return step < options_.steps ? options_.steps : steps(); }
  void advance(Index step, Index steps) override;
  void require_finite(Index step) const override;
  double chain_steps_per_step() const override { return double(tiling().chains); }
  void describe_state(State&) override;
  Tiling const& tiling() const override { return memory_.chains.tiling; }
  TileRange mine() const override { return memory_.chains.mine; }
  std::vector<Variable> variables() const override { return {{"x", flow_.dimension()}}; }
  std::vector<TileStorage> samples() override { return {memory_.chains.x}; }
  std::vector<Statistic> statistics() const override;
  std::vector<TileScalarStorage> statistic_values() const override;
  std::vector<Metric> results() const override;
  // As above; without a sampler: null.
  static void list(Arrays held, Arrays at_end, Nice const&, Model const& target, Sampler const*, Share const&);

 public:  // what holds kernels: nvcc refuses it otherwise
  void propose(Index step);

 private:
  struct Memory {
    FlowDraws proposals;
    Chains chains;                           // x; its counts of accepted proposals are the sampler's
    TileScalarStorage log_weight, accepted;  // of the chains' states; number of the flow's proposals
    Memory(Arrays, Nice const&, Model const& target, Share const&);
  };

  Nice& flow_;
  std::unique_ptr<DifferentiableModel> target_;
  std::unique_ptr<Sampler> sampler_;
  FlowMetropolisOptions options_;
  Communicator communicator_;
  random::Key key_, flow_key_;  // of the sampler; of the proposals and their acceptance
  Memory memory_;
};

}  // namespace partita
