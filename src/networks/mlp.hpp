// Fully connected networks on tiles: x -> W_L f(... f(W_0 x + b_0) ...) + b_L, L >= 1 hidden layers, with their jets along directions.
#pragma once
#include <array>
#include <vector>

#include "core/types.hpp"
#include "networks/activation.hpp"

namespace partita {

// The jet of order n <= 2 of a vector along a direction v: its value, D_v and D_v^2, each (tile, component, lane). Parts beyond the order
// are empty.
using Jet = std::array<Tiles, 3>;
using ConstJet = std::array<ConstTiles, 3>;

// What a forward pass of one order stores for the reverse pass, in memory of the caller: Mlp::tape_elements(lanes, order) per tile.
struct MlpTape {
  Real* data = nullptr;
  int order = 0;
};

// The caller holds the parameters theta, one flat vector: layer after layer, weight (out, in) row-major, then bias (out). Every function
// takes tiles of one width, (tile, dimension, lane), and each lane is independent of the others; all matrix products have the
// shape of one tile, so a lane's bits do not depend on the number of tiles.
class Mlp {
 public:
  // Widths of the input, the hidden layers and the output; at least one hidden layer.
  Mlp(std::vector<Index> widths, Activation);

  std::vector<Index> const& widths() const { return widths_; }
  Index layers() const { return std::ssize(widths_) - 1; }
  Index inputs(Index layer) const { return widths_[layer]; }
  Index outputs(Index layer) const { return widths_[layer + 1]; }
  Index weight_offset(Index layer) const;
  Index bias_offset(Index layer) const { return weight_offset(layer) + inputs(layer) * outputs(layer); }
  Index parameter_count() const { return weight_offset(layers()); }
  Index tape_elements(Index lanes, int order) const;

  // Standard deviation of a layer's weights at the start: sqrt(2 / inputs) below a rectifier-like activation (He et al. 2015),
  // sqrt(1 / inputs) below tanh and the output (LeCun et al. 1998). Biases start at zero.
  double initial_scale(Index layer) const;

  // Writes the output's jet at x along v (like x; not read at order 0) to the parts that are not empty, and fills the tape.
  void forward(ConstVector theta, ConstTiles x, ConstTiles v, Jet output, MlpTape) const;
  // d output / dx of a network with one output, from the forward pass of order 0 on the tape, which is overwritten.
  void input_gradient(ConstVector theta, MlpTape, Tiles gradient) const;
  // For S = sum over tiles, lanes, components and parts of cotangent * output, empty parts being zero: sum += dS/dtheta and gradient =
  // dS/dx, each unless empty, from the forward pass at (x, v) on the tape, which is overwritten.
  void reverse(ConstVector theta, ConstTiles x, ConstTiles v, ConstJet cotangent, MlpTape, Vector sum, Tiles gradient) const;

  // The same gradient with a tape of order 2 that keeps what gradient_reverse needs of it.
  void gradient_forward(ConstVector theta, ConstTiles x, MlpTape, Tiles gradient) const;
  // For S = sum over tiles, lanes and inputs of v d output / dx: sum += dS/dtheta, v held fixed, from the gradient_forward pass at x on the
  // tape, which is overwritten. Six matrix products per layer in all, where a jet of order 1 along v, which repeats the pass, takes eight.
  void gradient_reverse(ConstVector theta, ConstTiles x, ConstTiles v, MlpTape, Vector sum) const;

 private:
  std::vector<Index> widths_;
  Activation activation_;
};

}  // namespace partita
