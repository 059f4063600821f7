#include "estimators/hee_hessian.hpp"

#include "core/require.hpp"

namespace partita {
namespace {

HessianSpectrum<double> spectrum_of(Matrix const& hessian) { return {eigenvalues(hessian).front(), log_determinant(hessian)}; }

std::vector<Index> equal_widths(Index units, Index layers) {
  std::vector<Index> widths(static_cast<std::size_t>(layers + 1), units / (layers + 1));
  for (Index l = 0; l < units % (layers + 1); l++) widths[static_cast<std::size_t>(l)]++;
  return widths;
}

// A key for each model, unrelated to the keys for any other number of layers.
random::Key key_of(random::Key key, Index layers, Index repeat) {
  return random::make_key(static_cast<std::uint64_t>(key.k1) << 32 | key.k0, static_cast<std::uint64_t>(layers << 32 | repeat));
}

HeeHessians<Estimate> average(std::vector<HeeHessians<double>> const& draws) {
  using Spectrum = HessianSpectrum<double>;
  auto const over_draws = [&](Spectrum HeeHessians<double>::*which, double Spectrum::*number) {
    std::vector<double> values;
    for (auto const& draw : draws) values.push_back(draw.*which.*number);
    return mean_and_error(values);
  };
  auto const spectrum = [&](Spectrum HeeHessians<double>::*which) -> HessianSpectrum<Estimate> {
    return {over_draws(which, &Spectrum::smallest_eigenvalue), over_draws(which, &Spectrum::log_determinant)};
  };
  using H = HeeHessians<double>;
  return {spectrum(&H::joint), spectrum(&H::posterior), spectrum(&H::marginal)};
}

}  // namespace

HeeHessians<double> hee_hessians(std::vector<Hee::Layer> const& layers) {
  Matrix const covariance = layer_marginals(layers).front().covariance;  // its inverse is the marginal Hessian
  return {spectrum_of(joint_precision(layers)),
          spectrum_of(posterior_precision(layers)),
          {1 / largest_eigenvalue(covariance), -log_determinant(covariance)}};
}

void require_shareable(Index units, Index layers) {
  require_all(
      layers >= 1 && layers < units, ExitCode::usage,
      "estimator.layers: {} units cannot be divided among x_0 and {} latent layers; give at least one layer and more units than layers",
      units, layers);
}

std::vector<HessianTrend> hessian_trend(HeeOptions model, Index units, std::vector<Index> const& layers, Index repeats, random::Key key) {
  std::vector<HessianTrend> trend;
  for (Index count : layers) {
    require_shareable(units, count);
    model.widths = equal_widths(units, count);
    std::vector<HeeHessians<double>> draws;
    for (Index repeat = 0; repeat < repeats; repeat++) {
      Hee const hee(model, key_of(key, count, repeat));
      require_all(hee.linear_gaussian(), ExitCode::usage,
                  "the Hessians of an HEE with model.activation = \"{}\", statistic = \"{}\" and base_measure = \"{}\" depend on x (they "
                  "are constant only "
                  "where the first two are the identity and the last is quadratic or lateral)",
                  model.f, model.phi, model.g);
      draws.push_back(hee_hessians(hee.host_layers()));
    }
    trend.push_back({count, model.widths, average(draws)});
  }
  return trend;
}

}  // namespace partita
