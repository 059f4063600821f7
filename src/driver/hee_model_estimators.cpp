// Estimators of hierarchical exponential-family models themselves: Hessians of their distributions, and how fast their dynamics relaxes.
#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "core/require.hpp"
#include "driver/estimator.hpp"
#include "driver/units.hpp"
#include "estimators/hee_hessian.hpp"
#include "estimators/hee_relaxation.hpp"

namespace partita {
namespace {

struct HessianOptions {
  std::vector<Index> layers;
  Index units = 0;
  Index repeats = 10;
};
struct RelaxationStrengths {
  std::vector<double> m = {0.25, 0.5, 1, 2};
};

using Metrics = std::vector<Metric>;

// Whether the hee is linear-Gaussian; Hessians of others depend on x.
bool is_linear_gaussian(Fit const& fit) {
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

void fits_hessian(Fit const& fit) {
  is_linear_gaussian(fit);
  auto const o = fit.own.as<HessianOptions>();
  auto const widths = fit.deck.at("model").as<HeeOptions>().widths;
  Index const units = o.units > 0 ? o.units : std::accumulate(widths.begin(), widths.end(), Index{0});
  for (Index count : o.layers) fit.attempt([&] { require_shareable(units, count); });
}

Hee const& model_of(Subject const& s) { return as<Hee const>(*s.evaluation.model); }

// ---- Hessians ----

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
  Hee const& model = model_of(s);
  if (o.layers.empty()) return hessian_metrics(hee_hessians(model.host_layers()), "");
  Index const units = o.units > 0 ? o.units : model.dimension() + model.units();
  auto const trend =
      hessian_trend(s.evaluation.context.deck.at("model").as<HeeOptions>(), units, o.layers, o.repeats, s.evaluation.context.key);
  write_trend(s, trend, units, o.repeats);
  auto const [smallest, largest] =
      std::minmax_element(trend.begin(), trend.end(), [](auto const& a, auto const& b) { return a.layers < b.layers; });
  Metrics out = hessian_metrics(smallest->hessians, fmt::format("_L{}", smallest->layers));
  if (largest->layers == smallest->layers) return out;
  auto const of_largest = hessian_metrics(largest->hessians, fmt::format("_L{}", largest->layers));
  out.insert(out.end(), of_largest.begin(), of_largest.end());
  return out;
}

// ---- Relaxation ----

void write_relaxation(Subject const& s, SlowMode const& mode, RelaxationOptions const& o, std::vector<double> const& strengths,
                      std::vector<Relaxation> const& runs, std::vector<double> const& exact) {
  write_estimate(s, "relaxation", [&](hdf5::File const& file) {
    file.set_attribute("curvature", mode.curvature);
    file.set_attribute("step_size", o.step_size);
    file.set_attribute("tau_v", o.tau_v);
    file.write("m", strengths);
    file.write("time", runs[0].time);
    std::vector<double> times, time_errors, values, errors;
    for (Relaxation const& r : runs) {
      times.push_back(r.integrated_time.value), time_errors.push_back(r.integrated_time.error);
      for (Estimate const& e : r.autocorrelation) values.push_back(e.value), errors.push_back(e.error);
    }
    file.write("tau_int", times);
    file.write("tau_int_error", time_errors);
    file.write("tau_int_exact", exact);
    auto const write = [&](char const* name, std::vector<double> const& all) {
      file.create_dataset(name, hdf5::native_type<double>(), {static_cast<Index>(runs.size()), static_cast<Index>(runs[0].time.size())})
          .write(all);
    };
    write("autocorrelation", values);
    write("autocorrelation_error", errors);
  });
}

// x_0: the first training item, or 0 without data.
std::vector<double> start_of(Hee const& model, data::Dataset const* data) {
  std::vector<double> x0(static_cast<std::size_t>(model.dimension()), 0);
  if (data) data->values(data->item(data::Split::train, 0), x0.data());
  return x0;
}

void fits_relaxation(Fit const& fit) {
  if (!is_linear_gaussian(fit)) return;
  auto const* const data = fit.data();
  if (data && fit.model) fit.attempt([&] { require_width(*data, *fit.model); });
  if (data && fit.model && data->dimension() != fit.model->dimension()) return;
  auto const o = fit.own.as<RelaxationOptions>();
  fit.attempt_on<Hee>([&](Hee const& model) {
    HeeLangevin({.step_size = o.step_size, .tau_v = o.tau_v, .statistic_mean = "closed_form"}, model);
    if (fit.loaded->files) require_long_enough(slowest_mode(model, start_of(model, data)), o);  // for the weights that it starts from
  });
}

Metrics hee_relaxation(Subject const& s, deck::Block const& block) {
  Hee const& model = model_of(s);
  auto const o = block.as<RelaxationOptions>();
  auto const x0 = start_of(model, s.evaluation.data);
  SlowMode const mode = slowest_mode(model, x0);
  std::vector<double> strengths{0};  // first order, then second order
  for (double m : block.as<RelaxationStrengths>().m) strengths.push_back(m);
  std::vector<Relaxation> runs;
  std::vector<double> exact;
  for (std::size_t k = 0; k < strengths.size(); k++) {
    random::Key const key = random::derived_key(s.evaluation.context.key, random::Stream::hee_relaxation, k);
    runs.push_back(relaxation(model, mode, x0, strengths[k], o, s.samples.ranks, key));
    exact.push_back(exact_integrated_time(mode.curvature, strengths[k], o.tau_v, o.step_size));
  }
  write_relaxation(s, mode, o, strengths, runs, exact);
  Estimate const first = runs[0].integrated_time;
  Metrics out{metric("tau_int_first", first,
                     fmt::format("integrated autocorrelation time of the slowest posterior mode (curvature {:.4g}), first order; exact for "
                                 "this step size: {:.4g}",
                                 mode.curvature, exact[0]))};
  for (std::size_t k = 1; k < runs.size(); k++) {
    Estimate const second = runs[k].integrated_time;
    out.push_back(metric(
        fmt::format("tau_int_second_m{:g}", strengths[k]), second,
        fmt::format("integrated autocorrelation time of that mode, second order with this strength m of the adaptation; exact: {:.4g}",
                    exact[k])));
    out.push_back(metric(fmt::format("speedup_m{:g}", strengths[k]), quotient(first, second),
                         fmt::format("tau_int_first over tau_int_second with the same m; exact: {:.4g}, in continuous time 1 + m = {:g}",
                                     exact[0] / exact[k], 1 + strengths[k])));
  }
  return out;
}

}  // namespace

std::vector<EstimatorEntry> hee_model_estimators() {
  using H = HessianOptions;
  using M = RelaxationStrengths;
  using R = RelaxationOptions;
  return {
      {deck::schema<H>(
           "hee_hessian",
           "smallest eigenvalue and log determinant of the joint, posterior and marginal Hessian of a linear-Gaussian hee, or their trend "
           "over L at a fixed number of "
           "units: estimates/hessian.h5",
           {deck::key("layers", &H::layers,
                      "numbers of layers L of random models, with parameters as at the start of learning, for the trend over L; empty: the "
                      "model itself")
                .at_least(1),
            deck::key("units", &H::units,
                      "number of units n_0 + .. + n_L of each random model, in layers of equal width; 0: as many as the model has")
                .at_least(0),
            deck::key("repeats", &H::repeats, "number of random models that are averaged for each L").at_least(2)}),
       hessian, LooksAt::model_or_data, needs<Hee>(), false, fits_hessian},
      {{"hee_relaxation",
        "integrated autocorrelation time of the slowest posterior mode of a linear-Gaussian hee, first against second order: "
        "estimates/relaxation.h5; given the first training "
        "item, or x_0 = 0 without [data]",
        {deck::key("adaptation", &M::m, "strengths m of the adaptation in the second-order dynamics").above(0).formerly("m"),
         deck::key("step_size", &R::step_size, "time step dt").above(0).in("tau"),
         deck::key("tau_v", &R::tau_v, "time constant of the adaptation v").above(0).in("tau"),
         deck::key("duration", &R::duration, "time that each chain runs; 0: 200 times the mode's relaxation time").at_least(0).in("tau"),
         deck::key("chains", &R::chains, "number of independent chains").at_least(2)}},
       hee_relaxation,
       LooksAt::model_or_data,
       needs<Hee>(),
       false,
       fits_relaxation},
  };
}

}  // namespace partita
