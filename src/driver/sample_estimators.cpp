// Estimators of samples.
#include <algorithm>
#include <cmath>

#include "core/log.hpp"
#include "driver/estimator.hpp"
#include "estimators/convergence.hpp"
#include "estimators/covariance.hpp"
#include "estimators/distances.hpp"
#include "io/sample_reader.hpp"
#include "io/together.hpp"

namespace partita {
namespace {

struct MomentsOptions {
  Index coordinates = 8;
};
struct ProbabilityOptions {
  Index coordinate = 0;
  double below = 0;
};
struct CovarianceOptions {
  std::string reference = "sampler";
};
struct ConvergenceOptions {
  Index coordinates = 8;
};
struct DistanceOptions {
  Index points = 5000;
  Index splits = 20;
  Index sampler_steps = 0;
  std::string reference;
  std::string reference_dataset;
};
struct WassersteinOptions {
  Index points = 5000;
  Index projections = 100;
  std::string reference;
  std::string reference_dataset;
};

using Metrics = std::vector<Metric>;

std::string numbered(std::string const& stem, Index i, Index of) { return of == 1 ? stem : fmt::format("{}_{}", stem, i); }

Metrics moments(Subject const& s, deck::Block const& block) {
  Index const d = s.samples.dimension, shown = std::min(d, block.as<MomentsOptions>().coordinates);
  auto const first = expectations(s.samples, shown + 1, [&](float const* x, double energy, double* out) {
    std::copy(x, x + shown, out);
    out[shown] = energy;
  });
  auto const second = expectations(s.samples, shown, [&](float const* x, double, double* out) {
    for (Index i = 0; i < shown; i++)
      out[i] = (x[i] - first[static_cast<std::size_t>(i)].value) * (x[i] - first[static_cast<std::size_t>(i)].value);
  });
  Metrics out;
  for (Index i = 0; i < shown; i++) {
    auto const k = static_cast<std::size_t>(i);
    out.push_back(
        {numbered("mean", i, d), first[k].value, first[k].error, fmt::format("mean of x_{}; standard error from independent chains", i)});
    out.push_back({numbered("variance", i, d), second[k].value, second[k].error, fmt::format("variance of x_{}", i)});
  }
  if (s.samples.has_energy) out.push_back({"mean_energy", first.back().value, first.back().error, "mean of E(x)"});
  return out;
}

Metrics probability(Subject const& s, deck::Block const& block) {
  auto const o = block.as<ProbabilityOptions>();
  require_all(o.coordinate < s.samples.dimension, ExitCode::usage, "estimator.coordinate = {}, but x has {} coordinates, counted from 0",
              o.coordinate, s.samples.dimension);
  auto const e = expectations(s.samples, 1, [&](float const* x, double, double* out) { out[0] = x[o.coordinate] < o.below; });
  return {{"probability_below", e[0].value, e[0].error, fmt::format("P(x_{} < {})", o.coordinate, o.below)}};
}

Metrics covariance(Subject const& s, deck::Block const& block) {
  auto const* model = s.evaluation.model;
  auto const known = model ? model->gaussian() : std::vector<GaussianMoments>{};
  require_all(!known.empty(), ExitCode::usage,
              "estimator.type = \"covariance\" compares with a known covariance, which only a gaussian model has; use \"moments\"");
  bool const of_sampler = block.as<CovarianceOptions>().reference == "sampler" && s.evaluation.sampler;
  Matrix const reference = of_sampler ? s.evaluation.sampler->stationary_covariance(known[0].precision) : inverse(known[0].precision);
  auto const test = test_covariance(s.samples, known[0].mean, reference);
  return {
      {"covariance_z_max",
       test.largest_z,
       {},
       fmt::format("largest |z| of the {} covariance entries against {}, at ({}, {})", s.samples.dimension * (s.samples.dimension + 1) / 2,
                   of_sampler ? "the sampler's stationary covariance" : "H^-1", test.row, test.column)},
      {"covariance_error_max", test.largest_error, {}, "largest absolute difference of a covariance entry"}};
}

Metrics convergence(Subject const& s, deck::Block const& block) {
  Index const shown = std::min(s.samples.dimension, block.as<ConvergenceOptions>().coordinates), first = s.samples.has_energy ? -1 : 0;
  Communicator const& ranks = s.samples.ranks;
  double rhat = 0, bulk = std::numeric_limits<double>::infinity(), tail = bulk;
  for (Index i = first; i < shown; i++) {  // -1: the energy; each series is one rank's work
    ChainSeries const series{s.samples.tiling.chains, s.samples.draws,
                             gather_series(s.samples, [i](float const* x, double energy) { return i < 0 ? energy : x[i]; })};
    if ((i - first) % ranks.ranks() != ranks.rank()) continue;
    rhat = std::max(rhat, rank_rhat(series));
    bulk = std::min(bulk, bulk_ess(series));
    tail = std::min(tail, tail_ess(series));
  }
  std::string const over = fmt::format("over the energy and {} coordinates", shown);
  return {{"rhat", ranks.all_reduce(rhat, Reduction::maximum), {}, "largest rank-normalised split R-hat " + over},
          {"ess_bulk", ranks.all_reduce(bulk, Reduction::minimum), {}, "smallest bulk effective sample size " + over},
          {"ess_tail", ranks.all_reduce(tail, Reduction::minimum), {}, "smallest tail effective sample size " + over}};
}

// Up to `count` points of a file, the same on every rank: the last draw of every chain first, as in gather_points.
std::vector<double> points_of(Communicator const& ranks, std::string const& path, std::string const& dataset, Index dimension,
                              Index count) {
  std::vector<double> points;
  together(ranks, [&] {
    SampleReader const reader(path, dataset);
    require(reader.dimension() == dimension, ExitCode::data, "{}: points of dimension {}, and the samples have {}", reader.where(),
            reader.dimension(), dimension);
    auto const values = reader.read<double>(0, reader.chains());
    for (Index draw = reader.draws() - 1; draw >= 0; draw--)
      for (Index c = 0; c < reader.chains() && static_cast<Index>(points.size()) < count * dimension; c++) {
        auto const point = values.begin() + (c * reader.draws() + draw) * dimension;
        points.insert(points.end(), point, point + dimension);
      }
  });
  return points;
}

// What samples are compared with: another file, or held-out data of a training run.
std::vector<double> reference_points(Subject const& s, std::string const& path, std::string const& dataset, Index count,
                                     std::string const& type) {
  if (!path.empty()) return points_of(s.samples.ranks, path, dataset, s.samples.dimension, count);
  require_all(s.evaluation.data != nullptr, ExitCode::usage,
              "estimator.type = \"{}\" needs something to compare with; set estimator.reference to a sample file or run", type);
  return s.evaluation.data->held_out(0, count);
}

std::vector<double> sample_points(Subject const& s, Index count) {
  auto points = gather_points(s.samples, count);
  auto const found = static_cast<Index>(points.size()) / s.samples.dimension;
  if (found < count) log::warning("{} samples where the estimator asks for {} points", found, count);
  return points;
}

void trim_to_same_size(std::vector<double>& a, std::vector<double>& b) {
  auto const n = std::min(a.size(), b.size());
  a.resize(n), b.resize(n);
}

Metrics energy_distance(Subject const& s, deck::Block const& block) {
  auto const o = block.as<DistanceOptions>();
  auto x = sample_points(s, o.points), y = reference_points(s, o.reference, o.reference_dataset, o.points, block.type);
  trim_to_same_size(x, y);
  Index const d = s.samples.dimension, points = static_cast<Index>(x.size()) / d;
  double const distance = squared_energy_distance(s.samples.ranks, x, y, d);
  Metrics out{{"energy_distance",
               distance,
               {},
               fmt::format("squared energy distance (V-statistic) of {} samples and as many held-out points", points)}};
  if (!s.evaluation.data || !o.reference.empty()) return out;
  double sum = 0, square = 0;
  for (Index k = 0; k < o.splits; k++) {
    double const e = squared_energy_distance(s.samples.ranks, s.evaluation.data->held_out(2 * k + 2, points),
                                             s.evaluation.data->held_out(2 * k + 3, points), d);
    sum += e, square += e * e;
  }
  double const n = static_cast<double>(o.splits), mean = sum / n, spread = std::sqrt(std::max(0., square / n - mean * mean) / (n - 1));
  out.push_back({"energy_distance_data", mean, spread, fmt::format("mean of the same between two data sets, {} pairs", o.splits)});
  out.push_back({"energy_distance_ratio", distance / mean, {}, "energy_distance over energy_distance_data; 1: as near as data to data"});
  return out;
}

Metrics wasserstein(Subject const& s, deck::Block const& block) {
  auto const o = block.as<WassersteinOptions>();
  auto x = sample_points(s, o.points), y = reference_points(s, o.reference, o.reference_dataset, o.points, block.type);
  trim_to_same_size(x, y);
  auto const distance = [&](int p) {
    return sliced_wasserstein(s.samples.ranks, x, y, s.samples.dimension, p, o.projections, s.evaluation.context.key);
  };
  return {{"sliced_wasserstein_1", distance(1), {}, fmt::format("mean Wasserstein-1 distance over {} directions", o.projections)},
          {"sliced_wasserstein_2", distance(2), {}, "root mean square of the Wasserstein-2 distances"}};
}

}  // namespace

std::vector<EstimatorEntry> sample_estimators() {
  using M = MomentsOptions;
  using P = ProbabilityOptions;
  using C = CovarianceOptions;
  using V = ConvergenceOptions;
  using D = DistanceOptions;
  using W = WassersteinOptions;
  return {
      {deck::schema<M>("moments", "mean and variance of coordinates, mean energy, with standard errors from independent chains",
                       {deck::key("coordinates", &M::coordinates, "how many of the first coordinates").at_least(0)}),
       moments},
      {deck::schema<P>("probability", "P(x_i < threshold)",
                       {deck::key("coordinate", &P::coordinate, "i, counted from 0").at_least(0),
                        deck::key("below", &P::below, "the threshold").required()}),
       probability},
      {deck::schema<C>("covariance", "sample covariance of a gaussian model against the exact one, entry by entry",
                       {deck::key("reference", &C::reference, "sampler: the covariance this sampler has at this step size; exact: H^-1")
                            .one_of({"sampler", "exact"})}),
       covariance},
      {deck::schema<V>("convergence", "rank-normalised split R-hat, bulk and tail effective sample size (Vehtari et al. 2021)",
                       {deck::key("coordinates", &V::coordinates, "how many of the first coordinates, beside the energy").at_least(0)}),
       convergence},
      {deck::schema<D>(
           "energy_distance", "squared energy distance of samples and held-out data, or of two sample files",
           {deck::key("points", &D::points, "points on each side").at_least(2),
            deck::key("splits", &D::splits, "pairs of data sets for the ratio").at_least(2),
            deck::key("sampler_steps", &D::sampler_steps, "steps that the chains of a training run make with the final parameters before")
                .at_least(0)
                .for_tasks({"train"}),
            deck::key("reference", &D::reference, "run directory or HDF5 file to compare with; empty: held-out data of the training run"),
            deck::key("reference_dataset", &D::reference_dataset, "its dataset; empty: the samples of a run")}),
       energy_distance},
      {deck::schema<W>(
           "sliced_wasserstein", "sliced Wasserstein distances of samples and held-out data, or of two sample files",
           {deck::key("points", &W::points, "points on each side").at_least(2),
            deck::key("projections", &W::projections, "random directions").at_least(1),
            deck::key("reference", &W::reference, "run directory or HDF5 file to compare with; empty: held-out data of the training run"),
            deck::key("reference_dataset", &W::reference_dataset, "its dataset; empty: the samples of a run")}),
       wasserstein},
  };
}

Index final_steps(deck::Document const& deck) {
  Index steps = 0;
  for (deck::Block const* block : deck.all("estimator"))
    if (block->type == "energy_distance") steps = std::max(steps, block->as<DistanceOptions>().sampler_steps);
  return steps;
}

}  // namespace partita
