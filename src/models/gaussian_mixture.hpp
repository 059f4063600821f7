// Mixture of isotropic Gaussians of one width, E(x) = -log sum_k w_k exp(-|x - mu_k|^2 / (2 sigma^2)); log Z = d/2 log(2 pi sigma^2).
#pragma once
#include <limits>

#include "core/lane_sums.hpp"
#include "core/math.hpp"
#include "deck/schema.hpp"

namespace partita {

struct GaussianMixture {
  static constexpr bool separable = false;
  Index dimension = 2, components = 1;
  Real precision = 1;                                                   // 1 / sigma^2
  Kokkos::View<Real const**, Kokkos::LayoutRight, DeviceMemory> means;  // (component, dimension)
  ConstVector log_weights;                                              // (component)

  // One pass over the components with the running maximum of their exponents: no overflow before |x|^2 itself.
  KOKKOS_FORCEINLINE_FUNCTION void energy_and_gradient(Rows<Real const> x, Rows<Real> g, double* energy) const {
    double largest[strip_lanes], squares[strip_lanes];
    Real total[strip_lanes];
    for (int l = 0; l < strip_lanes; l++) largest[l] = static_cast<double>(std::numeric_limits<Real>::lowest()), total[l] = 0;
    for (Index i = 0; i < dimension; i++)
      for (int l = 0; l < strip_lanes; l++) g[i][l] = 0;
    for (Index k = 0; k < components; k++) {
      LaneSums sums(squares);
      for (Index i = 0; i < dimension; i++) {
        Real const *xi = x[i], m = means(k, i);
        Real* const sum = sums.next_row();
#pragma GCC ivdep
        for (int l = 0; l < strip_lanes; l++) sum[l] = std::fma(xi[l] - m, xi[l] - m, sum[l]);
      }
      sums.finish();
      Real rescale[strip_lanes], weight[strip_lanes];
      double const log_weight = static_cast<double>(log_weights(k)), slope = -0.5 * static_cast<double>(precision);
      for (int l = 0; l < strip_lanes; l++) {
        double const e = std::fma(slope, squares[l], log_weight), top = e > largest[l] ? e : largest[l];
        rescale[l] = math::exp(static_cast<Real>(largest[l] - top));
        weight[l] = math::exp(static_cast<Real>(e - top));
        total[l] = std::fma(total[l], rescale[l], weight[l]);
        largest[l] = top;
      }
      for (Index i = 0; i < dimension; i++) {
        Real const *xi = x[i], m = means(k, i);
        Real* gi = g[i];
#pragma GCC ivdep
        for (int l = 0; l < strip_lanes; l++) gi[l] = std::fma(gi[l], rescale[l], weight[l] * (xi[l] - m));
      }
    }
    for (int l = 0; l < strip_lanes; l++) energy[l] = -(largest[l] + static_cast<double>(math::log(total[l])));
    for (Index i = 0; i < dimension; i++)
      for (int l = 0; l < strip_lanes; l++) g[i][l] *= precision / total[l];
  }
};

struct GaussianMixtureOptions {
  Index dimension = 2;
  std::vector<double> means = {4,  0, 2.8284271247461903,  2.8284271247461903,  0, 4,  -2.8284271247461903, 2.8284271247461903,
                               -4, 0, -2.8284271247461903, -2.8284271247461903, 0, -4, 2.8284271247461903,  -2.8284271247461903};
  std::vector<double> weights = {1};
  double sigma = 0.5;
};
deck::Schema gaussian_mixture_schema();
GaussianMixture make_gaussian_mixture(GaussianMixtureOptions const&);

}  // namespace partita
