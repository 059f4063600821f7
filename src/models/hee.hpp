// Hierarchical exponential-family model HEE-L (Dong and Wu, NeurIPS 2023, arXiv 2310.08431): a directed chain of layers,
//
//     p(x_0:L) = p(x_L) prod_l p(x_l | x_l+1),   p(x_l | x_l+1) = exp(eta_l . phi(x_l) + g(x_l) - A(eta_l)),
//     eta_l = W_l f(x_l+1) + b_l,   eta_L = b_L,   x_0 the data, x_1 .. x_L latent.
//
// Each layer is normalised by itself: there is no global partition function.
#pragma once
#include "core/dense.hpp"
#include "core/random.hpp"
#include "deck/schema.hpp"
#include "models/hee_functions.hpp"
#include "models/model.hpp"

namespace partita {

struct HeeOptions {
  std::vector<Index> widths;        // n_0 .. n_L
  std::string f = "identity";       // "activation" in decks: identity, tanh, softplus, relu
  std::string phi = "identity";     // "statistic": identity, tanh
  std::string g = "quadratic";      // "base_measure": quadratic -x.x, quartic -sum x^4, lateral -x'Qx
  std::string top_bias = "learnt";  // b_L: learnt or zero
  double density = 1;               // share of the entries of W_l that exist
  double lateral_density = 0.2;     // of S off its diagonal
  double lateral_floor = 0.1;       // delta of Q = S'S + delta I
  double initial_scale = 1;         // W_l ~ N(0, (scale / sqrt(n_l+1 density))^2)
};
deck::Schema hee_schema();

// Parameter blocks "layer<l>/weight" (n_l, n_l+1) for l < L, "layer<l>/bias" (n_l) for l <= L, and with lateral connections
// "layer<l>/lateral" S_l (n_l, n_l) for l <= L. Missing connections are zeros of the dense arrays and stay zero.
class Hee : public Model {
 public:
  // Failure(usage) for fewer than two widths, or statistic = tanh with base_measure = lateral. Initial parameters: W as above, b = 0,
  // S = I.
  Hee(HeeOptions const&, random::Key, Arrays = {});
  static Sizes sizes(HeeOptions const&);

  Index layers() const { return std::ssize(widths_) - 1; }  // L
  Index width(Index l) const { return widths_[l]; }
  Index dimension() const override { return width(0); }
  Index units() const;                                  // n_1 + .. + n_L
  Index weight_count() const { return weight_count_; }  // number of existing entries of all W_l, for performance figures

  Transfer f() const { return f_; }
  Statistic phi() const { return phi_; }
  BaseMeasure g() const { return g_; }
  bool lateral() const { return g_ == BaseMeasure::lateral; }
  // phi(x) = x and g = -x.x: A(eta) = eta^2/4 + log(pi)/2, whatever f.
  bool gaussian_conditionals() const { return phi_ == Statistic::identity && g_ == BaseMeasure::quadratic; }
  // All of x_0:L is one Gaussian: f and phi the identity, g quadratic or lateral.
  bool linear_gaussian() const { return f_ == Transfer::identity && phi_ == Statistic::identity && g_ != BaseMeasure::quartic; }

  Vector parameters() const override { return parameters_; }
  std::vector<ParameterBlock> parameter_blocks() const override;
  void parameters_changed() override;  // recomputes Q_l
  Index weight_offset(Index l) const;
  Index bias_offset(Index l) const;
  Index lateral_offset(Index l) const;
  Real const* weight(Index l) const { return parameters_.data() + weight_offset(l); }  // device memory, row-major (n_l, n_l+1)
  Real const* bias(Index l) const { return parameters_.data() + bias_offset(l); }
  Real const* lateral(Index l) const { return parameters_.data() + lateral_offset(l); }
  Real const* coupling(Index l) const { return coupling_.data() + coupling_offset(l); }  // Q_l (n_l, n_l)
  double lateral_floor() const { return lateral_floor_; }                                // delta
  // Sets to zero what must not be learnt: the entries of missing connections, and b_L where it is fixed.
  void keep_learnable(Vector gradient) const;

  // Parameters on the host, in double.
  struct Layer {
    Matrix weight;  // empty for l = L
    std::vector<double> bias;
    Matrix coupling;  // Q_l: the identity where g is quadratic, empty where it is quartic
  };
  std::vector<Layer> host_layers() const;
  Matrix host_coupling(Index l) const;  // Q_l alone, with lateral connections

 private:
  Index coupling_offset(Index l) const;

  std::vector<Index> widths_;
  Transfer f_;
  Statistic phi_;
  BaseMeasure g_;
  double lateral_floor_;
  Index weight_count_ = 0;
  Vector parameters_;
  Vector coupling_;                    // Q_0 .. Q_L, empty unless lateral
  DeviceVector<std::uint8_t> learnt_;  // one flag per parameter; empty where all are learnt
};

}  // namespace partita
