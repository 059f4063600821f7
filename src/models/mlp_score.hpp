// The score of a fully connected network with as many outputs as inputs, s(x) = N(x; theta) - lambda x, or conditioned
// on noise, s(x) = N(x / sqrt(1 + sigma^2), log sigma; theta) / sigma - lambda_sigma x. In general it is not a gradient: there is
// no energy and no density.
#pragma once
#include "models/mlp_model.hpp"

namespace partita {

deck::Schema mlp_score_schema();

class MlpScore : public MlpModel, public TrainableScore {
 public:
  // Failure(usage) unless the network has as many outputs as inputs.
  explicit MlpScore(MlpOptions const& o, Arrays arrays = {}) : MlpModel(o, outputs(o), arrays) {}
  static Sizes sizes(MlpOptions const& o) { return MlpModel::sizes(o, outputs(o)); }

  void gradient(ConstTiles x, Tiles gradient) const override;

  int highest_jet_order() const override { return 2; }
  void directional_forward(ConstTiles x, ConstTiles v, int order, TileScalars first, TileScalars second) override;
  void directional_reverse(ConstTiles x, ConstTileScalars c1, ConstTileScalars c2, Vector sum) override;
  void gradient_forward(ConstTiles x, Tiles gradient) override;
  void gradient_reverse(ConstTiles x, ConstTiles v, Vector sum) override;
  void jet_work(Arrays, Index tiles, Index lanes, int order, bool gradients) const override;

 private:
  static Index outputs(MlpOptions const& o) { return o.layers.empty() ? 1 : o.layers.front(); }
  Tiles output(std::size_t part, Index tiles, Index lanes) const { return leading(output_[part], tiles, dimension_, lanes); }

  ConstTiles direction_;  // of the last directional_forward, and its order
  int order_ = 1;
  mutable std::array<TileStorage, 2> output_{};  // N and D_v N of the tiles in flight, or their cotangents
};

}  // namespace partita
