#include "estimators/hee_hessian.hpp"

#include <algorithm>
#include <array>
#include <numeric>

#include "core/require.hpp"
#include "estimators/entry.hpp"

namespace partita {
namespace {

HessianSpectrum<double> spectrum_of(Matrix const& hessian) { return {eigenvalues(hessian).front(), log_determinant(hessian)}; }

std::vector<Index> equal_widths(Index units, Index layers) {
  std::vector<Index> widths(layers + 1, units / (layers + 1));
  for (Index l = 0; l < units % (layers + 1); l++) widths[l]++;
  return widths;
}

// A key for each model, unrelated to the keys for any other number of layers.
random::Key key_of(random::Key key, Index layers, Index repeat) {
  return random::make_key(std::uint64_t(key.k1) << 32 | key.k0, std::uint64_t(layers << 32 | repeat));
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
                  "are constant only where the first two are the identity and the last is quadratic or lateral)",
                  model.f, model.phi, model.g);
      draws.push_back(hee_hessians(hee.host_layers()));
    }
    trend.push_back({count, model.widths, average(draws)});
  }
  return trend;
}

bool require_linear_gaussian(Fit const& fit) {
  auto const o = fit.deck.at("model").as<HeeOptions>();
  bool const relaxes = fit.own.type == "hee_relaxation", lateral = !relaxes && o.g == "lateral";
  bool const is = o.f == "identity" && o.phi == "identity" && (o.g == "quadratic" || lateral);
  if (!is)
    fit.refuse("", fmt::format(
                       "estimator.type = \"{}\" needs a linear-Gaussian hee, whose Hessians are constant: model.activation = \"identity\", "
                       "statistic = \"identity\" and base_measure = \"quadratic\"{}",
                       fit.own.type, relaxes ? "" : " or \"lateral\""));
  return is;
}

