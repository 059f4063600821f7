#include "driver/evaluation.hpp"

#include <cmath>

#include "core/log.hpp"
#include "estimators/convergence.hpp"
#include "estimators/covariance.hpp"
#include "estimators/distances.hpp"
#include "io/collective_file.hpp"
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
struct EnergyGridOptions {
  std::vector<double> lowest = {-4}, highest = {4};
  Index points = 200;
};
struct ObservedOptions {
  Index points = 2000;
};

// What an estimator works on.
struct Subject {
  Evaluation const& evaluation;
  SampleSet const& samples;
};
using Metrics = std::vector<Metric>;

struct EstimatorEntry {
  deck::Schema schema;
  std::function<Metrics(Subject const&, deck::Block const&)> compute;
};

std::string numbered(std::string const& stem, Index i, Index of) { return of == 1 ? stem : fmt::format("{}_{}", stem, i); }

Metrics moments(Subject const& s, deck::Block const& block) {
  Index const d = s.samples.dimension, shown = std::min(d, block.as<MomentsOptions>().coordinates);
  auto const first = expectations(s.samples, shown + 1, [&](float const* x, double energy, double* out) {
    std::copy(x, x + shown, out);
    out[shown] = energy;
  });
  auto const second = expectations(s.samples, shown, [&](float const* x, double, double* out) {
    for (Index i = 0; i < shown; i++) out[i] = (x[i] - first[static_cast<std::size_t>(i)].value) * (x[i] - first[static_cast<std::size_t>(i)].value);
  });
  Metrics out;
  for (Index i = 0; i < shown; i++) {
    auto const k = static_cast<std::size_t>(i);
    out.push_back({numbered("mean", i, d), first[k].value, first[k].error, fmt::format("mean of x_{}; standard error from independent chains", i)});
    out.push_back({numbered("variance", i, d), second[k].value, second[k].error, fmt::format("variance of x_{}", i)});
  }
  if (!s.samples.energy.empty()) out.push_back({"mean_energy", first.back().value, first.back().error, "mean of E(x)"});
  return out;
}

Metrics probability(Subject const& s, deck::Block const& block) {
  auto const o = block.as<ProbabilityOptions>();
  require_all(o.coordinate < s.samples.dimension, ExitCode::usage, "estimator.coordinate = {}, but x has {} coordinates, counted from 0", o.coordinate, s.samples.dimension);
  auto const e = expectations(s.samples, 1, [&](float const* x, double, double* out) { out[0] = x[o.coordinate] < o.below; });
  return {{"probability_below", e[0].value, e[0].error, fmt::format("P(x_{} < {})", o.coordinate, o.below)}};
}

Metrics covariance(Subject const& s, deck::Block const& block) {
  auto const* model = s.evaluation.model;
  auto const known = model ? model->gaussian() : std::vector<GaussianMoments>{};
  require_all(!known.empty(), ExitCode::usage, "estimator.type = \"covariance\" compares with a known covariance, which only a gaussian model has; use \"moments\"");
  bool const of_sampler = block.as<CovarianceOptions>().reference == "sampler" && s.evaluation.sampler;
  Matrix const reference = of_sampler ? s.evaluation.sampler->stationary_covariance(known[0].precision) : inverse(known[0].precision);
  auto const test = test_covariance(s.samples, known[0].mean, reference);
  return {{"covariance_z_max", test.largest_z, {}, fmt::format("largest |z| of the {} covariance entries against {}, at ({}, {})", s.samples.dimension * (s.samples.dimension + 1) / 2,
                                                              of_sampler ? "the sampler's stationary covariance" : "H^-1", test.row, test.column)},
          {"covariance_error_max", test.largest_error, {}, "largest absolute difference of a covariance entry"}};
}

