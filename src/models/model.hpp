// The interfaces through which samplers and objectives use a model.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/arrays.hpp"
#include "core/dense.hpp"
#include "core/state.hpp"
#include "core/types.hpp"

namespace partita {

// What is known exactly about a Gaussian target.
struct GaussianMoments {
  std::vector<double> mean;
  Matrix precision;
};

// A named array inside the flat parameter vector.
struct ParameterBlock {
  std::string name;            // "layer0/weight"
  std::vector<Index> extents;  // row-major
  Index offset;
};

// The number of coordinates of a data item and of a chain. sizes(options) of a model class returns them without making a model, or fails as
// its construction would.
struct Sizes {
  Index visible, dimension;
};

// A model makes its arrays through the Arrays that its constructor is given; where these only list, it tells of itself what its options say
// (dimensions, parameter blocks, work memory) and can do no more.
class Model {
 public:
  virtual ~Model() = default;
  virtual Index dimension() const = 0;                                  // of x
  virtual Index visible_dimension() const { return dimension(); }       // its first coordinates, which data show; the rest are hidden units
  virtual std::vector<GaussianMoments> gaussian() const { return {}; }  // one entry where the target is Gaussian
  // The largest eigenvalue of the Hessian of a Gaussian target, or a bound above it; nothing where neither is known.
  virtual std::optional<double> largest_curvature() const;

  // Learnt parameters theta as one flat vector, empty where there are none; samplers and objectives read its present values.
  virtual Vector parameters() const { return {}; }
  virtual std::vector<ParameterBlock> parameter_blocks() const { return {}; }
  // Tells the model that parameters() were written: derived copies (transposes, packed weights) are updated.
  virtual void parameters_changed() {}

  // Work memory for calls with up to this many tiles of up to this many lanes.
  virtual void work(Arrays, Index /*tiles*/, Index /*lanes*/) const {}
  // Makes it; called before the first evaluation.
  void reserve(Index tiles, Index lanes) const { work({}, tiles, lanes); }

 protected:
  // Work memory for tiles like these, (tile, ., lane).
  void reserve_for(ConstTiles x) const { reserve(extent(x, 0), extent(x, 2)); }
};

// The length of parameters(), known from the options alone.
Index parameter_count(Model const&);

// Energies of lanes in double, (tile, lane), lane fastest.
using TileEnergies = Kokkos::View<double**, Kokkos::LayoutStride, DeviceMemory>;
using ConstTileEnergies = Kokkos::View<double const**, Kokkos::LayoutStride, DeviceMemory>;

// A model whose -log p(x) can be computed up to a constant: its energy, or its free energy where there are hidden units.
class EnergyModel : public virtual Model {
 public:
  // (tile, lane); each lane is independent of every other.
  virtual void energy(ConstTiles x, TileScalars energy) const = 0;
  // The same, for differences of energies that may be large. Where sums_in_double() only single terms are rounded to Real; for other models
  // these are the values of energy(), which have an error of about |E| 2^-24 in single precision.
  virtual void precise_energy(ConstTiles x, TileEnergies energy) const;
  virtual bool sums_in_double() const { return sizeof(Real) == sizeof(double); }

  void work(Arrays, Index tiles, Index lanes) const override;

 protected:
  // Work memory for energies of tiles like x.
  TileScalars narrow_energies(ConstTiles x) const;

 private:
  mutable TileScalarStorage narrow_energies_;
};

// An energy whose parameters learn from weighted sums of dE/dtheta over data and chains.
class TrainableEnergy : public virtual EnergyModel {
 public:
  // energy = E(x), (tile, lane), then sum += d/dtheta sum_b w_b E_b with the weights w (tile, lane) that `weigh()` returns, which is called
  // in between and may look at the energies. `sum` has the length of parameters().
  template <class Weigh>
  void add_energy_gradient(ConstTiles x, TileScalars energy, Weigh const& weigh, Vector sum) {
    energy_forward(x, energy);
    energy_reverse(x, weigh(), sum);
  }

 protected:
  // E(x); keeps in the model's work memory what energy_reverse needs, which may use it up.
  virtual void energy_forward(ConstTiles x, TileScalars energy) = 0;
  virtual void energy_reverse(ConstTiles x, ConstTileScalars weight, Vector sum) = 0;
};

// A model whose score s = d log p / dx can be computed, whether or not log p can: what unadjusted Langevin samplers need of it.
class ScoreModel : public virtual Model {
 public:
  // gradient = -s(x), for an energy dE/dx; (tile, dimension, lane). Each lane is independent of every other.
  virtual void gradient(ConstTiles x, Tiles gradient) const = 0;

