// Restricted machines whose visible units are real numbers, in the two parametrisations in use (c_i is what v_i is scaled by):
//   E(v, h) = sum_i (v_i - a_i)^2 / (2 s_i^2) - sum_i c_i v_i (W h)_i - b'h
//   A: c_i = 1 / s_i    v_i | h ~ N(a_i + s_i (W h)_i, s_i^2)      (Krizhevsky 2009)
//   B: c_i = 1 / s_i^2  v_i | h ~ N(a_i + (W h)_i, s_i^2)          (Cho, Ilin, Raiko 2011; Liao et al. 2022)
// and p(h_j = 1 | v) = sigmoid(b_j + sum_i c_i v_i W_ij) in both; W_A = W_B / s. Variances are learnt through z_i = log s_i^2.
//
// The path starts at independent units N(m_i, s_i^2) with the model's own s, so v_i | h under p_beta has that variance, too.
#pragma once
#include "models/rbm.hpp"

namespace partita {

// Parameter blocks "weight_A" or "weight_B", "visible_bias", "hidden_bias", "log_variance": z, which stays fixed unless it is learnt.
class GaussianRbm : public Rbm, public DifferentiableModel {
 public:
  explicit GaussianRbm(RbmOptions const&, Arrays = {});
  std::vector<ParameterBlock> parameter_blocks() const override;
  // Restores the lower bound on s: raises z where s has become smaller.
  void parameters_changed() override;
  Vector log_variance() const { return part(Rbm::parameter_count(visible_, hidden_), visible_); }

  void energy(ConstTiles x, TileScalars energy) const override { path_energy(x, 1, energy); }
  void gradient(ConstTiles x, Tiles gradient) const override;
  void energy_and_gradient(ConstTiles x, TileScalars energy, Tiles gradient) const override;
  double flops_per_evaluation() const override { return 4. * double(visible_ * hidden_); }
  // Means of v given h, (tile, hidden units, lane).
  void visible_means(ConstTiles hidden, Tiles mean) const;

  void work(Arrays arrays, Index tiles, Index lanes) const override { Rbm::work(arrays, tiles, lanes); }
  std::vector<double> unit_values() const override { return {}; }
  void set_reference(UnitMoments const&) override;  // uses the means only
  double log_z_reference() const override;
  void centre(Vector gradient, ConstVector offsets) const override;
  void start_from(UnitMoments const&) override;  // s from the data where it is learnt

 public:  // what holds kernels: nvcc refuses it otherwise
  ConstTiles scaled(ConstTiles v) const override;
  void draw_visible_units(Tiles v, ConstTiles field, Sweep const&) const override;
  void subtract_visible_log_z(ConstTiles field, LogWeights energy) const override;
  void add_visible_energy(ConstTiles v, double c0, double c1, LogWeights energy) const override;
  void visible_reverse(ConstTiles v, ConstTileScalars weight, ConstTiles hidden, Vector sum) const override;
  // dE/dv from `means` = p(h_j = 1 | v).
  void gradient_from(ConstTiles v, ConstTiles means, Tiles gradient) const;

 private:
  bool per_deviation_;  // parametrisation A
  bool learn_variance_;
  double standard_deviation_, smallest_deviation_;
  Vector precision_, scale_, shift_;  // 1 / s^2, c and c s^2, by which W h moves the mean of v
};

}  // namespace partita
