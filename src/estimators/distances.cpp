#include "estimators/distances.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>
#include <optional>

#include "comm/tile_sums.hpp"
#include "core/copy.hpp"
#include "core/log.hpp"
#include "core/require.hpp"
#include "estimators/entry.hpp"
#include "io/sample_reader.hpp"
#include "io/together.hpp"

namespace partita {
namespace {

constexpr Index most_groups = 20;  // that a jackknife leaves out
constexpr Index blocks = 64;       // units of work that ranks share; their number fixes the order of summation

// Points sorted by group: order[first[g]] ... order[first[g + 1] - 1] are those of group g.
struct Grouped {
  std::vector<std::size_t> order, first;

  Grouped(Groups const& groups, std::size_t points) : order(points), first(std::size_t(groups.number) + 1) {
    std::iota(order.begin(), order.end(), std::size_t{0});
    if (!groups.of.empty()) {
      std::stable_sort(order.begin(), order.end(), [&](std::size_t p, std::size_t q) { return groups.of[p] < groups.of[q]; });
      for (Index g : groups.of) first[std::size_t(g) + 1]++;
      std::partial_sum(first.begin(), first.end(), first.begin());
    } else {
      first.back() = points;
    }
  }
  std::size_t groups() const { return first.size() - 1; }
  std::size_t size(std::size_t g) const { return first[g + 1] - first[g]; }
};

std::vector<double> transposed(std::vector<double> const& points, Index d, std::vector<std::size_t> const& order) {  // (dimension, point)
  std::vector<double> out(points.size());
  for (std::size_t n = 0; n < order.size(); n++)
    for (std::size_t i = 0; i < std::size_t(d); i++) out[i * order.size() + n] = points[order[n] * std::size_t(d) + i];
  return out;
}

// Sums of |a - b| over the pairs of each group of a and each group of b, (group of a, group of b).
std::vector<double> distance_sums(Communicator const& ranks, std::vector<double> const& a, Groups const& of_a, std::vector<double> const& b,
                                  Grouped const& in_b, Index d) {
  Index const n = std::ssize(a) / d, m = std::ssize(b) / d;
  std::size_t const groups = in_b.groups(), table = std::size_t(of_a.number) * groups;
  TileRange const mine = share_of_tiles(blocks, ranks.rank(), ranks.ranks());
  std::vector<double> sums(std::size_t(mine.count) * table), squares(m);
  std::vector<double> const columns = transposed(b, d, in_b.order);
  for (Index block = 0; block < mine.count; block++) {
    TileRange const rows = share_of_tiles(n, int(mine.first + block), int(blocks));
    for (Index r = rows.first; r < rows.end(); r++) {
      std::fill(squares.begin(), squares.end(), 0.);
      for (Index i = 0; i < d; i++) {
        double const ai = a[r * d + i];
        double const* column = columns.data() + i * m;
        double* to = squares.data();
        for (Index j = 0; j < m; j++) to[j] += (ai - column[j]) * (ai - column[j]);
      }
      auto const of_row = of_a.of.empty() ? 0 : std::size_t(of_a.of[r]);
      double* const to = sums.data() + std::size_t(block) * table + of_row * groups;
      for (std::size_t g = 0; g < groups; g++) {
        double sum = 0;
        for (std::size_t j = in_b.first[g]; j < in_b.first[g + 1]; j++) sum += std::sqrt(squares[j]);
        to[g] += sum;
      }
    }
  }
  return sum_over_tiles(ranks, mine, blocks, sums, Index(table));
}

constexpr std::size_t none = std::numeric_limits<std::size_t>::max();

// Mean distance over all pairs without the points of one group of each set.
double mean_distance(std::vector<double> const& sums, Grouped const& a, Grouped const& b, std::size_t without) {
  double sum = 0, n = 0, m = 0;
  for (std::size_t g = 0; g < a.groups(); g++) n += g == without ? 0 : double(a.size(g));
  for (std::size_t h = 0; h < b.groups(); h++) m += h == without ? 0 : double(b.size(h));
  for (std::size_t g = 0; g < a.groups(); g++)
    for (std::size_t h = 0; h < b.groups(); h++) sum += g == without || h == without ? 0 : sums[g * b.groups() + h];
  return sum / (n * m);
}

// The estimate from all groups, with the jackknife error from leaving out each in turn.
Estimate jackknife(std::size_t groups, std::function<double(std::size_t without)> const& estimate) {
  require(groups >= 2, ExitCode::internal, "a jackknife needs at least two groups, not {}", groups);
  std::vector<double> less;
  for (std::size_t g = 0; g < groups; g++) less.push_back(estimate(g));
  double const n = double(groups), mean = std::accumulate(less.begin(), less.end(), 0.) / n;
  double squares = 0;
  for (double v : less) squares += (v - mean) * (v - mean);
  double const error = std::sqrt(squares * (n - 1) / n);  // 0 where all points are the same: then it is not known
  return {estimate(none), error > 0 ? error : std::numeric_limits<double>::quiet_NaN(), n - 1};
}

std::vector<double> direction(random::Key key, Index which, Index d) {
  std::vector<double> v(d);
  double square = 0;
  for (Index i = 0; i < d; i++) {
    auto const w = random::words(key, std::uint64_t(which), random::Stream::projections, 0, std::uint32_t(i));
    v[i] = random::normal_pair(w.w[0], w.w[1], double()).a;
    square += v[i] * v[i];
  }
  for (double& e : v) e /= std::sqrt(square);
  return v;
}

struct Projected {
  double at;
  std::size_t group;
};

std::vector<Projected> sorted_projection(std::vector<double> const& points, std::vector<double> const& v, Groups const& groups) {
  std::vector<Projected> out(points.size() / v.size());
  for (std::size_t p = 0; p < out.size(); p++) {
    for (std::size_t i = 0; i < v.size(); i++) out[p].at += v[i] * points[p * v.size() + i];
    out[p].group = groups.of.empty() ? 0 : std::size_t(groups.of[p]);
  }
  std::sort(out.begin(), out.end(), [](Projected const& a, Projected const& b) { return a.at < b.at; });
  return out;
}

std::vector<double> positions(std::vector<Projected> const& points, std::size_t without) {
  std::vector<double> out;
  out.reserve(points.size());
  for (Projected const& p : points)
    if (p.group != without) out.push_back(p.at);
  return out;
}

// The least common multiple of the two sizes times the integral of |F^-1 - G^-1|^p of the two empirical distributions.
double transport(std::vector<double> const& a, std::vector<double> const& b, int p) {
  std::size_t const common = std::lcm(a.size(), b.size()), of_a = common / a.size(), of_b = common / b.size();
  double sum = 0;
  for (std::size_t i = 0, j = 0, reached = 0; i < a.size();) {
    std::size_t const next = std::min((i + 1) * of_a, (j + 1) * of_b);
    double const cost = p == 1 ? std::abs(a[i] - b[j]) : (a[i] - b[j]) * (a[i] - b[j]);
    sum += double(next - reached) * cost;
    reached = next;
    if (next == (i + 1) * of_a) i++;
    if (next == (j + 1) * of_b) j++;
  }
  return sum;
}

// For each direction of this rank, and each group left out (finally none): transport divided by the common multiple.
std::vector<double> mean_transport(Communicator const& ranks, std::vector<double> const& x, std::vector<double> const& y, Index d, int p,
                                   Index projections, random::Key key, Groups const& of_x, Groups const& of_y) {
  require_all(x.size() == y.size() && !x.empty(), ExitCode::data,
              "the sliced Wasserstein distance compares sets of equal size (there are {} and {} points)", x.size() / std::size_t(d),
              y.size() / std::size_t(d));
  auto const number = std::size_t(of_x.number > 1 ? of_x.number : 0), width = number + 1;
  TileRange const mine = share_of_tiles(projections, ranks.rank(), ranks.ranks());
  std::vector<double> sums(std::size_t(mine.count) * width);
  for (Index k = 0; k < mine.count; k++) {
    auto const v = direction(key, mine.first + k, d);
    auto const a = sorted_projection(x, v, of_x), b = sorted_projection(y, v, of_y);
    for (std::size_t g = 0; g < width; g++) {
      std::size_t const without = g < number ? g : none;
      sums[std::size_t(k) * width + g] = transport(positions(a, without), positions(b, without), p);
    }
  }
  Grouped const in_x(of_x, x.size() / std::size_t(d)), in_y(of_y, y.size() / std::size_t(d));
  auto means = sum_over_tiles(ranks, mine, projections, sums, Index(width));
  for (std::size_t g = 0; g < width; g++) {
    std::size_t const n = in_x.order.size() - (g < number ? in_x.size(g) : 0), m = in_y.order.size() - (g < number ? in_y.size(g) : 0);
    means[g] /= double(projections) * double(std::lcm(n, m));
  }
  return means;
}

double distance_of(double mean, int p) { return p == 1 ? mean : std::sqrt(mean); }

}  // namespace

Groups Groups::of_draws(Index points, Index chains) {
  Groups g{std::min(most_groups, points), {}};
  Index const per_draw = std::min(chains, points);
  for (Index p = 0; p < points; p++) g.of.push_back(per_draw >= most_groups ? p % per_draw * g.number / per_draw : p * g.number / points);
  return g;
}

Estimate squared_energy_distance(Communicator const& ranks, std::vector<double> const& x, std::vector<double> const& y, Index d,
                                 Groups const& of_x, Groups const& of_y) {
  require_all(!x.empty() && !y.empty(), ExitCode::data, "the energy distance needs points on both sides (there are {} and {})",
              x.size() / std::size_t(d), y.size() / std::size_t(d));
  require(of_x.number == of_y.number, ExitCode::internal, "sets in {} and {} groups", of_x.number, of_y.number);
  Grouped const in_x(of_x, x.size() / std::size_t(d)), in_y(of_y, y.size() / std::size_t(d));
  auto const xy = distance_sums(ranks, x, of_x, y, in_y, d), xx = distance_sums(ranks, x, of_x, x, in_x, d),
             yy = distance_sums(ranks, y, of_y, y, in_y, d);
  auto const distance = [&](std::size_t without) {
    return 2 * mean_distance(xy, in_x, in_y, without) - mean_distance(xx, in_x, in_x, without) - mean_distance(yy, in_y, in_y, without);
  };
  if (of_x.number == 1) return {distance(none), std::numeric_limits<double>::quiet_NaN(), 0};
  return jackknife(in_x.groups(), distance);
}
double squared_energy_distance(Communicator const& ranks, std::vector<double> const& x, std::vector<double> const& y, Index d) {
  return squared_energy_distance(ranks, x, y, d, {}, {}).value;
}

Estimate sliced_wasserstein(Communicator const& ranks, std::vector<double> const& x, std::vector<double> const& y, Index d, int p,
                            Index projections, random::Key key, Groups const& of_x, Groups const& of_y) {
  auto const means = mean_transport(ranks, x, y, d, p, projections, key, of_x, of_y);
  return jackknife(means.size() - 1, [&](std::size_t without) { return distance_of(without == none ? means.back() : means[without], p); });
}
double sliced_wasserstein(Communicator const& ranks, std::vector<double> const& x, std::vector<double> const& y, Index d, int p,
                          Index projections, random::Key key) {
  return distance_of(mean_transport(ranks, x, y, d, p, projections, key, {}, {}).back(), p);
}

namespace {

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
      for (Index c = 0; c < reader.chains() && std::ssize(points) < count * dimension; c++) {
        auto const point = values.begin() + (c * reader.draws() + draw) * dimension;
        points.insert(points.end(), point, point + dimension);
      }
  });
  return {std::move(points), chains};
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
  return {s.data->held_out(0, count), count};
}

