#include "energies/gaussian_mixture.hpp"

#include <limits>
#include <numeric>

#include "core/copy.hpp"
#include "core/math.hpp"
#include "core/require.hpp"
#include "energies/analytic_model.hpp"

namespace partita {

struct GaussianMixture {
  static constexpr bool separable = false, sums_in_double = false;
  Index dimension = 2, components = 1;
  Real precision = 1;                                                   // 1 / sigma^2
  Kokkos::View<Real const**, Kokkos::LayoutRight, DeviceMemory> means;  // (component, dimension)
  ConstVector log_weights;                                              // (component)

  // In Reals: the energy is at most some hundred where chains are, and doubles would take 1.5 times as long in few dimensions.
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
    for (int l = 0; l < strip_lanes; l++) energy[l] = double(-(largest[l] + math::log(total[l])));
    for (Index i = 0; i < dimension; i++)
      for (int l = 0; l < strip_lanes; l++) g[i][l] *= precision / total[l];
  }
};

deck::Schema gaussian_mixture_schema() {
  using O = GaussianMixtureOptions;
  return deck::schema<O>(
      "gaussian_mixture", "E(x) = -log sum_k w_k exp(-|x - mu_k|^2 / (2 sigma^2)); the default is eight modes on a circle",
      {deck::key("dimension", &O::dimension, "number of coordinates d").at_least(1),
       deck::key("means", &O::means, "the d coordinates of the first mean, then those of the second, ..."),
       deck::key("weights", &O::weights, "weights w_k: one for all components or one for each, normalised to sum to 1").above(0),
       deck::key("sigma", &O::sigma, "standard deviation sigma of every component").above(0)});
}

std::unique_ptr<DifferentiableModel> make_gaussian_mixture(GaussianMixtureOptions const& o, Arrays arrays) {
  auto const values = std::ssize(o.means);
  require_all(values > 0 && values % o.dimension == 0, ExitCode::usage,
              "model.means has {} numbers, which is not a multiple of model.dimension = {}", values, o.dimension);
  Index const components = values / o.dimension;
  auto const weights = std::ssize(o.weights);
  require_all(weights == 1 || weights == components, ExitCode::usage, "model.weights has {} entries for {} means; give one or {}", weights,
              components, components);
  double const total = weights == 1 ? o.weights[0] * double(components) : std::accumulate(o.weights.begin(), o.weights.end(), 0.);

  auto const means = arrays.make<Kokkos::View<Real**, Kokkos::LayoutRight, DeviceMemory>>("mixture means", components, o.dimension);
  auto const log_weights = arrays.make<Vector>("mixture log weights", components);
  if (arrays.makes()) {
    auto const host_means = Kokkos::create_mirror_view(means);
    auto const host_weights = Kokkos::create_mirror_view(log_weights);
    for (Index k = 0; k < components; k++) {
      host_weights(k) = Real(std::log(o.weights[weights == 1 ? 0 : k] / total));
      for (Index i = 0; i < o.dimension; i++) host_means(k, i) = Real(o.means[k * o.dimension + i]);
    }
    copy_array(means, host_means);
    copy_array(log_weights, host_weights);
  }
  return analytic_model(GaussianMixture{o.dimension, components, Real(1 / (o.sigma * o.sigma)), means, log_weights});
}

}  // namespace partita
