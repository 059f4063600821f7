// Reverse Kullback-Leibler divergence of a flow's samples from a target exp(-U)/Z, up to log Z (docs/theory/nice.md):
//     J_hat = (1/B) sum_b [ beta U(x_b) - log N(y_b; M(x_b), Sigma(x_b)) ] - log|det S|,
// minimised with new latents at each update. beta rises from beta_start to 1, so that the flow finds all modes while they overlap; at
// beta = 1 the divergence is J_hat - (D/2) log(2 pi e) + log Z.
#pragma once
#include <memory>

#include "comm/tile_sums.hpp"
#include "models/nice.hpp"
#include "objectives/objective.hpp"

namespace partita {

struct ReverseKlOptions {
  double beta_start = 0.1;
  double annealed_fraction = 0.5;
  Index tile_width = 0;
};
deck::Schema reverse_kl_schema();

class ReverseKl : public Objective {
 public:
  // `updates`: of the whole run; beta rises over a share of them. The flow must outlive the objective.
  ReverseKl(Nice&, std::unique_ptr<DifferentiableModel> target, ReverseKlOptions const&, Tiling const& batch, Index updates, Communicator,
            Summation, random::Key);

  Vector gradient(Index update, Timers&) override;
  double beta(Index update) const;

  std::vector<Series> series() const override;
  std::vector<double> report(Index update) override;
  void require_finite(Index update) const override { statistics(update); }
  double epoch(Index) const override { return 0; }
  double chain_steps_per_update() const override { return double(memory_.latents.tiling.chains); }
  void describe_state(State&) override {}
  // Lists the arrays of a rank, the work memory of flow and target among them.
  static void list(Arrays, Nice const&, Model const& target, Share const&, Summation);

 public:  // what holds kernels: nvcc refuses it otherwise
  // Adds to `sum` what a tile's samples contribute to the derivatives of the batch's sum.
  void accumulate(Index tile, double beta, Vector sum);

 private:
  struct Memory {
    Chains latents;                  // z of this rank's tiles
    TileStorage xy, gradient;        // (1, D, pitch)
    TileScalarStorage energy, rest;  // (1, pitch): U and -log N(y | x)
    TileScalarStorage weight;        // (1, pitch): 1/B, or 0 for lanes past the batch
    Memory(Arrays, Nice const&, Model const& target, Share const&);
  };

  std::vector<double> statistics(Index update) const;  // tile_sums_ over all tiles

  Nice& flow_;
  std::unique_ptr<DifferentiableModel> target_;
  ReverseKlOptions options_;
  Index updates_;
  Communicator communicator_;
  random::Key key_;
  Memory memory_;
  TileSums sums_;
  std::vector<double> tile_sums_;  // of U, and of -log N(y | x) - |z|^2 / 2 over a tile, of the last update
};

}  // namespace partita
