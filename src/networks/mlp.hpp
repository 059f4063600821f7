// Fully connected networks on tiles: x -> W_L f(... f(W_0 x + b_0) ...) + b_L, L >= 1 hidden layers, with their jets along directions.
#pragma once
#include <array>
#include <vector>

#include "core/types.hpp"
#include "networks/activation.hpp"

namespace partita {

// The jet of order n <= 2 along a direction v of every component of something: its value, D_v and D_v^2, (tile, component, lane) each.
// Parts past the order are empty.
using Jet = std::array<Tiles, 3>;
using ConstJet = std::array<ConstTiles, 3>;

// The pass of the tiles in flight, of one order, in memory that the caller owns: Mlp::tape_elements(lanes, order) a tile.
struct MlpTape {
  Real* data = nullptr;
  int order = 0;
};

// The network itself holds no numbers: parameters theta are one flat vector, layer after layer, weight (out, in) row-major, then bias
// (out). Every function takes tiles of one width, (tile, dimension, lane), and treats each lane on its own; all matrix products have the
// shape of one tile, so a lane's bits do not depend on the number of tiles.
class Mlp {
 public:
  // Widths of the input, the hidden layers and the output; at least one hidden layer.
  Mlp(std::vector<Index> widths, Activation);

  std::vector<Index> const& widths() const { return widths_; }
  Index layers() const { return static_cast<Index>(widths_.size()) - 1; }
  Index inputs(Index layer) const { return widths_[static_cast<std::size_t>(layer)]; }
  Index outputs(Index layer) const { return widths_[static_cast<std::size_t>(layer + 1)]; }
  Index weight_offset(Index layer) const;
  Index bias_offset(Index layer) const { return weight_offset(layer) + inputs(layer) * outputs(layer); }
  Index parameter_count() const { return weight_offset(layers()); }
  Index tape_elements(Index lanes, int order) const;

  // Standard deviation of a layer's weights at the start: sqrt(2 / inputs) below a rectifier-like activation (He et al. 2015),
  // sqrt(1 / inputs) below tanh and the output (LeCun et al. 1998). Biases start at zero.
  double initial_scale(Index layer) const;

  // The output's jet at x along v (like x; not read at order 0), to the parts that are not empty; fills the tape.
  void forward(ConstVector theta, ConstTiles x, ConstTiles v, Jet output, MlpTape) const;
  // d output / dx of a network with one output, of the forward pass of order 0 on the tape, which it uses up.
  void input_gradient(ConstVector theta, MlpTape, Tiles gradient) const;
  // For S = sum over tiles, lanes, components and parts of cotangent * output, empty parts being zero: sum += dS/dtheta and gradient =
  // dS/dx, each unless empty, of the forward pass at (x, v) on the tape, which it uses up.
  void reverse(ConstVector theta, ConstTiles x, ConstTiles v, ConstJet cotangent, MlpTape, Vector sum, Tiles gradient) const;

  // The same gradient with a tape of order 2 that keeps what gradient_reverse needs of it.
  void gradient_forward(ConstVector theta, ConstTiles x, MlpTape, Tiles gradient) const;
  // For S = sum over tiles, lanes and inputs of v d output / dx: sum += dS/dtheta, v held fixed, of the gradient_forward pass at x on the
  // tape, which it uses up. A jet of order 1 along v would go the same way once more: six matrix products a layer in all instead of eight.
  void gradient_reverse(ConstVector theta, ConstTiles x, ConstTiles v, MlpTape, Vector sum) const;

 private:
  std::vector<Index> widths_;
  Activation activation_;
};

}  // namespace partita