// Equally many samples and reference points, with the groups in which the jackknife leaves them out.
struct Compared {
  std::vector<double> x, y;
  Index points;
  Groups of_x, of_y;
};

// None where there are fewer than two.
std::optional<Compared> compared_points(Subject const& s, Index count, std::string const& reference, std::string const& dataset) {
  Index const d = s.samples.dimension, there = std::min(count, s.samples.tiling.chains * s.samples.draws);
  if (there < count) log::warning("only {} samples, but the estimator asks for {} points: these are used", there, count);
  std::vector<double> const x = gather_points(s.samples, count);
  Reference const y = reference_points(s, reference, dataset, count);
  Index const n = std::min(there, std::ssize(y.points) / d);
  if (n < 2) return {};
  return Compared{{x.begin(), x.begin() + n * d},
                  {y.points.begin(), y.points.begin() + n * d},
                  n,
                  Groups::of_draws(n, s.samples.tiling.chains),
                  Groups::of_draws(n, y.chains)};
}

Metric of_too_few_points(std::string name) {
  return {std::move(name), NAN, {}, "", "not known: there are fewer than two points to compare; take more draws, chains or items"};
}

char const* const points_alike = "the points are too similar, in all groups or on both sides, to show an error";

Metrics energy_distance(Subject const& s, deck::Block const& block) {
  auto const o = block.as<DistanceOptions>();
  Index const d = s.samples.dimension;
  auto const compared = compared_points(s, o.points, o.reference, o.reference_dataset);
  if (!compared) return {of_too_few_points("energy_distance")};
  auto const& [x, y, points, of_x, of_y] = *compared;
  Estimate const distance = squared_energy_distance(s.samples.ranks, x, y, d, of_x, of_y);
  Metrics out{metric("energy_distance", distance,
                     fmt::format("squared energy distance (V-statistic) of {} samples and as many points {}", points,
                                 o.reference.empty() ? "of the data that were not trained on" : "of " + o.reference))};
  if (!s.data || !o.reference.empty()) return with_reason(std::move(out), points_alike);
  std::vector<double> of_pairs;
  for (Index k = 0; k < o.splits; k++)
    of_pairs.push_back(
        squared_energy_distance(s.samples.ranks, s.data->held_out(2 * k + 2, points), s.data->held_out(2 * k + 3, points), d));
  Estimate const of_data = mean_and_error(of_pairs);
  out.push_back(
      metric("energy_distance_data", of_data,
             fmt::format("mean squared energy distance between two data sets, {} pairs; data from files: all pairs are drawn from the same "
                         "items, and the error does not include how other items would differ",
                         o.splits)));
  out.push_back(metric("energy_distance_ratio", quotient(distance, of_data),
                       "energy_distance over energy_distance_data; 1: as near as data to data"));
  return with_reason(std::move(out), points_alike);
}

