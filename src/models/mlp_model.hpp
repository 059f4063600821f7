// Common base of the energies and scores of fully connected networks N: parameters, work memory, and how N is conditioned on noise.
//
// Conditioned on the standard deviation sigma of noise, N takes x / sqrt(1 + sigma^2) and log sigma, and its output is divided by sigma:
// input and output are then of order one at every noise level, for data of order one (Song and Ermon 2020, "Improved techniques", eq. 6;
// Karras et al. 2022, table 1). The quadratic term, the energy of a Gaussian of variance 1/lambda, becomes that of this Gaussian with noise
// added, lambda_sigma = lambda / (1 + lambda sigma^2). Without conditioning the model is one function of x, with output N(x) and
// lambda, and set_noise has no effect.
#pragma once
#include <cmath>
#include <functional>

#include "deck/schema.hpp"
#include "models/model.hpp"
#include "networks/layer_kernels.hpp"
#include "networks/mlp.hpp"

namespace partita {

struct MlpOptions {
  std::vector<Index> layers;
  std::string activation = "silu";
  double quadratic = 0;
  Index noise_levels = 0;
  double noise_highest = 1, noise_lowest = 0.05;
};
std::vector<deck::Key> mlp_keys();

// Parameter blocks "layerK/weight" (out, in) and "layerK/bias" (out), K from 0.
// Work memory holds the pass of one tile on a CPU, of all tiles on a GPU: where a jet's forward pass had several tiles on a CPU, the
// reverse pass recomputes the overwritten ones, so x and v must not have changed. It grows at the first jet of a higher order.
class MlpModel : public virtual ScoreModel {
 public:
  // Weights from independent standard normals, normal(i) for entry i of the flat vector, scaled as in Mlp::initial_scale; biases zero.
  void initialise(std::function<double(Index)> const& normal);

  Index dimension() const override { return dimension_; }
  void work(Arrays arrays, Index tiles, Index lanes) const override { pass_work(arrays, tiles, lanes, 0); }
  Vector parameters() const override { return parameters_; }
  std::vector<ParameterBlock> parameter_blocks() const override;

  std::vector<double> noise_levels() const override { return noise_levels_; }
  void set_noise(double sigma) const override { set_noise_if_conditioned({Real(sigma), {}}); }
  void set_noise(ConstTileScalars sigma) const override { set_noise_if_conditioned({0, sigma}); }

 public:  // what holds kernels, and what they hold: nvcc refuses it otherwise
  struct Noise {
    Real all = 1;             // 1 for a network that is not conditioned on noise: its output is not scaled
    ConstTileScalars each{};  // (tile, lane); empty: `all`
    KOKKOS_FORCEINLINE_FUNCTION Real operator()(Index tile, Index lane) const { return each.data() == nullptr ? all : each(tile, lane); }
    // The factor of x in the network's input.
    KOKKOS_FORCEINLINE_FUNCTION Real input_scale(Index tile, Index lane) const {
      Real const sigma = (*this)(tile, lane);
      return 1 / std::sqrt(1 + sigma * sigma);
    }
  };
  struct Quadratic {  // lambda, or lambda_sigma
    Real lambda;
    bool conditioned;
    Noise sigma;
    KOKKOS_FORCEINLINE_FUNCTION Real operator()(Index tile, Index lane) const {
      if (!conditioned) return lambda;
      Real const s = sigma(tile, lane);
      return lambda / (1 + lambda * s * s);
    }
  };
  // Tiles first, first + 1, ... of x as network input, and of a direction v, along which sigma is constant; an empty View stays empty.
  ConstTiles input(ConstTiles const& x, Index first, Index count) const;
  ConstTiles direction(ConstTiles const& v, Index first, Index count) const;

 protected:
  MlpModel(MlpOptions const&, Index outputs, Arrays);
  static Sizes sizes(MlpOptions const&, Index outputs);

  Quadratic quadratic() const { return {quadratic_, conditioned(), noise_}; }
  // Number of tiles that are evaluated together: one on a CPU, for its caches, all of them on a GPU.
  static Index tiles_at_once(Index tiles) { return runs_on_host ? 1 : std::max<Index>(1, tiles); }
  bool conditioned() const { return !noise_levels_.empty(); }
  double products() const;  // multiplications of one forward pass of a chain
  // Work memory for passes of this order.
  void pass_work(Arrays, Index tiles, Index lanes, int order) const;
  // It; its former contents are lost.
  MlpTape tape(Index tiles, Index lanes, int order) const;

  Index dimension_;
  std::vector<double> noise_levels_;  // sigma_1 > ... > sigma_L, empty: not conditioned
  Mlp network_;
  Real quadratic_;
  Vector parameters_;
  mutable Noise noise_;
  mutable Index taped_first_ = -1;  // first tile of the pass that the tape holds, -1: none

 private:
  // Ignored by a network that is not conditioned on noise: it is one function, whatever noise its training data have.
  void set_noise_if_conditioned(Noise const& noise) const {
    if (conditioned()) noise_ = noise;
  }
  mutable Vector tapes_;                        // of the tiles that are being processed
  mutable TileStorage input_, with_direction_;  // x and v of these tiles with their row of log sigma
};

namespace mlp {

// Tiles first, first + 1, ... of points or gradients.
template <class View>
View some_tiles(View const& v, Index first, Index count) {
  if (v.data() == nullptr) return {};
  return Kokkos::subview(v, std::make_pair(first, first + count), Kokkos::ALL, Kokkos::ALL);
}

inline layer::Extent extent_of(ConstTiles const& x) { return {extent(x, 0), extent(x, 2), 0}; }

}  // namespace mlp
}  // namespace partita