Metrics convergence(Subject const& s, deck::Block const& block) {
  Index const shown = std::min(s.samples.dimension, block.as<ConvergenceOptions>().coordinates), first = s.samples.energy.empty() ? 0 : -1;
  Communicator const& ranks = s.samples.ranks;
  double rhat = 0, bulk = std::numeric_limits<double>::infinity(), tail = bulk;
  for (Index i = first; i < shown; i++) {  // -1: the energy; each series is one rank's work
    Series const series{s.samples.tiling.chains, s.samples.draws, gather_series(s.samples, [i](float const* x, double energy) { return i < 0 ? energy : x[i]; })};
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
std::vector<double> points_of(Communicator const& ranks, std::string const& path, std::string const& dataset, Index dimension, Index count) {
  std::vector<double> points;
  together(ranks, [&] {
    SampleReader const reader(path, dataset);
    require(reader.dimension() == dimension, ExitCode::data, "{}: points of dimension {}, and the samples have {}", reader.where(), reader.dimension(), dimension);
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
std::vector<double> reference_points(Subject const& s, std::string const& path, std::string const& dataset, Index count, std::string const& type) {
  if (!path.empty()) return points_of(s.samples.ranks, path, dataset, s.samples.dimension, count);
  require_all(s.evaluation.data != nullptr, ExitCode::usage, "estimator.type = \"{}\" needs something to compare with; set estimator.reference to a sample file or run", type);
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
  Metrics out{{"energy_distance", distance, {}, fmt::format("squared energy distance (V-statistic) of {} samples and as many held-out points", points)}};
  if (!s.evaluation.data || !o.reference.empty()) return out;
  double sum = 0, square = 0;
  for (Index k = 0; k < o.splits; k++) {
    double const e = squared_energy_distance(s.samples.ranks, s.evaluation.data->held_out(2 * k + 2, points), s.evaluation.data->held_out(2 * k + 3, points), d);
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
  auto const distance = [&](int p) { return sliced_wasserstein(s.samples.ranks, x, y, s.samples.dimension, p, o.projections, s.evaluation.context.key); };
  return {{"sliced_wasserstein_1", distance(1), {}, fmt::format("mean Wasserstein-1 distance over {} directions", o.projections)},
          {"sliced_wasserstein_2", distance(2), {}, "root mean square of the Wasserstein-2 distances"}};
}

// E(x) at points (point, dimension), a tile at a time on this rank.
std::vector<double> energies(DifferentiableModel& model, std::vector<double> const& points) {
  Index const d = model.dimension(), n = static_cast<Index>(points.size()) / d;
  Tiling const tiling{n, pitch_quantum};
  TileStorage const x("points", 1, d, tiling.pitch()), gradient("gradient at points", 1, d, tiling.pitch());
  TileScalarStorage const energy("energy at points", 1, tiling.pitch());
  auto const host_x = Kokkos::create_mirror_view(x);
  auto const host_energy = Kokkos::create_mirror_view(energy);
  model.reserve(1, tiling.width);
  std::vector<double> out;
  for (Index tile = 0; tile < tiling.tiles(); tile++) {
    Index const lanes = tiling.lanes(tile), real = tiling.chains_in(tile);
    for (Index l = 0; l < lanes; l++)
      for (Index i = 0; i < d; i++) host_x(0, i, l) = static_cast<Real>(points[static_cast<std::size_t>((tile * tiling.width + std::min(l, real - 1)) * d + i)]);
    Kokkos::deep_copy(x, host_x);
    auto const row = std::pair(Index{0}, lanes);
    model.energy_and_gradient(Kokkos::subview(x, Kokkos::ALL, Kokkos::ALL, row), Kokkos::subview(energy, Kokkos::ALL, row), Kokkos::subview(gradient, Kokkos::ALL, Kokkos::ALL, row));
    Kokkos::deep_copy(host_energy, energy);
    for (Index l = 0; l < real; l++) out.push_back(host_energy(0, l));
  }
  return out;
}

Metrics energy_grid(Subject const& s, deck::Block const& block) {
  auto const o = block.as<EnergyGridOptions>();
  auto* const model = s.evaluation.model;
  require_all(model && model->dimension() <= 2, ExitCode::usage, "estimator.type = \"energy_grid\" draws energies of one or two dimensions; remove it for this model");
  Index const d = model->dimension(), n = o.points;
  auto const axis = [&](std::size_t which) {
    double const low = o.lowest[std::min(which, o.lowest.size() - 1)], high = o.highest[std::min(which, o.highest.size() - 1)];
    std::vector<double> a(static_cast<std::size_t>(n));
    for (Index k = 0; k < n; k++) a[static_cast<std::size_t>(k)] = low + (high - low) * static_cast<double>(k) / static_cast<double>(n - 1);
    return a;
  };
  std::vector<std::vector<double>> axes;
  for (Index k = 0; k < d; k++) axes.push_back(axis(static_cast<std::size_t>(k)));
  std::vector<double> points;
  for (double a : axes[0]) {
    if (d == 1) points.push_back(a);
    else for (double b : axes[1]) points.insert(points.end(), {a, b});
  }
  auto const values = energies(*model, points);
  on_root(s.samples.ranks, [&] {
    write_alone(s.evaluation.context.directory.estimates() / "energy_grid.h5", [&](hdf5::File const& file) {
      describe(file, s.evaluation.context.provenance);
      for (Index k = 0; k < d; k++) file.write(fmt::format("x{}", k), axes[static_cast<std::size_t>(k)]);
      file.create_dataset("energy", hdf5::native_type<double>(), hdf5::Extents(static_cast<std::size_t>(d), n)).write(values);
    });
  });
  return {};
}

Metrics point_energies(Subject const& s, deck::Block const&) {
  require_all(!s.samples.energy.empty(), ExitCode::usage, "estimator.type = \"energies\" needs a [model] for the points of input.path; add one");
  auto const values = gather_series(s.samples, [](float const*, double energy) { return energy; });
  on_root(s.samples.ranks, [&] {
    write_alone(s.evaluation.context.directory.estimates() / "energies.h5", [&](hdf5::File const& file) {
      describe(file, s.evaluation.context.provenance);
      file.create_dataset("energy", hdf5::native_type<double>(), {s.samples.tiling.chains, s.samples.draws}).write(values);
    });
  });
  return {};
}

Metrics observed_data(Subject const& s, deck::Block const& block) {
  require_all(s.evaluation.data != nullptr, ExitCode::usage, "estimator.type = \"observed_data\" keeps training items, which only a training run has; remove it");
  auto const& data = *s.evaluation.data;
  Index const d = data.dimension(), count = std::min(block.as<ObservedOptions>().points, data.size(data::Split::train));
  std::vector<float> values(static_cast<std::size_t>(count * d));
  for (Index i = 0; i < count; i++) data.values(data.item(data::Split::train, i), values.data() + i * d);
  on_root(s.samples.ranks, [&] {
    write_alone(s.evaluation.context.directory.estimates() / "observed_data.h5", [&](hdf5::File const& file) {
      describe(file, s.evaluation.context.provenance);
      auto const x = file.create_dataset("observed_data/x", hdf5::native_type<float>(), {count, d});
      x.write(values);
      if (data.shape().size() >= 2) x.set_attribute("image_shape", data.shape());
    });
  });
  return {};
}

std::vector<EstimatorEntry> const& estimators() {
  static std::vector<EstimatorEntry> const table = [] {
    using M = MomentsOptions;
    using P = ProbabilityOptions;
    using C = CovarianceOptions;
    using V = ConvergenceOptions;
    using D = DistanceOptions;
    using W = WassersteinOptions;
    using G = EnergyGridOptions;
    using O = ObservedOptions;
    return std::vector<EstimatorEntry>{
        {deck::schema<M>("moments", "mean and variance of coordinates, mean energy, with standard errors from independent chains",
                         {deck::key("coordinates", &M::coordinates, "how many of the first coordinates").at_least(0)}),
         moments},
        {deck::schema<P>("probability", "P(x_i < threshold)",
                         {deck::key("coordinate", &P::coordinate, "i, counted from 0").at_least(0), deck::key("below", &P::below, "the threshold").required()}),
         probability},
        {deck::schema<C>("covariance", "sample covariance of a gaussian model against the exact one, entry by entry",
                         {deck::key("reference", &C::reference, "sampler: the covariance this sampler has at this step size; exact: H^-1").one_of({"sampler", "exact"})}),
         covariance},
        {deck::schema<V>("convergence", "rank-normalised split R-hat, bulk and tail effective sample size (Vehtari et al. 2021)",
                         {deck::key("coordinates", &V::coordinates, "how many of the first coordinates, beside the energy").at_least(0)}),
         convergence},
        {deck::schema<D>("energy_distance", "squared energy distance of samples and held-out data, or of two sample files",
                         {deck::key("points", &D::points, "points on each side").at_least(2), deck::key("splits", &D::splits, "pairs of data sets for the ratio").at_least(2),
                          deck::key("sampler_steps", &D::sampler_steps, "steps that the chains of a training run make with the final parameters before").at_least(0).for_tasks({"train"}),
                          deck::key("reference", &D::reference, "run directory or HDF5 file to compare with; empty: held-out data of the training run"),
                          deck::key("reference_dataset", &D::reference_dataset, "its dataset; empty: the samples of a run")}),
         energy_distance},
        {deck::schema<W>("sliced_wasserstein", "sliced Wasserstein distances of samples and held-out data, or of two sample files",
                         {deck::key("points", &W::points, "points on each side").at_least(2), deck::key("projections", &W::projections, "random directions").at_least(1),
                          deck::key("reference", &W::reference, "run directory or HDF5 file to compare with; empty: held-out data of the training run"),
                          deck::key("reference_dataset", &W::reference_dataset, "its dataset; empty: the samples of a run")}),
         wasserstein},
        {{"energies", "E(x) of every point, (chain, draw): estimates/energies.h5", {}}, point_energies},
        {deck::schema<G>("energy_grid", "E(x) on a grid of one or two dimensions, for pictures: estimates/energy_grid.h5",
                         {deck::key("lowest", &G::lowest, "lower ends, one or one a coordinate"), deck::key("highest", &G::highest, "upper ends"),
                          deck::key("points", &G::points, "grid points along a coordinate").at_least(2)}),
         energy_grid},
        {deck::schema<O>("observed_data", "training items beside the samples, for pictures: estimates/observed_data.h5",
                         {deck::key("points", &O::points, "items kept").at_least(1)}),
         observed_data},
    };
  }();
  return table;
}

Metrics compute(Evaluation const& evaluation, SampleSet const& samples) {
  Metrics out;
  for (deck::Block const* block : evaluation.context.deck.all("estimator"))
    for (auto const& entry : estimators())
      if (entry.schema.type == block->type)
        for (Metric& m : entry.compute({evaluation, samples}, *block)) out.push_back(std::move(m));
  return out;
}

// This rank's chains of a file, (chain, draw, dimension), the last `draws` of them.
SampleSet read_samples(Communicator const& ranks, SampleReader const& reader, Tiling const& tiling, Index draws) {
  SampleSet s{ranks, tiling, share_of_tiles(tiling.tiles(), ranks.rank(), ranks.ranks()), reader.draws(), reader.dimension(), {}, {}};
  Index const first = std::min(tiling.first_chain(s.mine.first), tiling.chains), count = s.chains_here();
  s.x = reader.read<float>(first, count);
  if (!reader.draw_labels().empty()) s.energy = reader.read_statistic("energy", first, count);
  if (draws == 0 || draws >= s.draws) return s;
  SampleSet last{ranks, tiling, s.mine, draws, s.dimension, {}, {}};
  for (Index c = 0; c < count; c++) {
    last.x.insert(last.x.end(), s.point(c, s.draws - draws), s.point(c, s.draws - 1) + s.dimension);
    for (Index d = s.draws - draws; d < s.draws && !s.energy.empty(); d++) last.energy.push_back(s.energy_of(c, d));
  }
  return last;
}

}  // namespace

deck::Section input_section() {
  using O = InputOptions;
  return {.name = "input",
          .doc = "the points that estimate is about",
          .common = {deck::key("path", &O::path, "run directory, sample file, or any HDF5 file").required(),
                     deck::key("dataset", &O::dataset, "dataset of points (n, d) in that file; empty: the samples of a run")},
          .tasks = {"estimate"},
          .required_for = {"estimate"}};
}

deck::Section estimator_section() {
  deck::Section s{.name = "estimator", .doc = "numbers at the end of a run, into summary.json; any number of them", .repeated = true, .on_restart = deck::OnRestart::free};
  for (auto const& e : estimators()) {
    s.types.push_back(e.schema);
    for (deck::Key& k : s.types.back().keys) k.free_on_restart();
  }
  return s;
}

Index final_steps(deck::Document const& deck) {
  Index steps = 0;
  for (deck::Block const* block : deck.all("estimator"))
    if (block->type == "energy_distance") steps = std::max(steps, block->as<DistanceOptions>().sampler_steps);
  return steps;
}

double validation_distance(Communicator const& ranks, std::vector<Chains> const& generations, data::Dataset const& data, Index points) {
  Index const d = data.dimension();
  std::vector<double> chains;
  for (Chains const& g : generations) {
    if (static_cast<Index>(chains.size()) >= points * d) break;
    auto const x = Kokkos::create_mirror_view_and_copy(Kokkos::HostSpace(), g.x);
    std::vector<double> mine;
    for (Index t = 0; t < g.mine.count; t++)
      for (Index l = 0; l < g.tiling.chains_in(g.mine.first + t); l++)
        for (Index i = 0; i < d; i++) mine.push_back(x(t, i, l));
    auto const all = ranks.all_gather(mine);
    chains.insert(chains.end(), all.begin(), all.end());
  }
  Index const available = data.size(data::Split::validation);
  require_all(available > 1, ExitCode::usage, "train.keep_best = \"validation\" needs validation items and there are {}; set data.validation_fraction", available);
  std::vector<double> items(static_cast<std::size_t>(std::min(points, available) * d));
  for (Index i = 0; i < std::min(points, available); i++) data.values(data.item(data::Split::validation, i), items.data() + i * d);
  chains.resize(std::min(chains.size(), static_cast<std::size_t>(points * d)));
  return squared_energy_distance(ranks, chains, items, d);
}

std::vector<Metric> Evaluation::of_run(Tiling const& tiling, Index draws) const {
  if (context.deck.all("estimator").empty()) return {};
  if (!std::filesystem::exists(context.directory.all_samples())) {
    log::warning("no draws were kept, so the estimators have nothing to look at; sampler.steps must exceed sampler.warmup by sampler.thin");
    return {};
  }
  SampleSet samples{context.ranks, {}, {}, 0, 0, {}, {}};
  together(context.ranks, [&] { samples = read_samples(context.ranks, SampleReader(context.directory.root()), tiling, draws); });
  return compute(*this, samples);
}

std::vector<Metric> Evaluation::of_input() const {
  auto const o = context.deck.at("input").as<InputOptions>();
  SampleSet samples{context.ranks, {}, {}, 0, 0, {}, {}};
  together(context.ranks, [&] {
    SampleReader const reader(o.path, o.dataset);
    samples = read_samples(context.ranks, reader, {reader.chains(), pitch_quantum}, 0);
    if (!model) return;
    require(model->dimension() == reader.dimension(), ExitCode::data, "{}: points of dimension {}, and the model takes {}", reader.where(), reader.dimension(), model->dimension());
    samples.energy = energies(*model, {samples.x.begin(), samples.x.end()});
  });
  return compute(*this, samples);
}

}  // namespace partita