Metrics wasserstein(Subject const& s, deck::Block const& block) {
  auto const o = block.as<WassersteinOptions>();
  auto const compared = compared_points(s, o.points, o.reference, o.reference_dataset);
  if (!compared) return {of_too_few_points("sliced_wasserstein_1"), of_too_few_points("sliced_wasserstein_2")};
  Compared const& c = *compared;
  auto const distance = [&](int p) {
    return sliced_wasserstein(s.samples.ranks, c.x, c.y, s.samples.dimension, p, o.projections, s.key, c.of_x, c.of_y);
  };
  return with_reason(
      {metric("sliced_wasserstein_1", distance(1), fmt::format("mean Wasserstein-1 distance over {} directions", o.projections)),
       metric("sliced_wasserstein_2", distance(2), "root mean square of the Wasserstein-2 distances")},
      points_alike);
}

}  // namespace

namespace {
template <class Options>
void list_points(EstimatorListing const& l) {
  l.arrays.count<double>("points of both sides, and as gathered", 4, l.block.as<Options>().points, l.dimension());
}

void list_projections(EstimatorListing const& l) {
  auto const o = l.block.as<WassersteinOptions>();
  list_points<WassersteinOptions>(l);
  // Sorted, with their groups, and as positions alone.
  l.arrays.count<double>("projections of both sides", 6, o.points);
  l.arrays.count<double>("distances in every direction", divide_up(o.projections, l.ranks), most_groups + 1);
  l.arrays.count<double>("the same of all ranks", o.projections, most_groups + 1);
}
}  // namespace

