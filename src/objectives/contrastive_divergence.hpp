// Maximum likelihood with chains of the model: d/dtheta mean log p = -E_data[dE/dtheta] + E_model[dE/dtheta].
// CD-k (Hinton 2002): chains start at the minibatch. PCD-k (Tieleman 2008; Du and Mordatch 2019): chains persist in a replay buffer.
// For neural energies and for Boltzmann machines. In machines, hidden units that are not summed out are drawn given the data in each
// update's positive phase; gradients can be centred, and weight decay and a sparsity penalty added.
//
// Chains of an unadjusted sampler are wider than exp(-E): with Langevin steps eta their variance is at least 2 eta. Where the data are
// narrower than that in some direction, no energy has such chains, and E steepens until the chains diverge. The step is therefore halved
// whenever the chains' gradients show that it comes near its bound of stability; the log and the verdict tell so.
#pragma once
#include "comm/tile_sums.hpp"
#include "data/batches.hpp"
#include "models/gibbs_model.hpp"
#include "objectives/objective.hpp"
#include "samplers/finite_chains.hpp"
#include "samplers/sampler.hpp"

namespace partita {

class Fit;

// Keys of both objectives.
struct ContrastiveOptions {
  Index sampler_steps = 20;
  double data_noise = 0;
  double energy_penalty = 0;
  double divergence_bound = 1e4;
  Index positive_steps = 10;
  bool centred = false;
  double offset_rate = 0.01;
  double weight_decay = 0;
  double sparsity_target = 0.1, sparsity_cost = 0;
};
struct PersistentOptions {
  Index chains = 4096;
  Index chains_per_update = 0;
  double restart_fraction = 0.05;
};
deck::Schema contrastive_divergence_schema();
deck::Schema persistent_cd_schema();

enum class ChainStart { at_data, persistent };
// The rule of such objectives: checks their replay buffer, and the random numbers that their steps need.
void chains_fit(Fit const&, ChainStart);

// Averages over the updates since the last report, the same on every rank.
struct TrainingHealth {
  double energy_data = 0, energy_chains = 0;
  double energy_gap = 0;     // d_s = mean E(data) - mean E(chains)
  double energy_spread = 0;  // standard deviation of E(chains)
  double gradient_step = 0;  // r_s = mean length of the chains' gradient step eta |dE/dx|, at the last update; where the energy has one
};

class ContrastiveDivergence : public Objective {
 public:
  // Writes minibatch number `update` into the visible units of this rank's tiles.
  using FillBatch = std::function<void(TileStorage to, Tiling const&, TileRange mine, Index update)>;
  // Failure(usage) where the replay buffer is not a multiple of the batch, or options for machines are set for another energy.
  static void require_fit(bool is_machine, Index batch, ChainStart, ContrastiveOptions const&, PersistentOptions const&);
  // For options that passed require_fit. All references must outlive the objective. `fill`: source of the minibatches, if not the data
  // themselves.
  ContrastiveDivergence(TrainableEnergy&, Sampler&, data::Batches const&, Communicator, Summation, random::Key, Index tile_width,
                        ChainStart, ContrastiveOptions, PersistentOptions, InitialDistribution, FillBatch fill = {});

  // Puts the persistent chains at their starting points.
  void place_chains();
  Vector gradient(Index update, Timers&) override;
  TrainingHealth health();  // since the last call; collective
  std::vector<Series> series() const override;
  std::vector<double> report(Index update) override;
  std::vector<std::string> warnings(std::vector<std::vector<double>> const& reports) const override;
  void require_finite(Index update) const override { require_finite_chains(communicator_, memory_.buffer, update, last_energy_); }
  void require_sane(Index update) override { require_bounded(energies_since_report(), update); }
  std::vector<Chains> const& chains() const override { return memory_.buffer; }
  void settle(Index updates, Index steps) override;
  double epoch(Index update) const override { return batches_.epoch(update); }
  double chain_steps_per_update() const override { return double(batches_.batch() * advanced_ * options_.sampler_steps); }
  void describe_state(State&) override;
  // Lists the arrays of a rank, the model's work memory among them.
  static void list(Arrays, TrainableEnergy const&, Share const&, Summation, ChainStart, ContrastiveOptions const&,
                   PersistentOptions const&);

 public:  // what holds kernels: nvcc refuses it otherwise
  void add_data_noise(Index update);
  double mean_gradient_step();
  // Adds to `sum` the contribution of the chains of some local tiles, sum_b (sign + 2 alpha E_b) dE_b/dtheta scale with sign = 1 for data
  // and -1 for chains, and their energies times scale to the sums of energies. For data, the means of a machine's units are summed behind
  // the parameters.
  void accumulate(TileStorage const& x, TileRange tiles, Index lanes, int sign, double scale, Vector sum);
  // weight = linear + quadratic E, 0 in lanes beyond the batch, of some local tiles.
  void weigh(TileRange tiles, ConstTileScalars energy, Real linear, Real quadratic, TileScalars weight) const;
  void add_energies(TileRange tiles, ConstTileScalars energy, int sign, double scale) const;
  // Turns the sums into the gradient of a machine, with the means of its units.
  void regularise(Vector gradient, ConstVector unit_means);

 private:
  struct Memory {
    Chains data;                       // this rank's tiles of the minibatch; hidden units that are not summed out behind the visible ones
    std::vector<Chains> buffer;        // generations of the replay buffer, one batch each; CD has one
    TileScalarStorage energy, weight;  // (tiles that are computed together, pitch)
    TileStorage gradient;              // (these tiles, dimension, pitch), for the length of the gradient step
    DeviceVector<double> lengths;      // (tiles) of this rank: sums of these lengths
    Vector offsets;                    // of a centred machine: running means of its units
    // Per tile: sums of the data's energies, of the chains' and of their squares since the last report.
    Kokkos::View<double**, Kokkos::LayoutRight, DeviceMemory> energy_sums;

    Memory(Arrays, TrainableEnergy const&, Share const&, Index generations, bool centred);
  };

  TrainingHealth energies_since_report() const;
  void require_bounded(TrainingHealth const&, Index update) const;
  void keep_step_stable(Index update);
  void draw_hidden_given_data(Index update);
  std::vector<Chains*> chains_for(Index update);  // at the starting points of this update
  // Number of the batch's chains from this local tile on: lane l of tile t after it is one of them if t width + l is below.
  Index chains_from(Index tile) const { return tiling_.chains - tiling_.first_chain(mine_.first + tile); }

  TrainableEnergy& model_;
  TrainableGibbsModel* machine_;               // the same; null where it is none
  DifferentiableModel const* differentiable_;  // the same; null unless the sampler follows its gradient
  Sampler& sampler_;
  data::Batches const& batches_;
  Communicator communicator_;
  random::Key key_;
  ChainStart start_;
  ContrastiveOptions options_;
  PersistentOptions persistent_;
  InitialDistribution initial_;
  Tiling tiling_;
  TileRange mine_;
  FillBatch fill_;
  Memory memory_;
  bool draws_hidden_;         // whether there are hidden units that are not summed out
  std::size_t advanced_ = 1;  // generations that an update advances
  std::uint64_t last_ = 0;    // the first generation that the last update advanced
  TileSums sums_;
  Index offset_updates_ = 0;
  double step_size_asked_;
  Index updates_since_report_ = 0;
  double last_energy_ = 0;  // of the chains, for messages
};

}  // namespace partita
