#include "estimators/hee_relaxation.hpp"

#include <algorithm>
#include <cmath>

#include "core/copy.hpp"
#include "core/require.hpp"
#include "estimators/entry.hpp"
#include "estimators/hee_hessian.hpp"
#include "estimators/hee_likelihood.hpp"
#include "models/items.hpp"
#include "samplers/finite_chains.hpp"

namespace partita {
namespace {

constexpr double window = 8;  // longest lag in relaxation times, where the autocorrelation is e^-8
constexpr double lags_in_window = 150;
constexpr double default_length = 200;

void show(std::vector<double> const& x0, HeeChains const& chains) {
  auto const host = Kokkos::create_mirror_view(chains.x[0]);
  for (std::size_t t = 0; t < host.extent(0); t++)
    for (std::size_t i = 0; i < host.extent(1); i++)
      for (std::size_t l = 0; l < host.extent(2); l++) host(t, i, l) = Real(x0[i]);
  copy_array(chains.x[0], host);
}

// The mode's amplitude in every chain, minus its mean.
class Projection {
 public:
  Projection(Hee const& model, SlowMode const& mode, HeeChains const& chains)
      : model_(model),
        chains_(chains),
        mean_(mode.mean),
        direction_("mode", mode.direction.size()),
        sums_("amplitudes", chains.mine.count, chains.tiling.pitch()) {
    auto const host = Kokkos::create_mirror_view(direction_);
    std::copy(mode.direction.begin(), mode.direction.end(), host.data());
    copy_array(direction_, host);
  }

  // Appends one number to the series of each of this rank's chains.
  void record(std::vector<std::vector<double>>& series) const {
    fill_array(sums_, -mean_);
    auto const sums = sums_;
    Index const pitch = chains_.tiling.pitch(), all = chains_.mine.count * pitch;
    double const* q = direction_.data();
    for (Index l = 1; l <= model_.layers(); l++) {
      TileStorage const x = chains_.x[l];
      Index const n = model_.width(l), span = runs_on_host ? pitch : 1;
      Kokkos::parallel_for(
          "partita::hee_mode", Kokkos::RangePolicy<Execution, Kokkos::IndexType<Index>>(0, all / span), KOKKOS_LAMBDA(Index k) {
            Index const tile = k * span / pitch, first = k * span % pitch;
            double* const to = &sums(tile, first);
            for (Index i = 0; i < n; i++) {
              Real const* const row = &x(tile, i, first);
              for (Index lane = 0; lane < span; lane++) to[lane] += q[i] * double(row[lane]);
            }
          });
      q += n;
    }
    auto const host = values_on_host(sums_);
    auto to = series.begin();
    for (Index t = 0; t < chains_.mine.count; t++)
      for (Index lane = 0; lane < chains_.tiling.chains_in(chains_.mine.first + t); lane++) (to++)->push_back(host(t, lane));
  }