EstimatorEntry energy_distance_estimator() {
  using O = DistanceOptions;
  return {
      deck::schema<O>(
          "energy_distance", "squared energy distance between samples and held-out data, or between two sample files",
          {deck::key("points", &O::points, "number of points from each of the two sets").at_least(2),
           deck::key("splits", &O::splits, "number of pairs of data sets, whose mean distance is the denominator of energy_distance_ratio")
               .at_least(2),
           deck::key("sampler_steps", &O::sampler_steps,
                     "number of steps that the chains of a training run first make with the final parameters")
               .at_least(0)
               .for_tasks({"train"}),
           deck::key("reference", &O::reference, "run directory or HDF5 file to compare with; empty: held-out data of the training run"),
           deck::key("reference_dataset", &O::reference_dataset, "dataset in reference; empty: the samples of a run")}),
      energy_distance,
      LooksAt::samples,
      {},
      false,
      has_points_to_compare_with<O>,
      list_points<O>};
}
EstimatorEntry sliced_wasserstein_estimator() {
  using O = WassersteinOptions;
  return {
      deck::schema<O>(
          "sliced_wasserstein", "sliced Wasserstein distances between samples and held-out data, or between two sample files",
          {deck::key("points", &O::points, "number of points from each of the two sets").at_least(2),
           deck::key("projections", &O::projections, "number of random directions").at_least(1).at_most(1e7),
           deck::key("reference", &O::reference, "run directory or HDF5 file to compare with; empty: held-out data of the training run"),
           deck::key("reference_dataset", &O::reference_dataset, "dataset in reference; empty: the samples of a run")}),
      wasserstein,
      LooksAt::samples,
      {},
      false,
      has_points_to_compare_with<O>,
      list_projections};
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
    if (std::ssize(chains) >= points * d) break;
    auto const x = values_on_host(g.x);
    std::vector<double> mine;
    for (Index t = 0; t < g.mine.count; t++)
      for (Index l = 0; l < g.tiling.chains_in(g.mine.first + t); l++)
        for (Index i = 0; i < d; i++) mine.push_back(x(t, i, l));
    auto const all = ranks.all_gather(mine);
    chains.insert(chains.end(), all.begin(), all.end());
  }
  Index const available = data.size(data::Split::validation);
  std::vector<double> items(std::min(points, available) * d);
  for (Index i = 0; i < std::min(points, available); i++) data.values(data.item(data::Split::validation, i), items.data() + i * d);
  chains.resize(std::min(chains.size(), std::size_t(points * d)));
  return squared_energy_distance(ranks, chains, items, d);
}

}  // namespace partita
