// The latent layers of an HEE given data, as an energy, and the path to it from the prior (beta = 0 .. 1):
//
//     E(z) = -log p(x_1:L) - beta log p(x_0 | x_1),   z = x_1 .. x_L, one after the other.
//
// Both conditionals are normalised: exp(-E) integrates to 1 at beta = 0 and to p(x_0) at beta = 1.
#pragma once
#include "models/hee.hpp"
#include "models/hee_joint.hpp"

namespace partita {

class HeePosterior : public DifferentiableModel {
 public:
  // The model must outlive it and keep its parameters.
  explicit HeePosterior(Hee const&);

  // Sets x_0, (1, n_0, pitch), for the calls that follow, which are about states of this one tile.
  void show(TileStorage const& x0) { x0_ = x0; }
  void set_beta(double beta) { beta_ = Real(beta); }

  Index dimension() const override { return model_.units(); }
  void energy_and_gradient(ConstTiles z, TileScalars energy, Tiles gradient) const override;
  double flops_per_evaluation() const override;
  // log p(x_0 | x_1) of each lane.
  std::vector<double> log_conditional(ConstTiles z) const;
  // The layers x_0 (as set by show) .. x_L, the latent ones as parts of z (1, units, pitch).
  std::vector<TileStorage> layers(TileStorage const& z) const;

  void work(Arrays, Index tiles, Index lanes) const override;

 private:
  Index work_rows() const;

  Hee const& model_;
  std::vector<InverseCoupling> inverse_;  // [l], with lateral connections
  TileStorage x0_;
  Real beta_ = 1;
  mutable TileStorage work_;           // (1, work_rows, pitch)
  mutable DeviceVector<double> sums_;  // (pitch)
};

}  // namespace partita
