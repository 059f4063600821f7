// Score matching (Hyvaerinen 2005): fits the score s = d log p / dx of the model to that of the data, without Z and without chains,
//
//     exact    J = E[ 1/2 |s|^2 + tr(ds/dx) ],    sliced    J = E_x E_v[ 1/2 (v.s)^2 + v' (ds/dx) v ],  E vv' = I  (Song et al. 2019).
//
// All terms are computed by jets along a direction v, forward and once in reverse. With g = -s, which is dE/dx of an energy, the loss for
// one v is J = 1/2 (v.g)^2 - v' (dg/dx) v, and its gradient has the weights v.g and -1 for the two derivatives.
#pragma once
#include "comm/tile_sums.hpp"
#include "data/batches.hpp"
#include "deck/schema.hpp"
#include "models/model.hpp"
#include "objectives/objective.hpp"

namespace partita {

struct ScoreMatchingOptions {
  Index tile_width = 0;
  double data_noise = 0;  // not used by denoising_score_matching, which has its own noise
};
std::vector<deck::Key> score_matching_keys();  // without data_noise

// Common base of these objectives: a minibatch tile by tile, keyed by the number of the item in the batch, and the mean loss. The result
// has the same bits on any number of ranks where the summation is reproducible.
class ScoreMatching : public Objective {
 public:
  Vector gradient(Index update, Timers&) override;
  std::vector<Series> series() const override;
  std::vector<double> report(Index update) override;
  void require_finite(Index) const override {}  // no chains; the training checks every gradient
  double epoch(Index update) const override { return batches_.epoch(update); }
  void describe_state(State&) override;
  static Tiling tiling(ScoreMatchingOptions const&, Index batch);

 public:  // what holds kernels: nvcc refuses it otherwise
  // Standard normals z (1, dimension, pitch), number `step` of each item.
  void draw_normals(TileStorage const& z, random::Stream, Index step, Index first) const;
  // Items of the batch: lane l of x is item first + l. Lanes from `real` on only fill the vectors and have weight 0.
  struct Points {
    Tiles x;
    Index update, first, real;
    Index lanes() const { return extent(x, 2); }
  };
  // Adds the losses of a tile to the sums since the last report.
  void count_losses(Points const&, Index tile) const;

 protected:
  // Failure(usage) unless the model has directional derivatives of this order.
  static void require_derivatives(TrainableScore const&, int order);
  // Failure(usage) for a model of which v' (dg/dx) v is not known, or that is conditioned on noise.
  static void require_divergence(TrainableScore const&);
  // Derivatives of the model's score that an objective is made of.
  struct Derivatives {
    int jet_order;
    bool gradients;  // of gradient_forward
  };

  // The mean losses of `groups` groups of items are reported separately, besides that of all. All references must outlive the objective.
  ScoreMatching(TrainableScore&, data::Batches const&, Communicator, Summation, random::Key, ScoreMatchingOptions, Derivatives,
                Index groups = 0);
  // Lists the arrays of a rank, the model's work memory among them.
  static void list(Arrays, TrainableScore const&, Share const&, Summation, Derivatives, Index groups = 0);

  // Adds each item's J to its lane of the losses, with its group, and sum += d/dtheta of sum_b J_b / batch.
  virtual void add(Points const&, Vector sum) = 0;
  virtual std::string group_name(Index) const { return {}; }

  // Adds `share` times the loss for one of several directions, and its gradient.
  void add_sliced(Points const&, ConstTiles v, double share, Vector sum);
  Tiles lanes_of(TileStorage const&, Points const&) const;
  TileScalars lanes_of(TileScalarStorage const&, Points const&) const;
  double scale() const { return 1 / double(batches_.batch()); }

  struct Memory {
    TileStorage data;                               // this rank's tiles of the minibatch
    TileStorage direction;                          // (1, dimension, pitch)
    TileScalarStorage loss, first, second, c1, c2;  // (1, pitch); derivatives along the direction, and their weights
    TileScalarStorage group;                        // (1, pitch): the items' groups, where there are several
    Memory(Arrays, TrainableScore const&, Share const&, Derivatives, Index groups);
  };
  TrainableScore& model_;
  data::Batches const& batches_;
  random::Key key_;
  Tiling tiling_;
  Memory memory_;

 private:
  void add_data_noise(Points const&);

  Communicator communicator_;
  Real data_noise_;
  Index groups_;
  TileRange mine_;
  TileSums sums_;
  // Per tile since the last report: the sum of J, then sum and number of items of each group.
  Kokkos::View<double**, Kokkos::LayoutRight, DeviceMemory> losses_;
  Index updates_since_report_ = 0;
};

deck::Schema exact_score_matching_schema();

// v runs over the basis: `dimension` jets of order 2 per item.
class ExactScoreMatching : public ScoreMatching {
 public:
  // Failure(usage) for a model without second derivatives, or one conditioned on noise.
  static void require_fit(TrainableScore const& model) { require_divergence(model); }
  ExactScoreMatching(TrainableScore&, data::Batches const&, Communicator, Summation, random::Key, ScoreMatchingOptions);
  static void list(Arrays, TrainableScore const&, Share const&, Summation);

 private:
  void add(Points const&, Vector sum) override;
};

struct SlicedOptions {
  std::string directions = "gaussian";
  Index projections = 1;
  bool variance_reduced = true;
};
deck::Schema sliced_score_matching_schema();

// Random v, new for each item and update. Variance-reduced: the first term is replaced by its mean over v, 1/2 |s|^2.
class SlicedScoreMatching : public ScoreMatching {
 public:
  static void require_fit(TrainableScore const& model, SlicedOptions const&) { require_divergence(model); }  // as ExactScoreMatching
  SlicedScoreMatching(TrainableScore&, data::Batches const&, Communicator, Summation, random::Key, ScoreMatchingOptions, SlicedOptions);
  static void list(Arrays, TrainableScore const&, Share const&, Summation, SlicedOptions const&);

 private:
  void add(Points const&, Vector sum) override;
  void add_square(Points const&, Vector sum);
  void add_curvature(Points const&, ConstTiles v, double share, Vector sum);
  void draw_directions(Index step, Index first);

  enum class Directions { gaussian, rademacher, sphere };
  SlicedOptions options_;
  Directions kind_;
};

}  // namespace partita
