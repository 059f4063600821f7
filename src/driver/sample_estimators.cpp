// Estimators of samples.
#include <algorithm>
#include <cmath>
#include <functional>

#include "core/log.hpp"
#include "driver/estimator.hpp"
#include "estimators/convergence.hpp"
#include "estimators/covariance.hpp"
#include "estimators/distances.hpp"
#include "io/sample_reader.hpp"
#include "io/together.hpp"
#include "models/gibbs_model.hpp"

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

// Adds the reason why metrics have no error to the first such metric of an estimator.
Metrics with_reason(Metrics metrics, std::string const& reason) {
  auto const unknown = [](Metric const& m) { return m.error && std::isnan(*m.error); };
  auto const first = std::find_if(metrics.begin(), metrics.end(), unknown);
  if (first == metrics.end()) return metrics;
  auto const others = std::count_if(first + 1, metrics.end(), unknown);
  first->warning = fmt::format("its error is not known{}: {}", others ? fmt::format(", nor are those of {} more", others) : "", reason);
  return metrics;
}

Metrics moments(Subject const& s, deck::Block const& block) {
  Index const d = s.samples.dimension, shown = std::min(d, block.as<MomentsOptions>().coordinates);
  auto const first = expectations(s.samples, shown + 1, [&](float const* x, double energy, double* out) {
    std::copy(x, x + shown, out);
    out[shown] = energy;
  });
  bool const single = s.samples.tiling.chains * s.samples.draws < 2;  // a single point has no variance
  auto second = expectations(s.samples, shown, [&](float const* x, double, double* out) {
    for (Index i = 0; i < shown; i++)
      out[i] = (x[i] - first[static_cast<std::size_t>(i)].value) * (x[i] - first[static_cast<std::size_t>(i)].value);
  });
  Metrics out;
  for (Index i = 0; i < shown; i++) {
    auto const k = static_cast<std::size_t>(i);
    if (single) second[k].value = std::numeric_limits<double>::quiet_NaN();
    out.push_back(metric(numbered("mean", i, d), first[k],
                         fmt::format("mean of x_{}; standard error from {}", i,
                                     s.samples.tiling.chains > 1 ? "independent chains" : "the chain's effective sample size")));
    out.push_back(metric(numbered("variance", i, d), second[k], fmt::format("variance of x_{}", i)));
  }
  if (s.samples.has_energy) out.push_back(metric("mean_energy", first.back(), "mean of E(x)"));
  return with_reason(std::move(out), s.samples.tiling.chains > 1 ? "it is the same number in all chains, or in all draws of each"
                                                                 : "the single chain has too few draws, or they are all the same");
}

Metrics probability(Subject const& s, deck::Block const& block) {
  auto const o = block.as<ProbabilityOptions>();
  auto const e = expectations(s.samples, 1, [&](float const* x, double, double* out) { out[0] = x[o.coordinate] < o.below; });
  return with_reason(
      {metric("probability_below", e[0], fmt::format("P(x_{} < {})", o.coordinate, o.below))},
      "the share below is the same in all chains; if it is 0 or 1 the samples give only a bound, and more of them are needed");
}

Metrics covariance(Subject const& s, deck::Block const& block) {
  auto const* model = s.evaluation.model;
  auto const known = model ? model->gaussian() : std::vector<GaussianMoments>{};
  bool const of_sampler = block.as<CovarianceOptions>().reference == "sampler" && s.evaluation.sampler;
  Matrix const reference = of_sampler ? s.evaluation.sampler->stationary_covariance(known[0].precision) : inverse(known[0].precision);
  auto const test = test_covariance(s.samples, known[0].mean, reference);
  Metric z{
      "covariance_z_max",
      test.largest_z,
      {},
      fmt::format("largest |z| of the {} covariance entries against {}, at ({}, {})", s.samples.dimension * (s.samples.dimension + 1) / 2,
                  of_sampler ? "the sampler's stationary covariance" : "H^-1", test.row, test.column)};
  constexpr double too_many = 7;  // standard errors; of a million entries the largest is below 6 in all but one of a hundred runs
  if (test.largest_z > too_many)
    z.warning = fmt::format(
        "an entry of the covariance is {:.3g} standard errors from its reference: the chains have not converged, or are not "
        "independent",
        test.largest_z);
  else if (std::isnan(test.largest_z))
    z.warning = "not known: an entry has no standard error, because nothing moves or there is a single draw";
  return {z, {"covariance_error_max", test.largest_error, {}, "largest absolute difference of a covariance entry"}};
}

