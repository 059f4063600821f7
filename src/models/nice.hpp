// A NICE flow as a sampler: x = S F(z), z ~ N(0, I), F a stack of additive couplings, S an invertible matrix. With redundant latents,
// D > d, the flow is (x, y) = S F(z) and there is a learnt P^(y|x) = N(y; M(x), Sigma(x)), so that
//     log w = -U(x) + log N(y; M(x), Sigma(x)) + log|det S| - log N(z; 0, I)
// is the logarithm of an importance weight for any target exp(-U(x)); P^ is absent where D = d.
#pragma once
#include <functional>
#include <optional>

#include "core/matrix_product.hpp"
#include "deck/schema.hpp"
#include "models/model.hpp"
#include "networks/coupling.hpp"

namespace partita {

struct NiceOptions {
  Index dimension = 0;
  Index latent_dimension = 0;
  Index couplings = 8;
  std::vector<Index> hidden = {64, 64};
  std::string activation = "tanh";
  std::string masks = "alternating";
  std::int64_t mask_seed = 0;
  std::string scale = "diagonal";
  std::string covariance = "diagonal";
};
deck::Schema nice_schema();

// Parameter blocks "couplingK/layerJ/weight" and ".../bias", "conditional/layerJ/...", whose outputs are M, log-diagonal and, with
// covariance = cholesky, the rows below the diagonal of A, Sigma^-1 = A'A lower triangular; last "scale": log|s_i| (D) where S is diagonal,
// L below and U above the diagonal and log|U_ii| on it (D, D) where it is lu, S itself (D, D) where it is dense.
// Tiles are (tile, D, lane), x their first d coordinates. One forward at a time: its work memory serves the reverse calls after it.
class Nice : public Model {
 public:
  // Initially x = z, and y ~ N(0, I) independently of x. Failure(usage) where there is nothing to couple.
  explicit Nice(NiceOptions const&, Arrays = {});
  static Sizes sizes(NiceOptions const&);
  // Weights and biases of hidden layers from independent standard normals, normal(i) for entry i of the flat vector, scaled as in
  // Mlp::initial_scale (with few inputs biases are needed: without them all units bend at the origin); output layers zero, S = I.
  void initialise(std::function<double(Index)> const& normal);

  Index dimension() const override { return dimension_; }
  Index latent_dimension() const { return couplings_.dimension(); }  // D
  Vector parameters() const override { return parameters_; }
  std::vector<ParameterBlock> parameter_blocks() const override;
  void parameters_changed() override;
  void work(Arrays, Index tiles, Index lanes) const override;

  double log_determinant() const { return log_determinant_; }  // log|det S|
  void forward(ConstTiles z, Tiles xy);
  void inverse(ConstTiles xy, Tiles z);
  // (tile, lane): -log N(y; M(x), Sigma(x)) after forward gave xy; zero where D = d.
  void conditional(ConstTiles xy, TileScalars minus_log_density);

  // Derivatives of the sum over tiles and lanes of weight * conditional: in (x, y) added to `gradient`, in the parameters to `sum`.
  void reverse_conditional(ConstTiles xy, ConstTileScalars weight, Tiles gradient, Vector sum);
  // From `gradient` in (x, y), which may be overwritten, to that in the parameters, added to `sum`; for "scale" the gradient is in S
  // itself.
  void reverse(Tiles gradient, Vector sum);
  // From such a sum over all tiles to the gradient of (the function summed) - log|det S|.
  void complete(Vector sum) const;

 public:  // what holds kernels: nvcc refuses it otherwise
  void apply(Vector s, Form, ConstTiles from, Tiles to) const;
  void add_scale_gradient(ConstTiles gradient, ConstTiles latent, Real* sum) const;

 private:
  enum class Scale { diagonal, lu, dense };
  struct Work;                                                     // layout of a call's work memory
  Index extra() const { return latent_dimension() - dimension_; }  // coordinates of y
  Index conditional_offset() const { return couplings_.parameter_count(); }
  Index scale_offset() const { return conditional_offset() + (conditional_ ? conditional_->parameter_count() : 0); }
  Index scale_size() const { return scale_ == Scale::diagonal ? latent_dimension() : latent_dimension() * latent_dimension(); }
  Index work_elements(Index lanes) const;
  ConstVector conditional_parameters() const;

  Index dimension_;
  Couplings couplings_;
  std::optional<Mlp> conditional_;  // where D > d
  bool full_covariance_;
  Scale scale_;
  Vector parameters_;
  Vector factor_, inverse_factor_;  // S and S^-1: (D) where it is diagonal, (D, D) otherwise
  double log_determinant_ = 0;
  mutable Vector activations_;  // work memory
};

}  // namespace partita