namespace {

struct HessianOptions {
  std::vector<Index> layers;
  Index units = 0;
  Index repeats = 10;
};

// Beyond it the eigenvalues of a matrix with a row for each unit take hours.
constexpr Index most_units = 20000;

void fits_hessian(Fit const& fit) {
  require_linear_gaussian(fit);
  auto const o = fit.own.as<HessianOptions>();
  auto const widths = fit.deck.at("model").as<HeeOptions>().widths;
  Index const units = o.units > 0 ? o.units : std::accumulate(widths.begin(), widths.end(), Index{0});
  if (units > most_units)
    return fit.refuse("units", fmt::format("estimator.type = \"hee_hessian\" makes dense matrices of a row for each of {} units, whose "
                                           "eigenvalues it finds for up to {}; use fewer units",
                                           units, most_units));
  for (Index count : o.layers) fit.attempt([&] { require_shareable(units, count); });
}

// The widths of the model that takes the most memory: its Hessian has as many rows as any, its layers are the widest.
std::vector<Index> widths_listed(EstimatorListing const& l) {
  auto const o = l.block.as<HessianOptions>();
  auto const& model = as<Hee const>(*l.model);
  Index const units = o.units > 0 ? o.units : model.dimension() + model.units();
  return o.layers.empty() ? widths_of(model) : equal_widths(units, *std::min_element(o.layers.begin(), o.layers.end()));
}

void list_hessian(EstimatorListing const& l) {
  auto const widths = widths_listed(l);
  Index const units = std::accumulate(widths.begin(), widths.end(), Index{0});
  list_host_layers(l.arrays, widths);
  // A Hessian, its copy, and what becomes its tridiagonal form or its factor (dense.cpp).
  l.arrays.count<double>("a Hessian and its factors", 3, units, units);
}

char const* const hessian_names[] = {"joint", "posterior", "marginal"};
template <class Number>
std::array<HessianSpectrum<Number>, 3> in_order(HeeHessians<Number> const& h) {
  return {h.joint, h.posterior, h.marginal};
}
Metric number(std::string const& name, double value) { return {name, value}; }
Metric number(std::string const& name, Estimate const& e) { return metric(name, e, {}); }

template <class Number>
Metrics hessian_metrics(HeeHessians<Number> const& hessians, std::string const& suffix) {
  Metrics out;
  for (std::size_t k = 0; k < 3; k++) {
    std::string const stem = fmt::format("hessian_{}", hessian_names[k]), of = fmt::format("of the {} Hessian of -log p", hessian_names[k]);
    auto const spectrum = in_order(hessians)[k];
    out.push_back(number(stem + "_smallest_eigenvalue" + suffix, spectrum.smallest_eigenvalue));
    out.back().definition = "smallest eigenvalue " + of;
    out.push_back(number(stem + "_log_determinant" + suffix, spectrum.log_determinant));
    out.back().definition = "log determinant " + of;
  }
  return out;
}

void write_trend(Subject const& s, std::vector<HessianTrend> const& trend, Index units, Index repeats) {
  write_estimate(s, "hessian", [&](hdf5::File const& file) {
    std::vector<Index> layers;
    for (auto const& t : trend) layers.push_back(t.layers);
    file.write("layers", layers);
    file.set_attribute("units", units);
    file.set_attribute("repeats", repeats);
    auto const column = [&](std::string const& name, std::size_t which, Estimate HessianSpectrum<Estimate>::*number) {
      std::vector<double> values, errors;
      for (auto const& t : trend) {
        Estimate const e = in_order(t.hessians)[which].*number;
        values.push_back(e.value), errors.push_back(e.error);
      }
      file.write(fmt::format("{}/{}", hessian_names[which], name), values);
      file.write(fmt::format("{}/{}_error", hessian_names[which], name), errors);
    };
    for (std::size_t k = 0; k < 3; k++) {
      column("smallest_eigenvalue", k, &HessianSpectrum<Estimate>::smallest_eigenvalue);
      column("log_determinant", k, &HessianSpectrum<Estimate>::log_determinant);
    }
  });
}

Metrics hessian(Subject const& s, deck::Block const& block) {
  auto const o = block.as<HessianOptions>();
  auto const& model = as<Hee const>(*s.model);
  if (o.layers.empty()) return hessian_metrics(hee_hessians(model.host_layers()), "");
  Index const units = o.units > 0 ? o.units : model.dimension() + model.units();
  auto const trend = hessian_trend(s.deck.at("model").as<HeeOptions>(), units, o.layers, o.repeats, s.key);
  write_trend(s, trend, units, o.repeats);
  auto const [smallest, largest] =
      std::minmax_element(trend.begin(), trend.end(), [](auto const& a, auto const& b) { return a.layers < b.layers; });
  Metrics out = hessian_metrics(smallest->hessians, fmt::format("_L{}", smallest->layers));
  if (largest->layers == smallest->layers) return out;
  auto const of_largest = hessian_metrics(largest->hessians, fmt::format("_L{}", largest->layers));
  out.insert(out.end(), of_largest.begin(), of_largest.end());
  return out;
}

}  // namespace

EstimatorEntry hee_hessian_estimator() {
  using O = HessianOptions;
  return {
      deck::schema<O>(
          "hee_hessian",
          "smallest eigenvalue and log determinant of the joint, posterior and marginal Hessian of a linear-Gaussian hee, or their trend "
          "over L at a fixed number of units: estimates/hessian.h5",
          {deck::key("layers", &O::layers,
                     "numbers of layers L of random models, with parameters as at the start of learning, for the trend over L; empty: the "
                     "model itself")
               .at_least(1),
           deck::key("units", &O::units,
                     "number of units n_0 + .. + n_L of each random model, in layers of equal width; 0: as many as the model has")
               .at_least(0),
           deck::key("repeats", &O::repeats, "number of random models that are averaged for each L").at_least(2)}),
      hessian,
      LooksAt::model_or_data,
      needs<Hee>(),
      false,
      fits_hessian,
      list_hessian};
}

}  // namespace partita