// Diagnostics of one monitored quantity: x_i, or the energy.
struct Diagnosis {
  std::string of;
  double rhat, bulk, tail;
  std::string unknown;  // why these are not known; empty: they are
};

// Diagnostics of the energy, where it is known, and of the first `coordinates`; each series is handled by one rank.
std::vector<Diagnosis> diagnose(SampleSet const& s, Index coordinates) {
  Index const first = s.has_energy ? -1 : 0, number = coordinates - first;
  std::vector<double> numbers(static_cast<std::size_t>(3 * number));
  std::vector<Diagnosis> out;
  for (Index i = first; i < coordinates; i++) {  // -1: the energy
    ChainSeries const series{s.tiling.chains, s.draws,
                             gather_series(s, [i](float const* x, double energy) { return i < 0 ? energy : x[i]; })};
    out.push_back({i < 0 ? "the energy" : fmt::format("x_{}", i), 0, 0, 0, why_unknown(series)});
    if ((i - first) % s.ranks.ranks() != s.ranks.rank()) continue;
    double* const of = numbers.data() + 3 * (i - first);
    of[0] = rank_rhat(series), of[1] = bulk_ess(series), of[2] = tail_ess(series);
  }
  s.ranks.all_reduce(numbers, Reduction::sum);  // a number and zeros
  for (std::size_t k = 0; k < out.size(); k++) {
    out[k].rhat = numbers[3 * k], out[k].bulk = numbers[3 * k + 1], out[k].tail = numbers[3 * k + 2];
  }
  return out;
}

constexpr double most_rhat = 1.01, least_ess = 400;  // Vehtari et al. 2021

// The worst value of one diagnostic; an unknown value is worse than any other.
Metric worst(std::string name, std::vector<Diagnosis> const& all, double Diagnosis::*number, bool largest, std::string const& what) {
  Metric m{std::move(name), std::numeric_limits<double>::quiet_NaN(), {}, what + ": nothing is monitored"};
  for (Diagnosis const& d : all) {
    double const x = d.*number;
    if (!d.unknown.empty() || !std::isfinite(x)) {
      m.value = std::numeric_limits<double>::quiet_NaN();
      m.definition = fmt::format("{}, over the energy and coordinates", what);
      m.warning = fmt::format("not known, because of {}: {}", d.of, d.unknown);
      return m;
    }
    if (&d != &all.front() && !(largest ? x > m.value : x < m.value)) continue;
    m.value = x;
    m.definition = fmt::format("{}, that of {}, over {} quantities", what, d.of, all.size());
  }
  return m;
}

// `copies`: how many chains each one here represents.
Metrics convergence_metrics(SampleSet const& s, Model const* model, Index coordinates, double copies = 1) {
  auto all = diagnose(s, std::min(s.dimension, coordinates));
  // Single units of a machine may never change; they are then left out.
  auto const known = [](Diagnosis const& d) { return d.unknown.empty(); };
  if (if_can<GibbsModel>(model) && std::any_of(all.begin(), all.end(), known))
    all.erase(std::remove_if(all.begin(), all.end(), std::not_fn(known)), all.end());
  for (Diagnosis& d : all) d.bulk *= copies, d.tail *= copies;
  Metric rhat = worst("rhat", all, &Diagnosis::rhat, true, "largest rank-normalised split R-hat"),
         bulk = worst("ess_bulk", all, &Diagnosis::bulk, false, "smallest bulk effective sample size"),
         tail = worst("ess_tail", all, &Diagnosis::tail, false, "smallest tail effective sample size");
  if (rhat.value > most_rhat)
    rhat.warning = fmt::format(
        "{:.4g} is above {}: the chains still depend on where they started, or are stuck in different places; run longer (sampler.steps, "
        "sampler.warmup), take longer steps where nearly all are accepted, start nearer to the bulk, or use a sampler that passes between "
        "modes",
        rhat.value, most_rhat);
  if (bulk.value < least_ess || tail.value < least_ess)
    (bulk.value < least_ess ? bulk : tail).warning = fmt::format(
        "the draws are worth {:.0f} independent ones, fewer than the {} that R-hat and errors need; take more draws or more chains",
        std::min(bulk.value, tail.value), least_ess);
  if (std::isnan(rhat.value)) bulk.warning = tail.warning = "";  // said once
  return {rhat, bulk, tail};
}

Metrics convergence(Subject const& s, deck::Block const& block) {
  return convergence_metrics(s.samples, s.evaluation.model, block.as<ConvergenceOptions>().coordinates);
}

