// Maximum pseudo-likelihood (Besag, The Statistician 24, 1975) of fully visible machines: the mean over the items of sum_k log p(x_k |
// rest), whose gradient is exact and needs no chain. It is consistent: for data from the model's distribution its maximum is at their
// parameters.
#pragma once
#include "comm/tile_sums.hpp"
#include "data/batches.hpp"
#include "deck/schema.hpp"
#include "models/boltzmann_machine.hpp"
#include "objectives/objective.hpp"

namespace partita {

struct PseudoLikelihoodOptions {
  Index tile_width = 0;
};
deck::Schema pseudo_likelihood_schema();

// The same bits on any number of ranks where the summation is reproducible.
class PseudoLikelihood : public Objective {
 public:
  // Failure(usage) where the machine has hidden units.
  static void require_fit(BoltzmannMachine const&);
  // All references must outlive the objective.
  PseudoLikelihood(BoltzmannMachine&, data::Batches const&, Communicator, Summation, PseudoLikelihoodOptions);

  Vector gradient(Index update, Timers&) override;
  std::vector<Series> series() const override;
  std::vector<double> report(Index update) override;
  void require_finite(Index) const override {}  // no chains; the training checks every gradient
  double epoch(Index update) const override { return batches_.epoch(update); }
  void describe_state(State&) override;
  static Tiling tiling(PseudoLikelihoodOptions const&, Index batch);
  // Lists the arrays of a rank, the machine's work memory among them.
  static void list(Arrays, BoltzmannMachine const&, Share const&, Summation);

 public:  // what holds kernels: nvcc refuses it otherwise
  void add_tile(Index tile, Vector sum);

 private:
  struct Memory {
    TileStorage data;                 // this rank's tiles of the minibatch
    TileScalarStorage value, weight;  // (1, pitch)
    Memory(Arrays, BoltzmannMachine const&, Share const&);
  };

  BoltzmannMachine& machine_;
  data::Batches const& batches_;
  Communicator communicator_;
  Tiling tiling_;
  TileRange mine_;
  Memory memory_;
  TileSums sums_;
  Kokkos::View<double*, Kokkos::HostSpace> values_;  // per tile: sum of the items' pseudo-likelihoods since the last report
  Index updates_since_report_ = 0;
};

}  // namespace partita
