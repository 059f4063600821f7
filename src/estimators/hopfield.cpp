#include "estimators/hopfield.hpp"

#include <cmath>
#include <limits>

#include "core/copy.hpp"
#include "estimators/entry.hpp"
#include "models/hopfield.hpp"
#include "samplers/chains.hpp"

namespace partita {
namespace {

using Range = Kokkos::RangePolicy<Execution, Kokkos::IndexType<Index>>;

constexpr Index states_of_a_tile = 128;  // columns of the products with the patterns

// Writes patterns number first, first + 1, ... of X (unit, pattern) into the lanes of x, starting over after the last.
void show(ConstVector patterns, Index units, Index first, TileStorage const& x) {
  Index const count = extent(patterns, 0) / units, lanes = extent(x, 2);
  Kokkos::parallel_for(
      "partita::show_patterns", Range(0, units), KOKKOS_LAMBDA(Index i) {
        for (Index l = 0; l < lanes; l++) x(0, i, l) = patterns(i * count + (first + l) % count);
      });
}

// N times the sum of the overlaps of the first `lanes` lanes: an integer, like all partial sums, hence exact.
Index overlap_sum(TileStorage const& a, TileStorage const& b, Index lanes) {
  Index sum = 0;
  Kokkos::parallel_reduce(
      "partita::overlaps", Range(0, extent(a, 1)),
      KOKKOS_LAMBDA(Index i, Index & total) {
        Real const *const u = &a(0, i, 0), *const v = &b(0, i, 0);
        std::int32_t row = 0;
        for (Index l = 0; l < lanes; l++) row += u[l] == v[l] ? 1 : -1;
        total += row;
      },
      sum);
  return sum;
}

// The patterns or queries of a set, a tile at a time.
Tiling tiling_of(Index states) { return {states, std::min(states_of_a_tile, round_up(states, lane_quantum))}; }

// The states of a tile: the patterns shown, and what becomes of them.
struct RecalledTile {
  TileStorage start, x;
  RecalledTile(Arrays arrays, Index units, Index pitch)
      : start(arrays.make<TileStorage>("patterns shown", 1, units, pitch)),
        x(arrays.make<TileStorage>("recalled states", 1, units, pitch)) {}
};

struct RetrievedTile {
  TileStorage x, y;
  Kokkos::View<double**, Kokkos::LayoutRight, DeviceMemory> found;
  RetrievedTile(Arrays arrays, Index d, Index pitch)
      : x(arrays.make<TileStorage>("noisy patterns", 1, d, pitch)),
        y(arrays.make<TileStorage>("retrieved", 1, d, pitch)),
        found(arrays.make<decltype(found)>("overlap and distance", 2, pitch)) {}
};

// Coordinates that all lanes of a strip go through before the next: as many as a cache line of a pattern has. A tile of many coordinates
// exceeds every cache, and one lane after the other would read it anew for each.
constexpr Index coordinates_at_once = 16;

// x += patterns number first, first + 1, ...
void add_patterns(ConstVector memory, Index patterns, Index first, TileStorage const& x) {
  Index const d = extent(x, 1), strips = extent(x, 2) / strip_lanes;
  Kokkos::parallel_for(
      "partita::add_patterns", Range(0, divide_up(d, coordinates_at_once) * strips), KOKKOS_LAMBDA(Index n) {
        Index const lane = n % strips * strip_lanes, from = n / strips * coordinates_at_once;
        Index const end = d - from < coordinates_at_once ? d : from + coordinates_at_once;
        for (Index l = lane; l < lane + strip_lanes; l++) {
          Real const* const pattern = memory.data() + (first + l) % patterns * d;
          for (Index i = from; i < end; i++) x(0, i, l) += pattern[i];
        }
      });
}

// Compares the lanes of y with the same patterns.
void compare_patterns(ConstVector memory, Index patterns, Index first, RetrievedTile const& tile) {
  auto const y = tile.y;
  auto const found = tile.found;
  Index const d = extent(y, 1), strips = extent(y, 2) / strip_lanes;
  Kokkos::parallel_for(
      "partita::compare_patterns", Range(0, strips), KOKKOS_LAMBDA(Index strip) {
        Index const lane = strip * strip_lanes;
        double product[strip_lanes] = {}, of_result[strip_lanes] = {}, of_pattern[strip_lanes] = {}, apart[strip_lanes] = {};
        for (Index from = 0; from < d; from += coordinates_at_once) {
          Index const end = d - from < coordinates_at_once ? d : from + coordinates_at_once;
          for (Index l = 0; l < strip_lanes; l++) {
            Real const* const pattern = memory.data() + (first + lane + l) % patterns * d;
            for (Index i = from; i < end; i++) {
              double const a = y(0, i, lane + l), b = pattern[i];
              product[l] += a * b, of_result[l] += a * a, of_pattern[l] += b * b, apart[l] += (a - b) * (a - b);
            }
          }
        }
        for (Index l = 0; l < strip_lanes; l++) {
          found(0, lane + l) = product[l] / std::sqrt(of_result[l] * of_pattern[l]);
          found(1, lane + l) = std::sqrt(apart[l] / of_pattern[l]);
        }
      });
}

}  // namespace

std::vector<Estimate> recall_overlaps(RecallOptions const& o, random::Key key, Index first_network, Communicator const& ranks) {
  Tiling const tiling = tiling_of(o.patterns);
  auto const row = std::size_t(o.sweeps + 1);
  std::vector<Index> sums(std::size_t(o.networks) * row);  // (network, sweep)
  auto const [start, x] = RecalledTile({}, o.units, tiling.pitch());
  Hopfield network(o.units);
  Vector patterns;
  Index held = -1;
  TileRange const mine = share_of_tiles(o.networks * tiling.tiles(), ranks.rank(), ranks.ranks());
  for (Index n = mine.first; n < mine.end(); n++) {
    Index const which = n / tiling.tiles(), tile = n % tiling.tiles();
    if (which != held) {
      patterns = random_patterns(o.units, o.patterns, key, first_network + which);
      network.remember(patterns);
      held = which;
    }
    show(patterns, o.units, tiling.first_chain(tile), start);
    copy_array(x, start);
    Tiles const states = Kokkos::subview(x, Kokkos::ALL, Kokkos::ALL, std::pair(Index{0}, tiling.lanes(tile)));
    for (std::size_t sweep = 0; sweep < row; sweep++) {
      if (sweep > 0) network.recall(states, Order::together);
      sums[std::size_t(which) * row + sweep] += overlap_sum(x, start, tiling.chains_in(tile));
    }
  }
  ranks.all_reduce(sums, Reduction::sum);
  std::vector<Estimate> out;
  for (std::size_t sweep = 0; sweep < row; sweep++) {
    std::vector<double> of_networks;
    for (std::size_t k = sweep; k < sums.size(); k += row) of_networks.push_back(double(sums[k]) / double(o.units * o.patterns));
    out.push_back(mean_and_error(of_networks));
  }
  return out;
}

Retrieval retrieve(ModernHopfield& model, RetrievalOptions const& o, random::Key key, Communicator const& ranks) {
  Tiling const tiling = tiling_of(o.queries);
  TileRange const mine = share_of_tiles(tiling.tiles(), ranks.rank(), ranks.ranks());
  Index const patterns = model.patterns();
  RetrievedTile const states({}, model.dimension(), tiling.pitch());
  model.reserve(1, tiling.width);
  std::vector<double> overlap, distance;
  for (Index tile = mine.first; tile < mine.end(); tile++) {
    Index const first = tiling.first_chain(tile);
    place(states.x, ChainNumbers(tiling, {tile, 1}), {.key = key, .stream = random::Stream::recall_noise}, {InitialState::normal, o.noise});
    add_patterns(model.memory(), patterns, first, states.x);
    auto const lanes = std::pair(Index{0}, tiling.lanes(tile));
    auto const shown = [&](TileStorage const& all) { return Kokkos::subview(all, Kokkos::ALL, Kokkos::ALL, lanes); };
    model.update(shown(states.x), o.beta, shown(states.y));
    compare_patterns(model.memory(), patterns, first, states);
    auto const on_host = values_on_host(states.found);
    for (Index l = 0; l < tiling.chains_in(tile); l++) overlap.push_back(on_host(0, l)), distance.push_back(on_host(1, l));
  }
  return {ranks.all_gather(overlap), ranks.all_gather(distance)};
}

namespace {

struct CapacityOptions {
  Index units = 3000;
  std::vector<double> loads = {0.13, 0.138};
  Index networks = 5;
  Index sweeps = 50;
  std::vector<Index> report_sweeps;
};
struct RetrievalKeys {
  std::vector<double> beta = {1};
  Index queries = 10000;
  double noise = 0.5;
  double tolerance = 0.1;
};

Communicator const& ranks_of(Subject const& s) { return s.samples.ranks; }

// Writes (series, number): the numbers of this name for each series.
void write_table(hdf5::File const& file, std::string const& name, std::vector<std::vector<double>> const& series) {
  std::vector<double> all;
  for (auto const& row : series) all.insert(all.end(), row.begin(), row.end());
  file.create_dataset(name, hdf5::native_type<double>(), {std::ssize(series), std::ssize(series.front())}).write(all);
}

// ---- Capacity ----

Index patterns_of(double load, CapacityOptions const& o) { return std::lround(load * double(o.units)); }

void has_patterns_to_store(Fit const& fit) {
  auto const o = fit.own.as<CapacityOptions>();
  for (double load : o.loads)
    if (patterns_of(load, o) == 0)
      fit.refuse("loads",
                 fmt::format("estimator.loads: a load of {} with {} units is less than one pattern; use a larger load, or more units", load,
                             o.units));
}

std::vector<Index> reported_sweeps(CapacityOptions const& o) {
  std::vector<Index> reported{o.sweeps};
  reported.insert(reported.end(), o.report_sweeps.begin(), o.report_sweeps.end());
  return reported;
}
Index last_sweep(CapacityOptions const& o) {
  auto const reported = reported_sweeps(o);
  return *std::max_element(reported.begin(), reported.end());
}

Metrics capacity(Subject const& s, deck::Block const& block) {
  auto const o = block.as<CapacityOptions>();
  auto const reported = reported_sweeps(o);
  std::vector<Index> patterns;
  std::vector<std::vector<double>> overlaps, errors;
  Metrics out;
  for (double load : o.loads) {
    patterns.push_back(patterns_of(load, o));
    Index const networks_before = o.networks * std::ssize(overlaps);
    auto const found = recall_overlaps({.units = o.units, .patterns = patterns.back(), .networks = o.networks, .sweeps = last_sweep(o)},
                                       s.key, networks_before, ranks_of(s));
    overlaps.emplace_back(), errors.emplace_back();
    for (Estimate const& e : found) overlaps.back().push_back(e.value), errors.back().push_back(e.error);
    for (Index sweeps : reported) {
      Estimate const& e = found[sweeps];
      std::string const after = sweeps == o.sweeps ? "" : fmt::format("_after_{}_sweeps", sweeps);
      out.push_back(
          {fmt::format("overlap_load_{:.3f}{}", load, after),
           e.value,
           {},
           fmt::format("overlap with the stored pattern after {} parallel sweeps at T = 0 from it, mean over all {} patterns of {} "
                       "networks; error over networks",
                       sweeps, patterns.back(), o.networks)});
      if (o.networks > 1) out.back().error = e.error;
    }
  }
  write_estimate(s, "hopfield_capacity", [&](hdf5::File const& file) {
    file.set_attribute("units", o.units);
    file.set_attribute("networks", o.networks);
    file.write("load", o.loads);
    file.write("patterns", patterns);
    write_table(file, "overlap", overlaps);
    write_table(file, "overlap_error", errors);
  });
  return out;
}

// Of the largest load: what one of the loads makes is gone before the next.
void list_capacity(EstimatorListing const& l) {
  auto const o = l.block.as<CapacityOptions>();
  Index const patterns = patterns_of(*std::max_element(o.loads.begin(), o.loads.end()), o), networks = divide_up(o.networks, l.ranks);
  Tiling const tiling = tiling_of(patterns);
  RecalledTile(l.arrays, o.units, tiling.pitch());
  Hopfield network(o.units);
  network.expect(patterns, l.arrays);
  network.work(l.arrays, 1, tiling.width);
  if (networks > 1) l.arrays.count<Real>("patterns of the next network, made before these are gone", o.units, patterns);
  l.arrays.count<double>("overlaps of the networks", o.networks, last_sweep(o) + 1);
}

// ---- Retrieval ----

Index queries_of(RetrievalKeys const& o, ModernHopfield const& model) { return o.queries > 0 ? o.queries : model.patterns(); }

void list_retrieval(EstimatorListing const& l) {
  auto const o = l.block.as<RetrievalKeys>();
  auto const& model = as<ModernHopfield const>(*l.model);
  Index const queries = queries_of(o, model);
  Tiling const tiling = tiling_of(queries);
  RetrievedTile(l.arrays, model.dimension(), tiling.pitch());
  model.work(l.arrays, 1, tiling.width);
  l.arrays.count<double>("overlaps and distances of every beta, and as gathered", 2, std::ssize(o.beta) + 1, queries);
}

Metrics retrieval(Subject const& s, deck::Block const& block) {
  auto const o = block.as<RetrievalKeys>();
  auto* const model = &as<ModernHopfield>(*s.model);
  Index const queries = queries_of(o, *model);
  std::vector<std::vector<double>> overlaps, distances;
  Metrics out;
  for (double beta : o.beta) {
    auto found = retrieve(*model, {.beta = beta, .queries = queries, .noise = o.noise}, s.key, ranks_of(s));
    auto const near = std::count_if(found.distance.begin(), found.distance.end(), [&](double d) { return d < o.tolerance; });
    auto const report = [&](char const* what, Estimate const& e, std::string const& meaning) {
      out.push_back(
          metric(fmt::format("{}_beta_{:g}", what, beta), e,
                 fmt::format("{} after one update from noise {}, over {} of {} patterns", meaning, o.noise, queries, model->patterns())));
    };
    report("retrieved", share_and_error(double(near), double(found.distance.size())),
           fmt::format("share of results within {} |pattern| of the pattern", o.tolerance));
    report("overlap", mean_and_error(found.overlap), "mean cosine between result and pattern");
    report("distance", mean_and_error(found.distance), "mean |result - pattern| / |pattern|");
    overlaps.push_back(std::move(found.overlap)), distances.push_back(std::move(found.distance));
  }
  write_estimate(s, "modern_retrieval", [&](hdf5::File const& file) {
    file.set_attribute("patterns", model->patterns());
    file.set_attribute("noise", o.noise);
    file.write("beta", o.beta);
    write_table(file, "overlap", overlaps);
    write_table(file, "distance", distances);
  });
  return out;
}

}  // namespace

EstimatorEntry hopfield_capacity_estimator() {
  using C = CapacityOptions;
  return {
      deck::schema<C>("hopfield_capacity",
                      "overlap with a stored pattern that binary Hopfield networks of random patterns keep, load by load, sweep by sweep: "
                      "estimates/hopfield_capacity.h5; it needs no [model]",
                      {deck::key("units", &C::units, "number N of units of each network").at_least(2).at_most(1e6),
                       deck::key("loads", &C::loads, "loads P / N, the number of patterns over that of units").above(0).at_most(10),
                       deck::key("networks", &C::networks, "number of independent networks of each load").at_least(1).at_most(1e6),
                       deck::key("sweeps", &C::sweeps, "parallel sweeps at T = 0 before the overlap is reported").at_least(1).at_most(1e6),
                       deck::key("report_sweeps", &C::report_sweeps, "other numbers of sweeps after which the overlap is reported, too")
                           .at_least(1)
                           .at_most(1e6)
                           .formerly("also_after")}),
      capacity,
      LooksAt::model_or_data,
      {},
      false,
      has_patterns_to_store,
      list_capacity};
}
EstimatorEntry modern_retrieval_estimator() {
  using R = RetrievalKeys;
  return {deck::schema<R>(
              "modern_retrieval", "what a modern_hopfield makes of noisy patterns in one update: estimates/modern_retrieval.h5",
              {deck::key("beta", &R::beta, "values of beta, in place of model.beta").above(0),
               deck::key("queries", &R::queries, "number of patterns shown, from the first on; 0: all").at_least(0).at_most(1e9),
               deck::key("noise", &R::noise, "standard deviation of the noise on each coordinate").at_least(0),
               deck::key("tolerance", &R::tolerance, "distance from the pattern, in units of |pattern|, below which it counts as retrieved")
                   .above(0)
                   .formerly("within")}),
          retrieval,
          LooksAt::model_or_data,
          needs<ModernHopfield>(),
          false,
          {},
          list_retrieval};
}

}  // namespace partita