struct Reference {
  std::vector<double> points;  // (point, dimension), the last draw of every chain first, as in gather_points
  Index chains;                // number of chains from which they came; independent points count as one chain each
};

// Up to `count` points of a file, the same on every rank.
Reference points_of(Communicator const& ranks, std::string const& path, std::string const& dataset, Index dimension, Index count) {
  std::vector<double> points;
  Index chains = 0;
  together(ranks, [&] {
    SampleReader const reader(path, dataset);
    chains = reader.chains();
    require(reader.dimension() == dimension, ExitCode::data, "{}: points of dimension {}, but the samples have {}", reader.where(),
            reader.dimension(), dimension);
    auto const values = reader.read<double>(0, reader.chains());
    for (Index draw = reader.draws() - 1; draw >= 0; draw--)
      for (Index c = 0; c < reader.chains() && static_cast<Index>(points.size()) < count * dimension; c++) {
        auto const point = values.begin() + (c * reader.draws() + draw) * dimension;
        points.insert(points.end(), point, point + dimension);
      }
  });
  return {std::move(points), chains};
}

void has_known_covariance(Fit const& fit) {
  if (fit.can.has<GaussianMrf>() && fit.sizes && fit.sizes->dimension > GaussianMrf::dense_limit)
    fit.refuse("",
               fmt::format("estimator.type = \"covariance\" compares all pairs of up to {} units, but this model has {}; use \"moments\"",
                           GaussianMrf::dense_limit, fit.sizes->dimension));
}

void has_the_coordinate(Fit const& fit) {
  auto const d = fit.points_dimension();
  Index const i = fit.own.as<ProbabilityOptions>().coordinate;
  if (d && i >= *d) fit.refuse("coordinate", fmt::format("estimator.coordinate = {}, but x has {} coordinates, counted from 0", i, *d));
}

// Whether [data] has items that no training uses.
bool holds_items_back(deck::Block const& data) {
  auto const names_file = [&](char const* key) {
    auto const* const entry = data.find(key);
    return entry && entry->value != deck::Value(std::string());
  };
  auto const o = data.as<data::DataOptions>();
  return !names_file("path") || data.type == "cifar10" || names_file("test_path") || names_file("test_dataset") ||
         o.validation_fraction + o.test_fraction > 0;
}

// Checks that points of another file have as many coordinates as the samples, and that there are at least two of both.
void fits_reference(Fit const& fit) {
  auto const* const reference = fit.reference();
  if (!reference) return;
  if (auto const d = fit.points_dimension(); d && reference->dimension != *d)
    fit.refuse("reference", fmt::format("{}: points of dimension {}, but the samples have {}", reference->where, reference->dimension, *d));
  if (auto const& input = fit.loaded->input; reference->points < 2 || (input && input->points < 2))
    fit.refuse("reference", fmt::format("estimator.type = \"{}\" compares two points or more, but {} holds one", fit.own.type,
                                        reference->points < 2 ? reference->where : input->where));
}

template <class Options>
void has_points_to_compare_with(Fit const& fit) {
  auto const o = fit.own.as<Options>();
  if (auto const d = fit.points_dimension(); d && *d > 0 && fit.data() && o.reference.empty()) {
    if (fit.data()->dimension() != *d)
      return fit.refuse("",
                        fmt::format("estimator.type = \"{}\" compares points of {} numbers with items of {} ({}); set estimator.reference "
                                    "to a sample file or run",
                                    fit.own.type, *d, fit.data()->dimension(), fit.data()->source()));
    if (!fit.data()->ratings()) fit.attempt([&] { fit.data()->require_held_out(o.points); });
  }
  if (!o.reference.empty()) return fits_reference(fit);
  deck::Block const* const data = given(fit.deck, "data");
  if (!data || data->type == "ratings")
    fit.refuse("", fmt::format("estimator.type = \"{}\" needs something to compare with; set estimator.reference to a sample file or run{}",
                               fit.own.type, data ? "" : ", or add a [data] section with test items"));
  else if (!holds_items_back(*data))
    fit.refuse("", fmt::format("estimator.type = \"{}\" compares with held-out items, but [data] has none; set data.test_fraction, or "
                               "estimator.reference to a sample file or run",
                               fit.own.type));
}

// The points with which samples are compared: those of another file, or held-out data of a training run.
Reference reference_points(Subject const& s, std::string const& path, std::string const& dataset, Index count) {
  if (!path.empty()) return points_of(s.samples.ranks, path, dataset, s.samples.dimension, count);
  return {s.evaluation.data->held_out(0, count), count};
}

