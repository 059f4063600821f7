// Restricted Boltzmann machines: visible units v, binary hidden units h, no connections inside a layer. Chains hold v alone; h is summed
// out.
//   E(v, h) = E_v(v) - s(v)'W h - b'h,   p(h_j = 1 | v) = sigmoid(b_j + (W's(v))_j),   F(v) = E_v(v) - sum_j softplus(b_j + (W's(v))_j)
// Bernoulli: v in {0, 1}^D, E_v = -a'v, s(v) = v, p(v_i = 1 | h) = sigmoid(a_i + (W h)_i) (Smolensky 1986; Hinton 2002). Functions that
// differ for other visible units are virtual: gaussian_rbm.hpp.
//
// The path to the reference (Salakhutdinov and Murray 2008): -log p*_beta = (1 - beta) E_0 + beta E_v - sum_j softplus(beta (b_j + ...)).
#pragma once
#include <functional>

#include "core/unit_product.hpp"
#include "deck/schema.hpp"
#include "models/gibbs_model.hpp"

namespace partita {

struct RbmOptions {
  Index visible = 0;
  Index hidden = 0;
  double initial_scale = 0.01;
  std::string visible_units = "bernoulli";
  // For Gaussian units.
  std::string parametrisation = "B";
  double standard_deviation = 1;
  bool learn_variance = false;
  double smallest_deviation = 0.05;
};
deck::Schema rbm_schema();

// Parameter blocks "weight" (visible, hidden), "visible_bias", "hidden_bias", then those of the visible units' kind.
// Work memory holds the hidden units of the tiles that are being processed: one tile on a CPU, all of them on a GPU.
class Rbm : public TrainableGibbsModel {
 public:
  explicit Rbm(RbmOptions const& o, Arrays arrays = {})
      : Rbm(o, arrays.make<Vector>("rbm parameters", parameter_count(o.visible, o.hidden)), arrays) {}
  // The parameters are stored in at least parameter_count() numbers, for example in part of those of a larger model.
  Rbm(RbmOptions const&, Vector parameters, Arrays = {});
  static Sizes sizes(RbmOptions const&);  // of both kinds of visible units; Failure(usage) for options that make no model
  static Index parameter_count(Index visible, Index hidden) { return visible * hidden + visible + hidden; }
  // W from independent standard normals, normal(i) for entry i, times initial_scale; biases zero.
  void initialise(std::function<double(Index)> const& normal);

  Index dimension() const override { return visible_; }
  Index hidden() const { return hidden_; }
  Vector parameters() const override { return parameters_; }
  void parameters_changed() override { upwards_.current = downwards_.current = false; }
  std::vector<ParameterBlock> parameter_blocks() const override;
  Vector weight() const { return part(0, visible_ * hidden_); }  // (visible, hidden), row-major
  Vector visible_bias() const { return part(visible_ * hidden_, visible_); }
  Vector hidden_bias() const { return part(visible_ * hidden_ + visible_, hidden_); }

  void work(Arrays, Index tiles, Index lanes) const override;

  void sweep(Tiles x, Sweep const&) const override;
  void path_energy(ConstTiles x, double beta, TileScalars energy) const override;
  void anneal(Tiles x, double beta_before, Sweep const&, LogWeights) const override;  // one product for the weights and the sweep
  std::vector<double> unit_values() const override { return {0, 1}; }
  std::unique_ptr<GibbsModel> copy(Arrays = {}) const override;
  void set_reference(UnitMoments const&) override;
  double log_z_reference() const override;

  Index unit_count() const override { return visible_ + hidden_; }
  void add_unit_means(ConstTiles x, ConstTileScalars weight, Vector sum) const override;
  void centre(Vector gradient, ConstVector offsets) const override;
  std::vector<ParameterRange> weights() const override { return {{0, visible_ * hidden_}}; }
  ParameterRange hidden_biases() const override { return {visible_ * hidden_ + visible_, hidden_}; }
  void start_from(UnitMoments const&) override;

  // One layer given the other, drawn as a sweep draws it; `hidden` is (tile, hidden units, lane).
  void draw_hidden(ConstTiles visible, Tiles hidden, Sweep const&) const;
  void draw_visible(ConstTiles hidden, Tiles visible, Sweep const&) const;
  // -log sum_v exp(-E(v, h)), (tile, lane): the free energy of the hidden units, with the visible ones summed out.
  void hidden_energy(ConstTiles hidden, TileScalars energy) const;
  // W's(v) and W h, without biases.
  void hidden_field(ConstTiles visible, Tiles field) const;
  void visible_field(ConstTiles hidden, Tiles field) const;

 public:  // what holds kernels: nvcc refuses it otherwise
  // v given W h under p_beta.
  virtual void draw_visible_units(Tiles v, ConstTiles field, Sweep const&) const;
  // energy -= log sum_v exp(-E_v(v) + s(v)'field).
  virtual void subtract_visible_log_z(ConstTiles field, LogWeights energy) const;
  // energy += c0 E_0(v) + c1 E_v(v).
  virtual void add_visible_energy(ConstTiles v, double c0, double c1, LogWeights energy) const;
  // sum += d/dtheta sum_b weight_b E(v_b) for the visible units' own parameters; `hidden` is p(h_j = 1 | v_b) times -weight_b.
  virtual void visible_reverse(ConstTiles v, ConstTileScalars weight, ConstTiles hidden, Vector sum) const;
  // Replaces the fields of the hidden units by p(h_j = 1 | v).
  void hidden_means(Tiles hidden) const;
  void energy_reverse(ConstTiles x, ConstTileScalars weight, Vector sum) override;
  // Replaces the fields of the hidden units by draws.
  void draw_hidden_units(Tiles hidden, Sweep const&) const;

 protected:
  // s(v); v itself where s is the identity.
  virtual ConstTiles scaled(ConstTiles v) const { return v; }

  Vector part(Index first, Index count) const { return Kokkos::subview(parameters_, std::pair(first, first + count)); }
  ConstVector reference() const { return has_reference_ ? reference_ : visible_bias(); }
  // Work memory for tiles like these.
  Tiles hidden_work(ConstTiles like) const;
  Tiles visible_work(ConstTiles like) const;
  LogWeights energy_work(ConstTiles like) const;  // zeros

  Index visible_, hidden_;
  RbmOptions options_;
  Vector parameters_, reference_;
  bool has_reference_ = false;

 private:
  void energy_forward(ConstTiles x, TileScalars energy) override;
  // field = op(weights) x of each tile; where x is units, by the processor's matrix unit, if it has one.
  struct Split {
    SplitMatrix matrix;
    bool current = false;  // whether it holds the present weights
  };
  void multiply(Factor weights, Split&, Index rows, ConstTiles x, Tiles field) const;
  // sum (visible, hidden) += v h' of a tile.
  void add_outer_product(Factor v, Factor h, Index lanes, Vector sum) const;
  bool by_unit_products_;
  mutable Split upwards_, downwards_;
  mutable TileStorage hidden_work_, visible_work_;
  mutable LogWeights energy_work_;
};

// The machine with the visible units of the options.
std::unique_ptr<Rbm> make_rbm(RbmOptions const&, Arrays = {});

}  // namespace partita
