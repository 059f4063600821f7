// Models whose units can be drawn block by block given all others: their interface for Gibbs samplers, tempering, annealing and learning by
// contrastive divergence. State of a chain: x (tile, dimension, lane), visible units first. Where the hidden units are independent given
// the visible ones (a restricted machine) they are summed out: x is the visible units alone and energies are free energies.
//
// Every model comes with the path of laws p_beta(x) ~ exp(-beta E(x) - (1 - beta) E_0(x)) from a reference E_0 of independent units at
// beta = 0, whose normalisation is known, to the model at beta = 1 (Salakhutdinov and Murray, ICML 2008).
#pragma once
#include "core/random.hpp"
#include "core/tiling.hpp"
#include "models/model.hpp"

namespace partita {

// The parameters of a sweep: its place on the path, its random numbers, and the units that it leaves unchanged.
struct Sweep {
  random::Key key;
  ChainNumbers chains;  // of the tiles that are swept
  Index step = 0;       // counter of the random numbers: one for each sweep of a chain
  double beta = 1;
  Held held = {};  // units that keep their values
  random::Stream stream = random::Stream::gibbs_units;
  bool reversed = false;  // blocks in the opposite order, which gives the time reversal of the sweep
};

// Moments of data for each visible unit, (visible_dimension()) each.
struct UnitMoments {
  std::vector<double> mean, variance;
  Index items = 0;
};
// log(p / (1 - p)) of the means of binary units, p clipped to [1/n, 1 - 1/n] for means over n items: finite where a unit never changes.
std::vector<double> log_odds(UnitMoments const&);

// Logarithms of importance weights, (tile, pitch), in double: they are sums over thousands of temperatures.
using LogWeights = Kokkos::View<double**, Kokkos::LayoutRight, DeviceMemory>;

class GibbsModel : public virtual EnergyModel {
 public:
  // Every unit that is not held is drawn once, block after block, from its law given the others under p_beta; at beta = 0 these are
  // independent draws of the reference, whatever x was. Lanes are independent of one another. (A restricted machine: h given v, v given h.)
  virtual void sweep(Tiles x, Sweep const&) const = 0;

  // -log p_beta(x) up to its constant, (tile, lane); hidden units that are not in x are summed out at this beta.
  virtual void path_energy(ConstTiles x, double beta, TileScalars energy) const = 0;
  void energy(ConstTiles x, TileScalars out) const override { path_energy(x, 1, out); }
  // The two values that all units of x take, the lower first; empty where units are real numbers or of several kinds.
  virtual std::vector<double> unit_values() const { return {}; }
  bool binary() const { return unit_values() == std::vector<double>{0, 1}; }

  // A move of annealed importance sampling, from beta_before to sweep.beta: log_weight += log p*_beta(x) - log p*_beta_before(x), both
  // unnormalised, at the present x; then the sweep.
  virtual void anneal(Tiles x, double beta_before, Sweep const&, LogWeights log_weight) const;

  // A copy with its own memory for the parameters, and with the reference of its own visible biases, as tempering along the trajectory of
  // learning keeps it. Failure(usage) for models that cannot be copied.
  virtual std::unique_ptr<GibbsModel> copy(Arrays = {}) const;

  // Sets the reference to independent visible units with these moments. Until then it is given by the model's own visible biases.
  virtual void set_reference(UnitMoments const&) = 0;
  virtual double log_z_reference() const = 0;  // log sum_x exp(-E_0(x)), summed-out hidden units included

 private:
  mutable TileScalarStorage before_, after_;
};

// A machine that learns by contrastive divergence: its parameters are weights and biases, and the energy with all units is linear in them.
class TrainableGibbsModel : public GibbsModel, public TrainableEnergy {
 public:
  // Sums of unit means for centring and sparsity, visible units first, then hidden ones: sum (unit_count()) += sum_b weight_b (v_b, <h>_b)
  // for the x of the last energies; `weigh` of add_energy_gradient may call it.
  virtual Index unit_count() const = 0;
  virtual void add_unit_means(ConstTiles x, ConstTileScalars weight, Vector sum) const = 0;
  // Changes a gradient to that of the centred machine with these offsets (Melchior, Fischer, Wiskott, JMLR 17, 2016):
  // gW = <(v - mu)(h - lambda)'>_data - same_model, ga = d<v> - gW lambda, gb = d<h> - gW' mu.
  virtual void centre(Vector gradient, ConstVector offsets) const = 0;
  // Rescales a gradient by the unit means of its minibatch, for models of data with missing entries.
  virtual void rescale(Vector /*gradient*/, ConstVector /*unit_means*/) const {}

  // Ranges of the flat parameters: the weights, which weight decay shrinks, and the hidden units' biases, which sparsity moves.
  struct ParameterRange {
    Index first = 0, count = 0;
  };
  virtual std::vector<ParameterRange> weights() const = 0;
  virtual ParameterRange hidden_biases() const { return {}; }
  // Visible biases (and scales, where they are learnt) such that without weights the visible units have these moments.
  virtual void start_from(UnitMoments const&) = 0;
};

}  // namespace partita