// Equally many samples and reference points, with the groups in which the jackknife leaves them out.
struct Compared {
  std::vector<double> x, y;
  Index points;
  Groups of_x, of_y;
};

Compared compared_points(Subject const& s, Index count, std::string const& reference, std::string const& dataset, std::string const& type) {
  Index const d = s.samples.dimension, there = std::min(count, s.samples.tiling.chains * s.samples.draws);
  if (there < count) log::warning("only {} samples, but the estimator asks for {} points: these are used", there, count);
  std::vector<double> const x = gather_points(s.samples, count);
  Reference const y = reference_points(s, reference, dataset, count);
  Index const n = std::min(there, static_cast<Index>(y.points.size()) / d);
  require_all(n >= 2, ExitCode::data, "estimator.type = \"{}\" compares two points or more, but there is only {}", type, n);
  return {{x.begin(), x.begin() + n * d},
          {y.points.begin(), y.points.begin() + n * d},
          n,
          Groups::of_draws(n, s.samples.tiling.chains),
          Groups::of_draws(n, y.chains)};
}

char const* const points_alike = "the points are too similar, in all groups or on both sides, to show an error";

Metrics energy_distance(Subject const& s, deck::Block const& block) {
  auto const o = block.as<DistanceOptions>();
  Index const d = s.samples.dimension;
  auto const [x, y, points, of_x, of_y] = compared_points(s, o.points, o.reference, o.reference_dataset, block.type);
  Estimate const distance = squared_energy_distance(s.samples.ranks, x, y, d, of_x, of_y);
  Metrics out{metric("energy_distance", distance,
                     fmt::format("squared energy distance (V-statistic) of {} samples and as many points {}", points,
                                 o.reference.empty() ? "of the data that were not trained on" : "of " + o.reference))};
  if (!s.evaluation.data || !o.reference.empty()) return with_reason(std::move(out), points_alike);
  std::vector<double> of_pairs;
  for (Index k = 0; k < o.splits; k++)
    of_pairs.push_back(squared_energy_distance(s.samples.ranks, s.evaluation.data->held_out(2 * k + 2, points),
                                               s.evaluation.data->held_out(2 * k + 3, points), d));
  Estimate const of_data = mean_and_error(of_pairs);
  out.push_back(metric(
      "energy_distance_data", of_data,
      fmt::format(
          "mean squared energy distance between two data sets, {} pairs; of data from files all drawn from the same items, whose own "
          "spread the error leaves out",
          o.splits)));
  out.push_back(metric("energy_distance_ratio", quotient(distance, of_data),
                       "energy_distance over energy_distance_data; 1: as near as data to data"));
  return with_reason(std::move(out), points_alike);
}

Metrics wasserstein(Subject const& s, deck::Block const& block) {
  auto const o = block.as<WassersteinOptions>();
  auto const c = compared_points(s, o.points, o.reference, o.reference_dataset, block.type);
  auto const distance = [&](int p) {
    return sliced_wasserstein(s.samples.ranks, c.x, c.y, s.samples.dimension, p, o.projections, s.evaluation.context.key, c.of_x, c.of_y);
  };
  return with_reason(
      {metric("sliced_wasserstein_1", distance(1), fmt::format("mean Wasserstein-1 distance over {} directions", o.projections)),
       metric("sliced_wasserstein_2", distance(2), "root mean square of the Wasserstein-2 distances")},
      points_alike);
}

}  // namespace

std::vector<std::string> convergence_warnings(SampleSet const& s, Model const* model, double copies) {
  // All coordinates in small runs; sorting some million numbers takes a second.
  constexpr Index most_numbers = Index{1} << 22;
  Index const draws = std::max<Index>(1, s.tiling.chains * s.draws),
              coordinates = std::max(ConvergenceOptions{}.coordinates, most_numbers / draws);
  std::vector<std::string> out;
  for (Metric const& m : convergence_metrics(s, model, coordinates, copies))
    if (!m.warning.empty()) out.push_back(m.name + ": " + m.warning);
  return out;
}

