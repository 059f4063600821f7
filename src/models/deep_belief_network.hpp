// Deep belief networks (Hinton, Osindero and Teh 2006): a stack of restricted Boltzmann machines. The top machine is the prior of the layer
// below it, each machine further down a directed model of its visible layer given its hidden one:
//   p(v, h_1, .., h_L) = p(v | h_1) .. p(h_L-2 | h_L-1) p_top(h_L-1, h_L),   q(h_l+1 | h_l) = the machines' own conditionals upwards.
#pragma once
#include "models/rbm.hpp"

namespace partita {

struct DbnOptions {
  std::vector<Index> layers;
  double initial_scale = 0.01;
};
deck::Schema dbn_schema();

// Parameter blocks "machineK/..." are those of machine K, from 0, whose visible layer is layer K.
class DeepBeliefNetwork : public Model {
 public:
  // Failure(usage) unless there are three layers or more, of at least one unit.
  explicit DeepBeliefNetwork(DbnOptions const&, Arrays = {});
  static Sizes sizes(DbnOptions const&);
  void initialise(std::function<double(Index)> const& normal);

  Index dimension() const override { return machines_.front()->dimension(); }
  Vector parameters() const override { return parameters_; }
  std::vector<ParameterBlock> parameter_blocks() const override;
  void parameters_changed() override;
  void work(Arrays, Index tiles, Index lanes) const override;

  Index machines() const { return std::ssize(machines_); }
  Rbm& machine(Index k) const { return *machines_[k]; }
  Rbm& top() const { return *machines_.back(); }
  Index first_parameter(Index machine) const { return first_[machine]; }

  // Draws at beta = 1, keyed by `sweep` and the layer. Upwards: layer k given layer k - 1, for k = 1 .. layers.size(), each (tile, units,
  // lane). Downwards: layer k given layer k + 1, down to the visible layer.
  void draw_upwards(ConstTiles visible, std::vector<Tiles> const& layers, Sweep const&) const;
  void draw_below(Index layer, ConstTiles above, Tiles to, Sweep const&) const;

 private:
  Sweep of_machine(Sweep, Index machine) const;
  std::vector<Index> first_;
  Vector parameters_;
  std::vector<std::unique_ptr<Rbm>> machines_;
};

}  // namespace partita