 private:
  Hee const& model_;
  HeeChains const& chains_;
  double mean_;
  DeviceVector<double> direction_;
  Kokkos::View<double**, Kokkos::LayoutRight, DeviceMemory> sums_;  // (tile, pitch)
};

std::vector<double> autocovariance(std::vector<double> const& series, std::size_t lags) {
  std::vector<double> out;
  for (std::size_t k = 0; k <= lags; k++) {
    double sum = 0;
    for (std::size_t t = 0; t + k < series.size(); t++) sum += series[t] * series[t + k];
    out.push_back(sum / double(series.size() - k));
  }
  return out;
}

// The ratio of two means over chains; its error is that of a - (the ratio) b over the mean of b.
Estimate ratio(std::vector<double> const& a, std::vector<double> const& b) {
  double const base = mean_and_error(b).value, value = mean_and_error(a).value / base;
  std::vector<double> residual;
  for (std::size_t c = 0; c < a.size(); c++) residual.push_back((a[c] - value * b[c]) / base);
  Estimate const of_residual = mean_and_error(residual);
  return {value, of_residual.error, of_residual.degrees_of_freedom};
}

// Autocorrelation and its integral from autocovariances (chain, lag).
Relaxation summarise(std::vector<double> const& covariances, std::size_t lags, double interval) {
  std::size_t const chains = covariances.size() / (lags + 1);
  auto const column = [&](std::size_t k) {
    std::vector<double> out;
    for (std::size_t c = 0; c < chains; c++) out.push_back(covariances[c * (lags + 1) + k]);
    return out;
  };
  auto const variance = column(0);
  std::vector<double> integral(chains, 0);
  Relaxation r;
  for (std::size_t k = 0; k <= lags; k++) {
    auto const at_lag = column(k);
    r.time.push_back(double(k) * interval);
    r.autocorrelation.push_back(ratio(at_lag, variance));
    for (std::size_t c = 0; c < chains; c++) integral[c] += (k == 0 ? 1 : 2) * interval * at_lag[c];
  }
  r.integrated_time = ratio(integral, variance);
  return r;
}

}  // namespace

SlowMode slowest_mode(Hee const& model, std::vector<double> const& x0) {
  require_all(model.linear_gaussian() && model.gaussian_conditionals(), ExitCode::usage,
              "the modes of a posterior are those of a linear-Gaussian hee: use model.activation = \"identity\", statistic = \"identity\" "
              "and base_measure = \"quadratic\"");
  auto const layers = model.host_layers();
  auto const [values, vectors] = symmetric_eigen(posterior_precision(layers));
  auto const centre = posterior(layers, x0).mean;
  SlowMode mode{values.front(), {}, 0};
  for (Index i = 0; i < vectors.rows; i++) {
    mode.direction.push_back(vectors(i, 0));
    mode.mean += vectors(i, 0) * centre[i];
  }
  return mode;
}

namespace {

double longest_lag_of(SlowMode const& mode, RelaxationOptions const& o) { return window * std::max(1 / mode.curvature, o.tau_v); }
double duration_of(SlowMode const& mode, RelaxationOptions const& o) {
  return o.duration > 0 ? o.duration : default_length / mode.curvature;
}

// Second order with this m; 0: first order.
HeeLangevinOptions dynamics_of(RelaxationOptions const& o, double m) {
  HeeLangevinOptions dynamics{.step_size = o.step_size, .tau_v = o.tau_v, .statistic_mean = "closed_form"};
  if (m > 0) dynamics.m = m;
  else dynamics.order = "first";
  return dynamics;
}

Tiling tiling_of(RelaxationOptions const& o) { return {o.chains, std::min(hee_tile_width, round_up(o.chains, lane_quantum))}; }

// Numbers that a chain records at most: how many they are follows from the curvature, which the options do not tell. The default duration
// is a number of the mode's relaxation times, and has as many records for any mode slower than tau_v.
Index most_records(RelaxationOptions const& o) {
  double const per_relaxation = lags_in_window / window, most = 1e15;
  double const records =
      o.duration > 0 ? o.duration * std::min(per_relaxation / o.tau_v, 1 / o.step_size) : default_length * per_relaxation;
  return Index(std::min(records, most));
}

}  // namespace

void require_long_enough(SlowMode const& mode, RelaxationOptions const& o) {
  double const least = 2 * longest_lag_of(mode, o), duration = duration_of(mode, o);
  require_all(duration >= least, ExitCode::usage,
              "estimator.duration: {:.3g} is too short for a mode that relaxes as e^(-{:.3g} t); use at least {:.3g}", duration,
              mode.curvature, least);
}

Relaxation relaxation(Hee const& model, SlowMode const& mode, std::vector<double> const& x0, double m, RelaxationOptions const& o,
                      Communicator const& ranks, random::Key key) {
  require_long_enough(mode, o);
  double const longest_lag = longest_lag_of(mode, o), duration = duration_of(mode, o);
  Index const every = std::max<Index>(1, std::llround(longest_lag / lags_in_window / o.step_size));
  double const interval = double(every) * o.step_size;
  Index const lags = Index(std::ceil(longest_lag / interval)), records = Index(duration / interval);

  Tiling const tiling = tiling_of(o);
  HeeLangevin langevin(dynamics_of(o, m), model);
  auto const chains = langevin.make_chains(tiling, share_of_tiles(tiling.tiles(), ranks.rank(), ranks.ranks()));
  show(x0, chains);
  langevin.initialise(chains, key, 0, {}, Visible::clamped);
  Projection const projection(model, mode, chains);
  Index mine = 0;
  for (Index t = 0; t < chains.mine.count; t++) mine += tiling.chains_in(chains.mine.first + t);
  std::vector<std::vector<double>> series(mine);
  for (auto& s : series) s.reserve(std::size_t(records));
  for (Index n = 0; n < lags + records; n++) {  // the first window is discarded
    langevin.advance(chains, key, {0, chains.mine.count}, n * every, every, Visible::clamped);
    if (n >= lags) projection.record(series);
  }
  require_finite_chains(ranks, tiling, chains.mine, chains.x, (lags + records) * every, std::numeric_limits<double>::quiet_NaN());
  std::vector<double> covariances;
  for (auto const& s : series) {
    auto const one = autocovariance(s, lags);
    covariances.insert(covariances.end(), one.begin(), one.end());
  }
  return summarise(ranks.all_gather(covariances), lags, interval);
}

double exact_integrated_time(double h, double m, double tau_v, double dt) {
  Matrix power(2, 2), covariance(2, 2);
  power.values = {1 - dt * h, -dt, dt * m * h / tau_v, 1 - dt / tau_v};
  covariance.values = {2 * dt, 0, 0, 2 * m * dt / (tau_v * tau_v)};
  Matrix const step = power;
  for (int doubling = 0; doubling < 60; doubling++) {  // each doubles the number of steps in the sum for the covariance
    covariance = covariance + power * covariance * transpose(power);
    power = power * power;
  }
  // sum over k >= 1 of C_k = step (I - step)^-1 C_0
  Matrix rest(2, 2);
  double const factor = tau_v / ((1 + m) * h) / dt;
  rest.values = {factor / tau_v, -factor, factor * m * h / tau_v, factor * h};
  return dt * (1 + 2 * (step * rest * covariance)(0, 0) / covariance(0, 0));
}

namespace {

struct RelaxationStrengths {
  std::vector<double> m = {0.25, 0.5, 1, 2};
};

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
      file.create_dataset(name, hdf5::native_type<double>(), {std::ssize(runs), std::ssize(runs[0].time)}).write(all);
    };
    write("autocorrelation", values);
    write("autocorrelation_error", errors);
  });
}