std::string rounding_warning(SampleSet const& s) {
  constexpr Index most_coordinates = 64;
  constexpr double fewest_steps = 10;  // rounding steps in a standard deviation: rounding then adds 1/1200 to the variance
  Index const shown = std::min(s.dimension, most_coordinates);
  auto const numbers = [&](auto const& of) {
    return expectations(s, shown + 1, [&](float const* x, double energy, double* out) {
      for (Index i = 0; i < shown; i++) out[i] = of(i, static_cast<double>(x[i]));
      out[shown] = of(shown, energy);
    });
  };
  auto const mean = numbers([](Index, double x) { return x; });
  auto const variance = numbers([&](Index i, double x) { return (x - mean[std::size_t(i)].value) * (x - mean[std::size_t(i)].value); });
  for (Index i = 0; i <= shown; i++) {
    bool const energy = i == shown;
    if (energy && (!s.has_energy || sizeof(Real) > sizeof(float))) continue;
    double const at = std::abs(mean[std::size_t(i)].value), step = at * 0x1p-23, width = std::sqrt(variance[std::size_t(i)].value);
    if (!(width > 0 && width < fewest_steps * step)) continue;
    return fmt::format(
        "{} is near {:.4g} and varies by {:.2g}, where single precision has steps of {:.1g}: its averages are wrong by up to "
        "as much; {}",
        energy ? "the energy" : fmt::format("x_{}", i), mean[std::size_t(i)].value, width, step,
        energy ? "choose a constant of the energy that keeps it small, or build in double precision (cmake --preset double)"
               : "choose an origin of the coordinates nearer to the samples");
  }
  return {};
}

std::vector<EstimatorEntry> sample_estimators() {
  using M = MomentsOptions;
  using P = ProbabilityOptions;
  using C = CovarianceOptions;
  using V = ConvergenceOptions;
  using D = DistanceOptions;
  using W = WassersteinOptions;
  return {
      {deck::schema<M>("moments", "mean and variance of coordinates, mean energy, with standard errors from independent chains",
                       {deck::key("coordinates", &M::coordinates, "number of coordinates, from the first on").at_least(0)}),
       moments},
      {deck::schema<P>("probability", "P(x_i < threshold)",
                       {deck::key("coordinate", &P::coordinate, "coordinate i, counted from 0").at_least(0),
                        deck::key("below", &P::below, "threshold of x_i").required()}),
       probability,
       LooksAt::samples,
       {},
       false,
       has_the_coordinate},
      {deck::schema<C>(
           "covariance", "sample covariance of a gaussian model against the exact one, entry by entry",
           {deck::key("reference", &C::reference,
                      "what the sample covariance is compared with: sampler, the covariance of this sampler at its step size; exact, H^-1")
                .one_of({"sampler", "exact"})}),
       covariance,
       LooksAt::samples,
       {{}, {}, {"gaussian", "gaussian_mrf"}},
       false,
       has_known_covariance},
      {deck::schema<V>(
           "convergence", "rank-normalised split R-hat, bulk and tail effective sample size (Vehtari et al. 2021)",
           {deck::key("coordinates", &V::coordinates, "number of coordinates, from the first on, beside the energy").at_least(0)}),
       convergence},
      {deck::schema<D>(
           "energy_distance", "squared energy distance between samples and held-out data, or between two sample files",
           {deck::key("points", &D::points, "number of points from each of the two sets").at_least(2),
            deck::key("splits", &D::splits, "number of pairs of data sets, whose mean distance is the denominator of energy_distance_ratio")
                .at_least(2),
            deck::key("sampler_steps", &D::sampler_steps,
                      "number of steps that the chains of a training run first make with the final parameters")
                .at_least(0)
                .for_tasks({"train"}),
            deck::key("reference", &D::reference, "run directory or HDF5 file to compare with; empty: held-out data of the training run"),
            deck::key("reference_dataset", &D::reference_dataset, "dataset in reference; empty: the samples of a run")}),
       energy_distance,
       LooksAt::samples,
       {},
       false,
       has_points_to_compare_with<D>},
      {deck::schema<W>(
           "sliced_wasserstein", "sliced Wasserstein distances between samples and held-out data, or between two sample files",
           {deck::key("points", &W::points, "number of points from each of the two sets").at_least(2),
            deck::key("projections", &W::projections, "number of random directions").at_least(1),
            deck::key("reference", &W::reference, "run directory or HDF5 file to compare with; empty: held-out data of the training run"),
            deck::key("reference_dataset", &W::reference_dataset, "dataset in reference; empty: the samples of a run")}),
       wasserstein,
       LooksAt::samples,
       {},
       false,
       has_points_to_compare_with<W>},
  };
}

Index final_steps(deck::Document const& deck) {
  Index steps = 0;
  for (deck::Block const* block : deck.all("estimator"))
    if (block->type == "energy_distance") steps = std::max(steps, block->as<DistanceOptions>().sampler_steps);
  return steps;
}

}  // namespace partita
