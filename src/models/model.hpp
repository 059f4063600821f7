// The interfaces of energies: what samplers and objectives see of a model.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "core/dense.hpp"
#include "core/state.hpp"
#include "core/types.hpp"

namespace partita {

// What is known exactly about a Gaussian target.
struct GaussianMoments {
  std::vector<double> mean;
  Matrix precision;
};

class Model {
 public:
  virtual ~Model() = default;
  virtual Index dimension() const = 0;                              // of x
  virtual std::vector<GaussianMoments> gaussian() const { return {}; }  // one entry where the target is Gaussian
};

// An energy E(x) with its gradient, on tiles (tile, dimension, lane).
class DifferentiableModel : public Model {
 public:
  // Work memory for calls with up to this many tiles of up to this many lanes; called before the first evaluation.
  virtual void reserve(Index /*tiles*/, Index /*lanes*/) {}
  virtual std::size_t work_bytes(Index /*tiles*/, Index /*lanes*/) const { return 0; }
  // energy (tile, lane) = E(x), gradient = dE/dx. Each lane is independent of every other.
  virtual void energy_and_gradient(ConstTiles x, TileScalars energy, Tiles gradient) const = 0;
  // Floating-point operations of one energy_and_gradient per chain, for the summary.
  virtual double flops_per_evaluation() const { return 0; }
};

// A named array inside the flat parameter vector.
struct ParameterBlock {
  std::string name;             // "layer0/weight"
  std::vector<Index> extents;   // row-major
  Index offset;
};

// An energy with parameters theta, differentiable in theta through jets along a direction v (theory: score matching by jets).
class TrainableModel : public DifferentiableModel {
 public:
  virtual Vector parameters() const = 0;                            // flat; samplers and objectives read what it holds now
  virtual std::vector<ParameterBlock> parameter_blocks() const = 0;
  // Tells the model that parameters() were written: derived copies (transposes, packed weights) are renewed.
  virtual void parameters_changed() {}
  virtual int highest_jet_order() const { return 0; }
  // E, and for order >= 1 D_v E, for order 2 D_v^2 E, each (tile, lane). Keeps what jet_reverse needs in the model's work memory.
  virtual void jet_forward(ConstTiles x, ConstTiles v, int order, TileScalars e0, TileScalars e1, TileScalars e2) = 0;
  // sum += d/dtheta sum_b c0_b E_b + c1_b D_v E_b + c2_b D_v^2 E_b for the last jet_forward. `sum` has the length of parameters().
  // Unused weights may be empty Views.
  virtual void jet_reverse(ConstTiles x, ConstTileScalars c0, ConstTileScalars c1, ConstTileScalars c2, Vector sum) = 0;
};

}  // namespace partita
