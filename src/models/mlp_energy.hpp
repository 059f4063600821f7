// The energy of a fully connected network, E(x) = N(x; theta) + lambda/2 |x|^2.
#pragma once
#include <functional>

#include "deck/schema.hpp"
#include "models/model.hpp"
#include "networks/mlp.hpp"

namespace partita {

struct MlpOptions {
  std::vector<Index> layers;
  std::string activation = "silu";
  double quadratic = 0;
};
deck::Schema mlp_schema();

// Parameter blocks "layerK/weight" (out, in) and "layerK/bias" (out), K from 0. Jets: order 0.
// Work memory holds the activations of one tile on a CPU, of all tiles on a GPU: where jet_forward saw several tiles on a CPU,
// jet_reverse computes the overwritten ones again.
class MlpEnergy : public TrainableModel {
 public:
  explicit MlpEnergy(MlpOptions const&);

  // Weights from independent standard normals, normal(i) for entry i of the flat vector, scaled as in Mlp::initial_scale; biases zero.
  void initialise(std::function<double(Index)> const& normal);

  Index dimension() const override { return network_.inputs(0); }
  void reserve(Index tiles, Index lanes) override { tape(tiles, lanes); }
  std::size_t work_bytes(Index tiles, Index lanes) const override;
  void energy_and_gradient(ConstTiles x, TileScalars energy, Tiles gradient) const override;
  double flops_per_evaluation() const override;

  Vector parameters() const override { return parameters_; }
  std::vector<ParameterBlock> parameter_blocks() const override;
  void jet_forward(ConstTiles x, ConstTiles v, int order, TileScalars e0, TileScalars e1, TileScalars e2) override;
  void jet_reverse(ConstTiles x, ConstTileScalars c0, ConstTileScalars c1, ConstTileScalars c2, Vector sum) override;

 private:
  Index work_elements(Index tiles, Index lanes) const;
  MlpTape tape(Index tiles, Index lanes) const;
  TileScalars recomputed_energy(Index tiles, Index lanes) const;

  Mlp network_;
  Real quadratic_;
  Vector parameters_;
  mutable Vector work_;             // tapes of the tiles in flight, then a row of energies each
  mutable Index taped_first_ = -1;  // first tile of the jet_forward call that the tape holds, -1: none
};

}  // namespace partita
