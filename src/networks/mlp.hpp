// Fully connected networks with one output, on tiles: x -> W_L f(... f(W_0 x + b_0) ...) + b_L, L >= 1 hidden layers.
#pragma once
#include <vector>

#include "core/types.hpp"

namespace partita {

enum class Activation { silu, softplus, tanh, gelu };  // formulas and accuracy: core/math.hpp

// Activations and their slopes of the tiles in flight, in memory that the caller owns: Mlp::tape_elements(lanes) a tile.
struct MlpTape {
  Real* data = nullptr;
};

// The network itself holds no numbers: parameters theta are one flat vector, layer after layer, weight (out, in) row-major, then bias
// (out). Every function takes tiles of one width, (tile, dimension, lane), and treats each lane on its own; all matrix products have the
// shape of one tile, so a lane's bits do not depend on the number of tiles.
class Mlp {
 public:
  // Widths of the input, the hidden layers and the output, which is 1; at least one hidden layer.
  Mlp(std::vector<Index> widths, Activation);

  std::vector<Index> const& widths() const { return widths_; }
  Index layers() const { return static_cast<Index>(widths_.size()) - 1; }
  Index inputs(Index layer) const { return widths_[static_cast<std::size_t>(layer)]; }
  Index outputs(Index layer) const { return widths_[static_cast<std::size_t>(layer + 1)]; }
  Index weight_offset(Index layer) const;
  Index bias_offset(Index layer) const { return weight_offset(layer) + inputs(layer) * outputs(layer); }
  Index parameter_count() const { return weight_offset(layers()); }
  Index tape_elements(Index lanes) const;

  // Standard deviation of a layer's weights at the start: sqrt(2 / inputs) below a rectifier-like activation (He et al. 2015),
  // sqrt(1 / inputs) below tanh and the output (LeCun et al. 1998). Biases start at zero.
  double initial_scale(Index layer) const;

  // value (tile, lane); fills the tape.
  void forward(ConstVector theta, ConstTiles x, TileScalars value, MlpTape) const;
  // d value / dx of the forward pass on the tape, which it uses up.
  void input_gradient(ConstVector theta, MlpTape, Tiles gradient) const;
  // sum += d/dtheta sum over tiles and lanes of weight * value, of the forward pass at x on the tape, which it uses up.
  void add_parameter_gradient(ConstVector theta, ConstTiles x, ConstTileScalars weight, MlpTape, Vector sum) const;

 private:
  std::vector<Index> widths_;
  Activation activation_;
};

}  // namespace partita
