// Boltzmann machines: binary units x = (v, h), visible ones first, any pair of them coupled (Ackley, Hinton, Sejnowski, Cognitive Science
// 9, 1985):
//   E(v, h) = -1/2 v'R v - v'W h - 1/2 h'S h - a'v - b'h,   p(x_k = 1 | rest) = sigmoid(c_k + sum_j w_kj x_j) with c = (a, b),
// R and S symmetric with zero diagonals. Without hidden units: a fully visible machine. Chains hold all units. Ising spins s = 2x - 1 with
// E = -sum J_ij s_i s_j - sum theta_i s_i are the machine with w_ij = 4 J_ij, c_i = 2 theta_i - 2 sum_j J_ij.
//
// The path to the reference: -log p*_beta = beta E - (1 - beta) a0'v, so that the hidden units are uniform at beta = 0.
#pragma once
#include <functional>

#include "deck/schema.hpp"
#include "models/coupling_graph.hpp"

namespace partita {

struct BoltzmannMachineOptions {
  Index visible = 0;
  Index hidden = 0;
  std::vector<std::string> connections = {"visible", "between", "hidden"};
  double initial_scale = 0.01;
};
deck::Schema boltzmann_machine_schema();

// The coupled pairs, and the parameter blocks of their weights, in the order of the edges.
struct Connections {
  Index count = 0;
  std::vector<Edge> edges;  // `count`, or none where arrays are only listed
  std::vector<ParameterBlock> blocks;
};
// "visible_weight", the entries of R above the diagonal row by row, "weight", W (visible, hidden), and "hidden_weight", likewise of S.
Connections layers(BoltzmannMachineOptions const&, Arrays = {});

// Parameters: the weights as the connections have them, then "visible_bias" a and "hidden_bias" b.
class BoltzmannMachine : public TrainableGibbsModel {
 public:
  BoltzmannMachine(Index visible, Index hidden, Connections const&, Arrays = {});
  // Failure(usage) where hidden units are not connected with visible ones, or more than 10^8 pairs are.
  explicit BoltzmannMachine(BoltzmannMachineOptions const&, Arrays = {});
  static Sizes sizes(BoltzmannMachineOptions const&);
  // Weights from independent standard normals, normal(i) for number i, times initial_scale; biases zero.
  void initialise(std::function<double(Index)> const& normal);

  Index dimension() const override { return graph_.units(); }
  Index visible_dimension() const override { return visible_; }
  CouplingGraph const& graph() const { return graph_; }
  Vector parameters() const override { return parameters_; }
  std::vector<ParameterBlock> parameter_blocks() const override { return blocks_; }
  Vector weight() const { return part(0, graph_.edges()); }
  Vector bias() const { return part(graph_.edges(), dimension()); }  // c = (a, b)

  void work(Arrays, Index tiles, Index lanes) const override;

  void sweep(Tiles x, Sweep const&) const override;
  void path_energy(ConstTiles x, double beta, TileScalars energy) const override;
  void anneal(Tiles x, double beta_before, Sweep const&, LogWeights) const override;
  std::vector<double> unit_values() const override { return {0, 1}; }
  void set_reference(UnitMoments const&) override;
  // Sets the same reference from log(p / (1 - p)) of each visible unit.
  void set_reference_rates(std::vector<double> const& log_odds);
  double log_z_reference() const override;

  Index unit_count() const override { return dimension(); }
  void add_unit_means(ConstTiles x, ConstTileScalars weight, Vector sum) const override;
  void centre(Vector gradient, ConstVector offsets) const override;
  std::vector<ParameterRange> weights() const override { return {{0, graph_.edges()}}; }
  ParameterRange hidden_biases() const override { return {graph_.edges() + visible_, dimension() - visible_}; }
  void start_from(UnitMoments const&) override;

  // sum_k log p(x_k | rest) (Besag 1975), (tile, lane), over all units. Keeps in the work memory what the reverse pass needs.
  void pseudo_likelihood_forward(ConstTiles x, TileScalars value);
  // sum += d/dtheta sum_b weight_b sum_k log p(x_k | rest) for the last forward.
  void pseudo_likelihood_reverse(ConstTiles x, ConstTileScalars weight, Vector sum);

 public:  // what holds kernels: nvcc refuses it otherwise
  // Calls store(tile, lane, c0 E_0(x) + c1 E(x)).
  template <class Store>
  void path_energies(ConstTiles x, double c0, double c1, Store const&) const;
  // Work memory = scale weight_b x_i(b) with x = `from`, which may be the work memory itself.
  Tiles weigh(ConstTiles from, ConstTileScalars weight, Real scale) const;

 private:
  void energy_forward(ConstTiles x, TileScalars energy) override { path_energy(x, 1, energy); }
  void energy_reverse(ConstTiles x, ConstTileScalars weight, Vector sum) override;
  Vector part(Index first, Index count) const { return Kokkos::subview(parameters_, std::pair(first, first + count)); }
  // (dimension): a0 and zeros.
  ConstVector reference() const;
  Tiles units_work(ConstTiles like) const;

  Index visible_;
  CouplingGraph graph_;
  std::vector<ParameterBlock> blocks_;
  double initial_scale_ = 0;
  Vector parameters_, reference_;
  bool has_reference_ = false;
  mutable TileStorage units_work_;  // (tile, dimension, pitch) of the tiles that are being processed
};

struct IsingLatticeOptions {
  Index rows = 0, columns = 0;
  double coupling = 0.4, field = 0;
  bool periodic = true;
};
deck::Schema ising_lattice_schema();
// Spins on a square lattice, E(s) = -J sum_bonds s_i s_j - theta sum_i s_i with s = 2x - 1, as a fully visible machine. Failure(usage) for
// fewer than 3 periodic rows or columns.
Sizes sizes(IsingLatticeOptions const&);  // Failure(usage) for options that make no model
std::unique_ptr<BoltzmannMachine> make_ising_lattice(IsingLatticeOptions const&, Arrays = {});

}  // namespace partita