// x_0: the first training item, or 0 without data.
std::vector<double> start_of(Hee const& model, data::Dataset const* data) {
  std::vector<double> x0(model.dimension(), 0);
  if (data) data->values(data->item(data::Split::train, 0), x0.data());
  return x0;
}

void fits_relaxation(Fit const& fit) {
  if (!require_linear_gaussian(fit)) return;
  auto const* const data = fit.data();
  if (data && fit.model) fit.attempt([&] { require_width(*data, *fit.model); });
  if (data && fit.model && data->dimension() != fit.model->dimension()) return;
  auto const o = fit.own.as<RelaxationOptions>();
  fit.attempt_on<Hee>([&](Hee const& model) {
    HeeLangevin({.step_size = o.step_size, .tau_v = o.tau_v, .statistic_mean = "closed_form"}, model);
    if (fit.loaded->model_has_values)
      require_long_enough(slowest_mode(model, start_of(model, data)), o);  // for the weights that it starts from
  });
}

void list_relaxation(EstimatorListing const& l) {
  auto const& model = as<Hee const>(*l.model);
  auto const o = l.block.as<RelaxationOptions>();
  Share const share{tiling_of(o), 0, int(l.ranks)};
  Index const tiles = share.mine().count, width = share.tiling.width, units = model.units();
  HeeLangevin const langevin(dynamics_of(o, 1), model);  // second order, which holds more
  langevin.make_chains(share.tiling, share.mine(), l.arrays);
  langevin.list_work(l.arrays, tiles, width, false);
  l.arrays.count<double>("amplitudes of the mode, of every chain", tiles * width, most_records(o));
  l.arrays.count<double>("autocovariances of the chains, and as gathered", 2, o.chains, Index(lags_in_window) + 1);
  list_host_layers(l.arrays, widths_of(model));
  // Its eigenvectors, and while it is inverted it and the identity, its copy, the factor and the inverse (dense.cpp).
  l.arrays.count<double>("posterior precision and covariance", 6, units, units);
}

Metrics hee_relaxation(Subject const& s, deck::Block const& block) {
  auto const& model = as<Hee const>(*s.model);
  auto const o = block.as<RelaxationOptions>();
  auto const x0 = start_of(model, s.data);
  SlowMode const mode = slowest_mode(model, x0);
  std::vector<double> strengths{0};  // first order, then second order
  for (double m : block.as<RelaxationStrengths>().m) strengths.push_back(m);
  std::vector<Relaxation> runs;
  std::vector<double> exact;
  for (std::size_t k = 0; k < strengths.size(); k++) {
    random::Key const key = random::derived_key(s.key, random::Stream::hee_relaxation, k);
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

EstimatorEntry hee_relaxation_estimator() {
  using M = RelaxationStrengths;
  using R = RelaxationOptions;
  return {{"hee_relaxation",
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
          fits_relaxation,
          list_relaxation};
}

}  // namespace partita
