// Mixture of isotropic Gaussians of one width, E(x) = -log sum_k w_k exp(-|x - mu_k|^2 / (2 sigma^2)); log Z = d/2 log(2 pi sigma^2).
#pragma once
#include <limits>

#include "core/math.hpp"
#include "core/strip.hpp"
#include "deck/schema.hpp"

namespace partita {

struct GaussianMixture {
  static constexpr bool separable = false, sums_in_double = false;
  Index dimension = 2, components = 1;
  Real precision = 1;                                                   // 1 / sigma^2
  Kokkos::View<Real const**, Kokkos::LayoutRight, DeviceMemory> means;  // (component, dimension)
  ConstVector log_weights;                                              // (component)

  // In Reals: the energy is at most some hundred where chains are, and doubles would cost half as much again in few dimensions.
  // One pass over the components with the running maximum of their exponents: no overflow before |x|^2 itself.
  KOKKOS_FORCEINLINE_FUNCTION void energy_and_gradient(Rows<Real const> x, Rows<Real> g, double* energy) const {
    Real largest[strip_lanes], total[strip_lanes], exponent[strip_lanes];
    for (int l = 0; l < strip_lanes; l++) largest[l] = std::numeric_limits<Real>::lowest(), total[l] = 0;
    for (Index i = 0; i < dimension; i++)
      for (int l = 0; l < strip_lanes; l++) g[i][l] = 0;
    for (Index k = 0; k < components; k++) {
      for (int l = 0; l < strip_lanes; l++) exponent[l] = 0;
      for (Index i = 0; i < dimension; i++) {
        Real const *xi = x[i], m = means(k, i);
        for (int l = 0; l < strip_lanes; l++) exponent[l] = std::fma(xi[l] - m, xi[l] - m, exponent[l]);
      }
      Real rescale[strip_lanes], weight[strip_lanes];
      Real const log_weight = log_weights(k);
      for (int l = 0; l < strip_lanes; l++) {
        Real const e = std::fma(Real(-0.5) * precision, exponent[l], log_weight), top = e > largest[l] ? e : largest[l];
        rescale[l] = math::exp(largest[l] - top);
        weight[l] = math::exp(e - top);
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
    for (int l = 0; l < strip_lanes; l++) energy[l] = static_cast<double>(-(largest[l] + math::log(total[l])));
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