  // sigma_1 > ... > sigma_L of a model conditioned on noise, which has the density of x + sigma z, z ~ N(0, I), at each. Empty: it is not.
  virtual std::vector<double> noise_levels() const { return {}; }
  // Sets the noise level of all evaluations from now on; it is not part of the model's value. One sigma, initially sigma_L, or
  // (tile, lane), one for each lane of tiles like these. Models that are not conditioned on noise ignore it.
  virtual void set_noise(double /*sigma*/) const {}
  virtual void set_noise(ConstTileScalars /*sigma*/) const {}
};

// The model as a ScoreModel; Failure(usage) where it is none.
ScoreModel const& score_of(Model const&);

// An energy E(x) with its gradient, on tiles (tile, dimension, lane).
class DifferentiableModel : public virtual EnergyModel, public virtual ScoreModel {
 public:
  // energy (tile, lane) = E(x), gradient = dE/dx. Each lane is independent of every other.
  virtual void energy_and_gradient(ConstTiles x, TileScalars energy, Tiles gradient) const = 0;
  // With energies like those of precise_energy().
  virtual void precise_energy_and_gradient(ConstTiles x, TileEnergies energy, Tiles gradient) const;
  void energy(ConstTiles x, TileScalars energy) const override;
  void gradient(ConstTiles x, Tiles gradient) const override;
  // Floating-point operations of one energy_and_gradient per chain, for the summary.
  virtual double flops_per_evaluation() const { return 0; }

  void work(Arrays, Index tiles, Index lanes) const override;

 protected:
  // Work memory for a gradient that is not used.
  Tiles unused_gradient(ConstTiles x) const;

 private:
  void gradient_work(Arrays, Index tiles, Index lanes) const;
  mutable TileStorage unused_gradient_;
};

// A score that is learnt by score matching: with g = -s, its derivatives along a direction v (docs/theory/score_matching.md).
class TrainableScore : public virtual ScoreModel {
 public:
  // v . g, which is D_v E of an energy, and for order 2 v' (dg/dx) v = D_v^2 E, each (tile, lane). Keeps what directional_reverse needs.
  virtual void directional_forward(ConstTiles x, ConstTiles v, int order, TileScalars first, TileScalars second) = 0;
  // sum += d/dtheta sum_b c1_b (v . g)_b + c2_b (v' (dg/dx) v)_b for the last directional_forward. `sum` has the length of parameters().
  // Empty Views are not computed among the results and count as zero among the weights.
  virtual void directional_reverse(ConstTiles x, ConstTileScalars c1, ConstTileScalars c2, Vector sum) = 0;
  // gradient() that keeps what gradient_reverse needs: sum += d/dtheta sum_b (v . g)_b with v (like x) held fixed. First-order directional
  // derivatives along v would give the same, but compute g again.
  virtual void gradient_forward(ConstTiles x, Tiles gradient) = 0;
  virtual void gradient_reverse(ConstTiles x, ConstTiles v, Vector sum) = 0;
  virtual int highest_jet_order() const { return 0; }  // 0: it cannot be learnt by score matching
  // Work memory for derivatives up to this order, and those of gradient_forward where `gradients`.
  virtual void jet_work(Arrays, Index /*tiles*/, Index /*lanes*/, int /*order*/, bool /*gradients*/) const {}
};

// An energy whose parameters are learnt through jets along a direction v (docs/theory/score_matching.md).
class TrainableModel : public DifferentiableModel, public TrainableScore, public TrainableEnergy {
 public:
  // E, and for order >= 1 D_v E, for order 2 D_v^2 E, each (tile, lane). Keeps what jet_reverse needs in the model's work memory.
  virtual void jet_forward(ConstTiles x, ConstTiles v, int order, TileScalars e0, TileScalars e1, TileScalars e2) = 0;
  // sum += d/dtheta sum_b c0_b E_b + c1_b D_v E_b + c2_b D_v^2 E_b for the last jet_forward. `sum` has the length of parameters().
  // Unused weights may be empty Views.
  virtual void jet_reverse(ConstTiles x, ConstTileScalars c0, ConstTileScalars c1, ConstTileScalars c2, Vector sum) = 0;

  void directional_forward(ConstTiles x, ConstTiles v, int order, TileScalars first, TileScalars second) override {
    jet_forward(x, v, order, {}, first, second);
  }
  void directional_reverse(ConstTiles x, ConstTileScalars c1, ConstTileScalars c2, Vector sum) override { jet_reverse(x, {}, c1, c2, sum); }
  void gradient_forward(ConstTiles x, Tiles gradient) override { this->gradient(x, gradient); }
  void gradient_reverse(ConstTiles x, ConstTiles v, Vector sum) override;

 private:
  void energy_forward(ConstTiles x, TileScalars energy) override { jet_forward(x, {}, 0, energy, {}, {}); }
  void energy_reverse(ConstTiles x, ConstTileScalars weight, Vector sum) override { jet_reverse(x, weight, {}, {}, sum); }
  TileScalarStorage ones_;
};

}  // namespace partita
