// The energy of a fully connected network, E(x) = N(x; theta) + lambda/2 |x|^2, or conditioned on noise,
// E(x) = N(x / sqrt(1 + sigma^2), log sigma; theta) / sigma + lambda_sigma/2 |x|^2.
#pragma once
#include "models/mlp_model.hpp"

namespace partita {

deck::Schema mlp_schema();

// Jets up to order 2. Empty Views are not computed among the results and count as zero among the weights.
class MlpEnergy : public MlpModel, public TrainableModel {
 public:
  explicit MlpEnergy(MlpOptions const& o, Arrays arrays = {}) : MlpModel(o, 1, arrays) {}
  static Sizes sizes(MlpOptions const& o) { return MlpModel::sizes(o, 1); }

  void energy(ConstTiles x, TileScalars energy) const override;
  void energy_and_gradient(ConstTiles x, TileScalars energy, Tiles gradient) const override;
  void gradient(ConstTiles x, Tiles gradient) const override { energy_and_gradient(x, {}, gradient); }
  // One forward and one backward pass, each with a multiplication and an addition per weight.
  double flops_per_evaluation() const override { return 4 * products(); }

  int highest_jet_order() const override { return 2; }
  void jet_forward(ConstTiles x, ConstTiles v, int order, TileScalars e0, TileScalars e1, TileScalars e2) override;
  void jet_reverse(ConstTiles x, ConstTileScalars c0, ConstTileScalars c1, ConstTileScalars c2, Vector sum) override;
  void gradient_forward(ConstTiles x, Tiles gradient) override;
  void gradient_reverse(ConstTiles x, ConstTiles v, Vector sum) override;

  void work(Arrays, Index tiles, Index lanes) const override;
  void jet_work(Arrays, Index tiles, Index lanes, int order, bool gradients) const override;

 private:
  void work_beside_passes(Arrays, Index tiles, Index lanes, bool gradients) const;
  Tiles gradient_of_input(Tiles gradient) const;
  void over_noise(TileScalars const& values) const;
  ConstTileScalars weights_over_noise(ConstTileScalars const& c, std::size_t part);

  ConstTiles direction_;  // of the last jet_forward, and its order
  int order_ = 0;
  mutable TileStorage input_gradient_;                  // of the tiles in flight, log sigma's included
  mutable std::array<TileScalarStorage, 3> weights_{};  // of jet_reverse over sigma
};

}  // namespace partita
