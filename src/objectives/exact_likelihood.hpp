// Maximum likelihood without chains, for small machines: -mean log p over the minibatch, with the mean of dE/dtheta under the model as the
// exact sum over all states of its units.
#pragma once
#include "comm/tile_sums.hpp"
#include "data/batches.hpp"
#include "deck/schema.hpp"
#include "models/gibbs_model.hpp"
#include "objectives/objective.hpp"

namespace partita {

struct ExactLikelihoodOptions {
  double weight_decay = 0;
};
deck::Schema exact_likelihood_schema();

class ExactLikelihood : public Objective {
 public:
  static constexpr Index most_units = 20;
  // Failure(usage) for machines with more units, with units that are not binary, or with hidden units that are not summed out.
  static void require_fit(TrainableGibbsModel const&);
  ExactLikelihood(TrainableGibbsModel&, data::Batches const&, Communicator, Summation, ExactLikelihoodOptions);

  Vector gradient(Index update, Timers&) override;
  std::vector<Series> series() const override;
  std::vector<double> report(Index update) override;
  void require_finite(Index) const override {}  // no chains; the training checks every gradient
  double epoch(Index update) const override { return batches_.epoch(update); }
  void describe_state(State&) override;
  static Tiling tiling(Index batch);
  // Lists the arrays of a rank, the model's work memory among them.
  static void list(Arrays, TrainableGibbsModel const&, Index batch, Summation, int rank, int ranks);

 public:  // what holds kernels: nvcc refuses it otherwise
  // A set of points in tiles; all their energies are needed before their weights are known.
  struct Points {
    Tiling tiling;
    TileRange mine;
    TileStorage x;             // (tile, dimension, pitch)
    TileScalarStorage energy;  // (tile, pitch)
    Points(Arrays, char const* name, Share const&, TrainableGibbsModel const&);
    void enumerate();  // point n becomes the state whose unit i is bit i of n
    Tiles of_tile(Index tile) const;
    TileScalars row(TileScalarStorage const&, Index tile) const;
  };
  Vector weighted_gradient(Points&, TileSums&, double sign, double log_z);

 private:
  struct Memory {
    Points data, states;
    TileScalarStorage weight;
    Memory(Arrays, TrainableGibbsModel const&, Index batch, int rank, int ranks);
  };
  // -log sum over the points of exp(-E), or the mean of E, summed by tile in fixed order; the energies stay in `energy`.
  double find_energies(Points&, bool mean);

  TrainableGibbsModel& model_;
  data::Batches const& batches_;
  Communicator communicator_;
  ExactLikelihoodOptions options_;
  Memory memory_;
  TileSums data_sums_, state_sums_;
  double likelihood_ = 0;  // sum over the updates since the last report
  Index updates_since_report_ = 0;
};

}  // namespace partita
