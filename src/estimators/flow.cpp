#include "estimators/flow.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "comm/tile_sums.hpp"
#include "core/copy.hpp"
#include "core/require.hpp"
#include "estimators/entry.hpp"
#include "estimators/point_values.hpp"
#include "io/sample_reader.hpp"
#include "io/together.hpp"

namespace partita {
namespace {

constexpr double missed_below = 0.1;   // share of the reference's mass below which a cell is missed
constexpr double least_expected = 10;  // expected number of samples from which on a cell is examined
constexpr Index panels = 64;  // of a cell, in quadrature: the midpoint rule is spectrally accurate where the density vanishes at both ends

// exp(log w - largest) of this rank's samples.
std::vector<double> relative_weights(WeightedSamples const& s, double& largest) {
  largest = -std::numeric_limits<double>::infinity();
  for (double w : s.log_weight) largest = std::max(largest, w);
  largest = s.samples.ranks.all_reduce(largest, Reduction::maximum);
  std::vector<double> out;
  for (double w : s.log_weight) out.push_back(std::exp(w - largest));
  return out;
}

Tiling tiling_of(Index samples) { return {samples, std::min(flow_tile_width, round_up(samples, lane_quantum))}; }

// n sums over all samples; add(i, sums) adds the terms of this rank's sample i.
std::vector<double> total(SampleSet const& s, Index n, std::function<void(Index, double*)> const& add) {
  std::vector<double> per_tile(s.mine.count * n);
  Index i = 0;
  for (Index t = 0; t < s.mine.count; t++)
    for (Index l = 0; l < s.tiling.chains_in(s.mine.first + t); l++) add(i++, per_tile.data() + t * n);
  return sum_over_tiles(s.ranks, s.mine, s.tiling.tiles(), per_tile, n);
}

// The sums of masses(): the samples in each cell, their weights, and the sum of all weights.
Index sums_of_masses(Index cells) { return 2 * cells + 1; }

}  // namespace

WeightedSamples draw_flow(Nice& flow, DifferentiableModel& target, Index samples, Communicator ranks, random::Key key) {
  Tiling const tiling = tiling_of(samples);
  TileRange const mine = share_of_tiles(tiling.tiles(), ranks.rank(), ranks.ranks());
  Index const d = flow.dimension();
  WeightedSamples out{{ranks, tiling, mine, 1, d, {}, {}}, {}};
  target.reserve(1, tiling.width);
  FlowDraws draws(flow, tiling, mine);
  draws.draw(flow, target, key, 0);
  auto const xy = values_on_host(draws.xy);
  auto const energy = values_on_host(draws.energy), log_weight = values_on_host(draws.log_weight);
  for (Index t = 0; t < mine.count; t++)
    for (Index l = 0; l < tiling.chains_in(mine.first + t); l++) {
      for (Index i = 0; i < d; i++) out.samples.x.push_back(float(xy(t, i, l)));
      out.samples.energy.push_back(energy(t, l));
      out.log_weight.push_back(log_weight(t, l));
    }
  return out;
}

Importance importance(WeightedSamples const& s) {
  auto const log_weights = s.samples.ranks.all_gather(s.log_weight);
  auto const log_w = mean_and_error(log_weights);
  auto const log_z = log_mean_exp(log_weights);
  auto differences = log_weights;  // becomes w / mean w - log w, whose mean is 1 + KL - log Z
  for (double& w : differences) w = std::exp(w - log_z.value) - w;
  double const error = log_z.trusted() ? std::hypot(mean_and_error(differences).error, log_z.unseen) : log_z.error();
  return {log_z, {-log_w.value, log_w.error, log_w.degrees_of_freedom}, {log_z.value - log_w.value, error, log_w.degrees_of_freedom}};
}

Probability probability(WeightedSamples const& s, std::function<bool(float const*)> const& holds) {
  std::vector<double> mine;
  for (Index i = 0; i < s.samples.chains_here(); i++) mine.push_back(holds(s.samples.point(i, 0)) ? 1 : 0);
  auto const all = s.samples.ranks.all_gather(mine);
  return {share_and_error(std::accumulate(all.begin(), all.end(), 0.), double(all.size())),
          weighted_share(s.samples.ranks.all_gather(s.log_weight), {all.begin(), all.end()})};
}

Masses masses(WeightedSamples const& s, Index n, std::function<Index(float const*)> const& cell) {
  double largest = 0;
  auto const w = relative_weights(s, largest);
  auto const sums = total(s.samples, sums_of_masses(n), [&](Index i, double* sum) {
    double const wi = w[i];
    sum[2 * n] += wi;
    Index const at = cell(s.samples.point(i, 0));
    if (at >= 0) sum[at] += 1, sum[n + at] += wi;
  });
  Masses out;
  for (Index k = 0; k < n; k++) {
    out.direct.push_back(sums[k] / double(s.samples.tiling.chains));
    out.weighted.push_back(sums[n + k] / sums.back());
  }
  return out;
}

double covered(std::vector<double> const& reference, std::vector<double> const& weighted, Index samples) {
  double looked_at = 0, found = 0;
  for (std::size_t k = 0; k < reference.size(); k++) {
    if (reference[k] * double(samples) < least_expected) continue;
    looked_at += reference[k];
    if (weighted[k] >= missed_below * reference[k]) found += reference[k];
  }
  return looked_at > 0 ? found / looked_at : std::numeric_limits<double>::quiet_NaN();
}

Coverage coverage(WeightedSamples const& s, std::vector<double> const& reference, Index coordinates, Index cells) {
  Index const d = s.samples.dimension, n = std::ssize(reference) / d, shown = std::min(coordinates, d);
  std::vector<double> lowest(shown, std::numeric_limits<double>::infinity()), highest(shown, -std::numeric_limits<double>::infinity());
  for (Index p = 0; p < n; p++)
    for (Index i = 0; i < shown; i++) {
      double const x = reference[p * d + i];
      double &low = lowest[i], &high = highest[i];
      low = std::min(low, x), high = std::max(high, x);
    }
  auto const along = [&](double x, Index i) -> Index {
    double const low = lowest[i], width = highest[i] - low;
    double const at = std::floor((x - low) / width * double(cells));
    return at >= 0 && at < double(cells) ? Index(at) : x == low + width ? cells - 1 : -1;
  };
  auto const cell = [&](auto const* x, Index i, Index j) {
    Index const a = along(double(x[i]), i), b = along(double(x[j]), j);
    return a < 0 || b < 0 ? Index{-1} : a * cells + b;
  };
  Coverage worst{std::numeric_limits<double>::quiet_NaN()};
  for (Index j = 0; j < shown; j++)
    for (Index i = 0; i < std::max<Index>(j, d == 1 ? 1 : 0); i++) {
      std::vector<double> share(cells * cells);
      for (Index p = 0; p < n; p++)
        if (Index const at = cell(reference.data() + p * d, i, j); at >= 0) share[at] += 1 / double(n);
      auto const found = masses(s, cells * cells, [&](float const* x) { return cell(x, i, j); });
      double const c = covered(share, found.weighted, std::min(n, s.samples.tiling.chains));
      if (c < worst.covered || std::isnan(worst.covered)) worst = {c, i, j};
    }
  return worst;
}

Quadrature quadrature(std::function<std::vector<double>(std::vector<double> const&)> const& energy, double lowest, double highest,
                      Index cells) {
  double const h = (highest - lowest) / double(cells * panels);
  std::vector<double> points;
  points.reserve(std::size_t(cells * panels));
  for (Index k = 0; k < cells * panels; k++) points.push_back(lowest + h * (double(k) + 0.5));
  auto const u = energy(points);
  double const least = *std::min_element(u.begin(), u.end());
  Quadrature out{0, std::vector<double>(cells)};
  for (std::size_t k = 0; k < u.size(); k++) out.masses[k / panels] += h * std::exp(least - u[k]);
  double const sum = std::accumulate(out.masses.begin(), out.masses.end(), 0.);
  for (double& m : out.masses) m /= sum;
  out.log_z = std::log(sum) - least;
  return out;
}

namespace {

struct FlowOptions {
  Index samples = 100000;
  double log_z_exact = std::numeric_limits<double>::quiet_NaN();
  Index coordinate = 0;
  double threshold = 0;
  std::string reference;
  std::string reference_dataset;
  Index coordinates = 16;
  Index cells = 10;
  double lowest = -4, highest = 4;
  Index bins = 200;
};

constexpr std::size_t least_samples = 100000;
constexpr double least_covered = 0.97;

// The mass of a reference that the weighted samples reach, and a description of that reference.
struct Reached {
  double mass;
  std::string of;
  bool well() const { return mass >= least_covered; }
};

// For plots, estimates/flow_histogram.h5: bin centres `x` with the target's U(x) in `energy`, its `density` by quadrature, and the flow's
// densities `density_direct` by number of samples and `density_weighted` by their weights, all (bins); attribute log_z, by quadrature.
void write_histograms(Subject const& s, DifferentiableModel& target, Quadrature const& law, Masses const& found, FlowOptions const& o) {
  double const width = (o.highest - o.lowest) / double(o.bins);
  std::vector<double> centres;
  for (Index k = 0; k < o.bins; k++) centres.push_back(o.lowest + width * (double(k) + 0.5));
  auto const energy = energies(target, centres);
  write_estimate(s, "flow_histogram", [&](hdf5::File const& file) {
    file.set_attribute("log_z", law.log_z);
    auto const density = [&](std::string const& name, std::vector<double> values) {
      for (double& v : values) v /= width;
      file.write(name, values);
    };
    file.write("x", centres);
    file.write("energy", energy);
    density("density", law.masses);
    density("density_direct", found.direct);
    density("density_weighted", found.weighted);
  });
}

// One dimension: comparison with quadrature. Writes the histograms.
Reached compare_with_quadrature(Subject const& s, WeightedSamples const& samples, DifferentiableModel& target, Quadrature const& law,
                                FlowOptions const& o) {
  double const width = (o.highest - o.lowest) / double(o.bins);
  auto const found = masses(samples, o.bins, [&](float const* x) {
    double const at = std::floor((double(x[0]) - o.lowest) / width);
    return at >= 0 && at < double(o.bins) ? Index(at) : Index{-1};
  });
  write_histograms(s, target, law, found, o);
  return {covered(law.masses, found.weighted, samples.samples.tiling.chains),
          fmt::format("between {} and {} (quadrature)", o.lowest, o.highest)};
}

// More dimensions: comparison with all draws of independent samples of the target.
Reached compare_with_samples(Subject const& s, WeightedSamples const& samples, FlowOptions const& o) {
  std::vector<double> points;
  together(s.samples.ranks, [&] {
    SampleReader const reader(o.reference, o.reference_dataset);
    require(reader.dimension() == samples.samples.dimension, ExitCode::data, "{}: points of dimension {}, but the flow's have {}",
            reader.where(), reader.dimension(), samples.samples.dimension);
    points = reader.read<double>(0, reader.chains());
  });
  auto const worst = coverage(samples, points, o.coordinates, o.cells);
  return {worst.covered, fmt::format("of {} in coordinates {} and {}, the worst pair", o.reference, worst.first, worst.second)};
}

// The mass of the target that the samples reach, by a comparison that is independent of the flow, if there is one.
Metric coverage_metric(std::optional<Reached> const& reached, bool compares) {
  Metric m{"coverage", std::numeric_limits<double>::quiet_NaN(), {}, "mass of the target that the weighted samples reach"};
  if (!reached) {
    m.warning = compares ? "not known: with so few samples or reference points no cell is expected to contain ten of them; raise "
                           "estimator.samples, or take a longer reference"
                         : "nothing independent to compare with: modes that the flow misses leave no trace in its weights; set "
                           "estimator.reference to a run of the target";
    return m;
  }
  m.value = reached->mass, m.definition += ", " + reached->of;
  if (!reached->well())
    m.warning = fmt::format(
        "THE FLOW MISSES MODES OF ITS TARGET: its weighted samples reach only {:.4g} of the mass {}. log_z, ess_fraction and every "
        "weighted average are wrong although they look well; anneal from a smaller objective.beta_start or over more updates, or add "
        "couplings or redundant latents",
        reached->mass, reached->of);
  return m;
}

char const* const train_longer =
    "train the flow until it covers its target: more updates, a slower annealing, more couplings or redundant latents";

// log Z from the weights: their standard error is wrong where they miss a part of the target.
Metric log_z_metric(LogMean const& log_z, std::optional<Reached> const& reached) {
  Metric m{"log_z", log_z.value, log_z.error(), fmt::format("log of the mean weight of {} samples", log_z.count),
           doubt(log_z, train_longer)};
  if (reached && !reached->well()) m.error = std::numeric_limits<double>::quiet_NaN();
  return m;
}

// Without independent evidence that the flow covers its target, an event with less than 1 % of the samples may be rare in the target or a
// mode that the flow misses: the weights look the same in both cases.
Metric weighted_share_metric(WeightedShare const& share, Estimate const& direct, std::string const& event,
                             std::optional<Reached> const& reached) {
  Metric m{"p_right_weighted", share.value, share.error, event + " by their weights"};
  if (!share.doubt.empty()) {
    m.warning = share.doubt + "; " + train_longer;
  } else if (reached && !reached->well()) {
    m.error = std::numeric_limits<double>::quiet_NaN();  // coverage has the warning
  } else if (!reached && std::min(direct.value, 1 - direct.value) < 0.01) {
    m.error = std::numeric_limits<double>::quiet_NaN();
    m.warning =
        "less than 1 % of the samples are on one side of the event, and nothing independent of the flow tells whether the target's mass is "
        "as rare there; set estimator.reference to a run of the target";
  }
  return m;
}

// With few samples a flow that misses a mode often has a perfect effective sample size.
Metric ess_metric(LogMean const& log_z) {
  Metric m{"ess_fraction",
           log_z.effective / double(log_z.count),
           {},
           "share of the samples that count, (sum w)^2 / (N sum w^2) of their weights w"};
  if (log_z.count < least_samples)
    m.warning = fmt::format(
        "with fewer than {} samples it usually looks perfect even for a flow that misses a mode; raise estimator.samples", least_samples);
  return m;
}

void fits_flow(Fit const& fit) {
  auto const o = fit.own.as<FlowOptions>();
  if (fit.sizes && o.coordinate >= fit.sizes->dimension)
    fit.refuse("coordinate",
               fmt::format("estimator.coordinate = {}, but x has {} coordinates, counted from 0", o.coordinate, fit.sizes->dimension));
  if (o.lowest >= o.highest)
    fit.refuse("lowest", fmt::format("estimator.lowest = {} is not below estimator.highest = {}; the target's mass lies between them",
                                     o.lowest, o.highest));
  if (auto const* const reference = fit.reference(); reference && fit.sizes && reference->dimension != fit.sizes->dimension)
    fit.refuse("reference", fmt::format("{}: points of dimension {}, but the flow's have {}", reference->where, reference->dimension,
                                        fit.sizes->dimension));
}

void list_flow(EstimatorListing const& l) {
  auto const& model = as<Nice const>(*l.model);
  auto const o = l.block.as<FlowOptions>();
  Tiling const tiling = tiling_of(o.samples);
  Index const tiles = Share{tiling, 0, int(l.ranks)}.mine().count, samples = tiles * tiling.width, d = model.dimension();
  l.arrays.count<Real>("latents and samples", samples, 2 * model.latent_dimension() + d);
  l.arrays.count<double>("energies and weights", 2, samples);
  l.arrays.count<double>("weights of all samples, and what is made of them", 4, o.samples);
  if (d > 1 && o.reference.empty()) return;
  Index const sums = sums_of_masses(d == 1 ? o.bins : o.cells * o.cells);
  l.arrays.count<double>("masses of the cells, tile by tile", tiles, sums);
  l.arrays.count<double>("the same of all ranks", tiling.tiles(), sums);
  if (d == 1) l.arrays.count<double>("points of the quadrature, and energies there", 2, panels, o.bins);
}

Metrics flow(Subject const& s, deck::Block const& block) {
  auto const o = block.as<FlowOptions>();
  auto& model = as<Nice>(*s.model);
  Index const d = model.dimension();
  bool const one_dimension = d == 1, compares = one_dimension || !o.reference.empty();
  auto const target = s.make_target();
  auto const samples = draw_flow(model, *target, o.samples, s.samples.ranks, random::derived_key(s.key, random::Stream::flow_latents, 3));
  auto const weights = importance(samples);
  auto const right = probability(samples, [&](float const* x) { return double(x[o.coordinate]) > o.threshold; });

  double log_z = weights.log_z.value;
  bool const log_z_known = one_dimension || !std::isnan(o.log_z_exact);
  std::string log_z_of = "the estimated log Z";
  std::optional<Reached> reached;
  if (one_dimension) {
    auto const law = quadrature([&](std::vector<double> const& points) { return energies(*target, points); }, o.lowest, o.highest, o.bins);
    log_z = law.log_z, log_z_of = "log Z by quadrature";
    reached = compare_with_quadrature(s, samples, *target, law, o);
  } else if (compares) {
    reached = compare_with_samples(s, samples, o);
  }
  if (reached && std::isnan(reached->mass)) reached.reset();
  if (!std::isnan(o.log_z_exact)) log_z = o.log_z_exact, log_z_of = "estimator.log_z_exact";

  std::string const event = fmt::format("P(x_{} > {})", o.coordinate, o.threshold);
  Metric const log_z_estimate = log_z_metric(weights.log_z, reached);
  double const error = log_z_known                         ? weights.criterion.error
                       : std::isnan(*log_z_estimate.error) ? *log_z_estimate.error
                                                           : weights.divergence.error;
  return {metric("kl_bound", {weights.criterion.value + log_z, error, weights.criterion.degrees_of_freedom},
                 "KL divergence in nats of the flow from its target, latents included: at least that of x alone; with " + log_z_of),
          log_z_estimate,
          ess_metric(weights.log_z),
          {"pareto_k", weights.log_z.tail_index, {}, "tail index of the weights; above 0.7 no mean of them has a known error"},
          metric("criterion", weights.criterion,
                 "kl_bound less log Z, the mean of -log w: compares flows of one target, the smaller the better"),
          metric("p_right", right.direct, event + " of the flow's samples"),
          weighted_share_metric(right.weighted, right.direct, event, reached),
          coverage_metric(reached, compares)};
}

}  // namespace

EstimatorEntry flow_estimator() {
  using F = FlowOptions;
  return {deck::schema<F>(
              "flow",
              "how well a nice flow samples its [target]: KL divergence, importance-weighted log Z, effective sample size, coverage; in "
              "one dimension estimates/flow_histogram.h5",
              {deck::key("samples", &F::samples, "number of samples of the flow").at_least(2).at_most(1e9),
               deck::key("log_z_exact", &F::log_z_exact,
                         "known log Z of the target, for kl_bound; left out: by quadrature in one dimension, else estimated")
                   .formerly("log_c_exact"),
               deck::key("coordinate", &F::coordinate, "coordinate i of p_right = P(x_i > threshold), counted from 0").at_least(0),
               deck::key("threshold", &F::threshold, "threshold of p_right = P(x_i > threshold)"),
               deck::key("reference", &F::reference,
                         "run directory or HDF5 file with independent samples of the target, for the coverage in more than one dimension"),
               deck::key("reference_dataset", &F::reference_dataset, "dataset in reference; empty: the samples of a run"),
               deck::key("coordinates", &F::coordinates, "number of coordinates, from the first on, whose pairs the coverage looks at")
                   .at_least(2),
               deck::key("cells", &F::cells, "number of cells along each coordinate of a pair").at_least(2).at_most(1000),
               deck::key("lowest", &F::lowest, "one dimension: lower end of quadrature and histograms"),
               deck::key("highest", &F::highest, "one dimension: upper end of quadrature and histograms"),
               deck::key("bins", &F::bins, "number of bins of the histograms").at_least(10).at_most(1e5)}),
          flow,
          LooksAt::model_or_data,
          needs<Nice>(),
          false,
          fits_flow,
          list_flow};
}

}  // namespace partita
