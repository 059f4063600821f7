// A restricted Boltzmann machine for ratings (Salakhutdinov, Mnih, Hinton, ICML 2007): visible unit i is item i, x its level 1 ... K, or 0
// where it is not rated. Unrated items do not enter: each user has a machine of the items rated by him, and all share weights and biases.
//   E(V, h) = -sum_{rated i} (a_{i,k_i} + sum_j U_{i,k_i,j} h_j) - b'h,   U_ikj = W_ikj + S_kj
//   p(h_j = 1 | V) = sigmoid(b_j + sum_{rated i} U_{i,k_i,j}),   p(v_i = k | h) = softmax_k(a_ik + U_ik h)
// W (items, K, hidden), a (items, K) and b (hidden) are those of the paper. S (K, hidden) is common to all items (for example, how generous
// a user is), which items with few ratings could not learn separately. W is then the difference of an item, and may be kept small.
//
// Chains hold V alone; h is summed out. E_0 of the path is -sum_{rated i} a_{i,k_i}, whatever the reference.
#pragma once
#include <functional>

#include "deck/schema.hpp"
#include "models/gibbs_model.hpp"

namespace partita {

struct SoftmaxRbmOptions {
  Index items = 0, levels = 5, hidden = 0;
  bool shared_weights = true;
  double smoothing = 3;
  double rated_fraction_offset = 0;
  double initial_scale = 0.01;
};
deck::Schema softmax_rbm_schema();

// Parameter blocks "weight" (items, levels, hidden), "shared_weight" (levels, hidden), "visible_bias" (items, levels), "hidden_bias".
class SoftmaxRbm : public TrainableGibbsModel {
 public:
  static constexpr Index most_levels = 64;
  explicit SoftmaxRbm(SoftmaxRbmOptions const&, Arrays = {});
  static Sizes sizes(SoftmaxRbmOptions const& o) { return {o.items, o.items}; }
  // W and S from independent standard normals, normal(i) for entry i, times initial_scale; biases zero.
  void initialise(std::function<double(Index)> const& normal);
  // a_ik = log((counts_ik + smoothing p_k) / (sum_k counts_ik + smoothing)), p_k the share of level k among all ratings, each level counted
  // once more than it occurs; counts (items, levels) of the ratings to learn from.
  void start_from_counts(std::vector<double> const& counts);

  Index dimension() const override { return items_; }
  Index levels() const { return levels_; }
  Index hidden() const { return hidden_; }
  Vector parameters() const override { return parameters_; }
  std::vector<ParameterBlock> parameter_blocks() const override;
  Vector weight() const { return part(0, items_ * levels_ * hidden_); }
  Vector shared_weight() const { return part(shared_at(), levels_ * hidden_); }
  Vector visible_bias() const { return part(bias_at(), items_ * levels_); }
  Vector hidden_bias() const { return part(hidden_at(), hidden_); }

  void work(Arrays, Index tiles, Index lanes) const override;

  void sweep(Tiles x, Sweep const&) const override;  // units that are not rated stay so
  void path_energy(ConstTiles x, double beta, TileScalars energy) const override;
  void set_reference(UnitMoments const&) override {}
  double log_z_reference() const override;  // Failure(usage): it differs for each choice of rated items

  // The mean of a visible unit is whether its item is rated.
  Index unit_count() const override { return items_ + hidden_; }
  void add_unit_means(ConstTiles x, ConstTileScalars weight, Vector sum) const override;
  void centre(Vector gradient, ConstVector offsets) const override;  // Failure(usage): units are missing
  // Divides the gradients of W and a, item by item, by the share of the minibatch's users who rated the item plus rated_fraction_offset,
  // and that of S by the mean number of ratings per user.
  void rescale(Vector gradient, ConstVector unit_means) const override;
  std::vector<ParameterRange> weights() const override { return {{0, items_ * levels_ * hidden_}}; }
  ParameterRange hidden_biases() const override { return {hidden_at(), hidden_}; }
  void start_from(UnitMoments const&) override {}  // moments of codes do not tell the frequencies of levels: see start_from_counts

 public:  // what holds kernels: nvcc refuses it otherwise
  void energy_forward(ConstTiles x, TileScalars energy) override;
  void energy_reverse(ConstTiles x, ConstTileScalars weight, Vector sum) override;
  // Computes field_ = b_j + sum_rated U of x and, for Collect::all, bias_ and counts_.
  enum class Collect { field, all };
  void gather(ConstTiles x, Collect) const;
  void draw_hidden(Index tiles, Index lanes, Sweep const&) const;
  void draw_visible(Tiles x, Sweep const&) const;

 private:
  Index shared_at() const { return items_ * levels_ * hidden_; }
  Index bias_at() const { return shared_at() + levels_ * hidden_; }
  Index hidden_at() const { return bias_at() + items_ * levels_; }
  Vector part(Index first, Index count) const { return Kokkos::subview(parameters_, std::pair(first, first + count)); }

  Index items_, levels_, hidden_;
  bool shared_;
  double smoothing_, rated_fraction_offset_, initial_scale_;
  Vector parameters_;
  // Stored lane by lane, so that the units of a lane are contiguous: (tile, lane, hidden), fields, then units or their means; (tile, lane,
  // level): number of items with this level, or S h; (tile, lane): sum of a_{i,k_i}.
  using LaneRows = Kokkos::View<Real***, Kokkos::LayoutRight, DeviceMemory>;
  mutable LaneRows field_, counts_;
  mutable LogWeights bias_;
};

// p(v_item = k | V) exactly, which is proportional to exp(a_k) prod_j (1 + exp(b_j + sum_rated U + U_item,k,j)). On the host, with the
// parameters that the model has at construction.
class LevelPredictor {
 public:
  explicit LevelPredictor(SoftmaxRbm const&);
  // b_j + sum_rated U of a user's codes (items).
  std::vector<Real> field(std::vector<double> const& codes) const;
  // Probabilities (levels) of an item that is not among those rated.
  std::vector<double> probabilities(std::vector<Real> const& field, Index item) const;

 private:
  Index levels_, hidden_;
  std::vector<Real> weight_;  // U
  std::vector<Real> visible_bias_, hidden_bias_;
};

}  // namespace partita
