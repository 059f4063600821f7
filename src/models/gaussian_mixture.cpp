#include "models/gaussian_mixture.hpp"

#include <numeric>

#include "core/require.hpp"

namespace partita {

deck::Schema gaussian_mixture_schema() {
  using O = GaussianMixtureOptions;
  return deck::schema<O>("gaussian_mixture",
                         "E(x) = -log sum_k w_k exp(-|x - mu_k|^2 / (2 sigma^2)); the default is eight modes on a circle",
                         {deck::key("dimension", &O::dimension, "number of coordinates d").at_least(1),
                          deck::key("means", &O::means, "the d coordinates of the first mean, then those of the second, ..."),
                          deck::key("weights", &O::weights, "w_k: one for all or one a component, normalised to sum 1").above(0),
                          deck::key("sigma", &O::sigma, "width of every component").above(0)});
}

GaussianMixture make_gaussian_mixture(GaussianMixtureOptions const& o) {
  auto const values = static_cast<Index>(o.means.size());
  require_all(values > 0 && values % o.dimension == 0, ExitCode::usage, "model.means has {} numbers, no multiple of model.dimension = {}",
              values, o.dimension);
  Index const components = values / o.dimension;
  auto const weights = static_cast<Index>(o.weights.size());
  require_all(weights == 1 || weights == components, ExitCode::usage, "model.weights has {} entries for {} means; give one or {}", weights,
              components, components);
  double const total =
      weights == 1 ? o.weights[0] * static_cast<double>(components) : std::accumulate(o.weights.begin(), o.weights.end(), 0.);

  Kokkos::View<Real**, Kokkos::LayoutRight, DeviceMemory> means("mixture means", components, o.dimension);
  Vector log_weights("mixture log weights", components);
  auto const host_means = Kokkos::create_mirror_view(means);
  auto const host_weights = Kokkos::create_mirror_view(log_weights);
  for (Index k = 0; k < components; k++) {
    host_weights(k) = static_cast<Real>(std::log(o.weights[static_cast<std::size_t>(weights == 1 ? 0 : k)] / total));
    for (Index i = 0; i < o.dimension; i++) host_means(k, i) = static_cast<Real>(o.means[static_cast<std::size_t>(k * o.dimension + i)]);
  }
  Kokkos::deep_copy(means, host_means);
  Kokkos::deep_copy(log_weights, host_weights);
  return {o.dimension, components, static_cast<Real>(1 / (o.sigma * o.sigma)), means, log_weights};
}

}  // namespace partita
