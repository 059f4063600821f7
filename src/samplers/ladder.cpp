#include "samplers/ladder.hpp"

#include "core/copy.hpp"
#include "core/math.hpp"
#include "core/require.hpp"

namespace partita {
namespace {

using Lanes = Kokkos::RangePolicy<Execution, Kokkos::IndexType<Index>>;

random::Key key_of(random::Key key, Index rung) {
  return rung == 0 ? key : random::derived_key(key, random::Stream::tempering, std::uint64_t(rung));
}

Vector values(Real* first, Index count) { return Vector(first, count); }
// A double is sent between ranks as this many Reals, bit by bit.
constexpr Index reals_of_a_double = sizeof(double) / sizeof(Real);
Vector bits(double* first, Index count) { return values(reinterpret_cast<Real*>(first), count * reals_of_a_double); }

using LaneCounts = Kokkos::View<std::int32_t**, Kokkos::LayoutStride, DeviceMemory>;

// Sum over this rank's real chains.
Index sum_over_chains(LaneCounts counts, Tiling const& tiling, TileRange mine) {
  Index const first = mine.first, width = tiling.width, all = tiling.chains;
  Index total = 0;
  Kokkos::parallel_reduce(
      "partita::count_swaps", Lanes(0, mine.count),
      KOKKOS_LAMBDA(Index tile, Index & sum) {
        for (Index l = 0; l < width && (first + tile) * width + l < all; l++) sum += counts(tile, l);
      },
      total);
  return total;
}

void copy_rows(Real const* from, Real* to, Index rows, Index pitch, Held only) {
  Kokkos::parallel_for(
      "partita::copy_rung", Lanes(0, rows * pitch), KOKKOS_LAMBDA(Index n) {
        if (only.data() == nullptr || only(n / pitch) != 0) to[n] = from[n];
      });
}

struct ColumnShape {
  Index rows, lanes, pitch;
};
struct SwapKey {
  random::Key key;
  ChainNumbers number;  // of the tile
  Index event, rung;
};

// Swaps the states of accepted lanes, and counts attempts and successes unless these are null.
void exchange(LadderColumn a, LadderColumn b, ColumnShape shape, SwapKey const& swap, std::int32_t* attempts, std::int32_t* successes) {
  random::Key const key = swap.key;
  ChainNumbers const number = swap.number;
  Index const lanes = shape.lanes, pitch = shape.pitch, rows = shape.rows;
  auto const step = std::uint64_t(swap.event);
  auto const draw = std::uint32_t(swap.rung);
  Kokkos::parallel_for(
      "partita::exchange", Lanes(0, divide_up(lanes, strip_lanes)), KOKKOS_LAMBDA(Index n) {
        Index const lane = n * strip_lanes, count = lanes - lane < strip_lanes ? lanes - lane : strip_lanes;
        bool accept[strip_lanes];
        for (Index l = 0; l < count; l++) {
          Real const u = random::uniform(random::words(key, number.of(0, lane + l), random::Stream::swaps, step, draw).w[0]);
          accept[l] = double(math::log(u)) < a.difference[lane + l] + b.difference[lane + l];  // false where one of them is NaN
          if (attempts != nullptr) attempts[lane + l]++, successes[lane + l] += accept[l] ? 1 : 0;
        }
        auto const exchange_row = [&](Real* p, Real* q) {
#pragma GCC ivdep
          for (Index l = 0; l < count; l++) {
            Real const mine = p[l], theirs = q[l];
            p[l] = accept[l] ? theirs : mine;
            q[l] = accept[l] ? mine : theirs;
          }
        };
        for (Index i = 0; i < rows; i++) exchange_row(a.x + i * pitch + lane, b.x + i * pitch + lane);
        exchange_row(a.visited + lane, b.visited + lane);
      });
}

// Counts round trips: states that arrive at the coldest rung after they have been at the hottest.
void mark_coldest(TileScalarStorage visited, LaneCounts trips, TileRange tiles) {
  Index const pitch = extent(visited, 1);
  Kokkos::parallel_for(
      "partita::mark_coldest", Lanes(tiles.first * pitch, tiles.end() * pitch), KOKKOS_LAMBDA(Index n) {
        if (visited(n / pitch, n % pitch) > Real(1.5)) trips(n / pitch, n % pitch)++;
        visited(n / pitch, n % pitch) = 1;
      });
}
void mark_hottest(TileScalarStorage visited, TileRange tiles) {
  Index const pitch = extent(visited, 1);
  Kokkos::parallel_for(
      "partita::mark_hottest", Lanes(tiles.first * pitch, tiles.end() * pitch), KOKKOS_LAMBDA(Index n) {
        if (visited(n / pitch, n % pitch) > Real(0.5)) visited(n / pitch, n % pitch) = 2;
      });
}

Chains further_chains(Arrays const& arrays, Tiling const& tiling, TileRange mine, Index dimension) {
  return {"chains of a rung", tiling, mine, dimension, arrays};
}

}  // namespace

std::pair<TileScalars, TileScalars> TwoEnergies::of(ConstTiles x) {
  Index const lanes = extent(x, 2);
  Arrays().grow(storage_, "energies of two laws", 2, lanes);
  auto const row = [&](int k) { return Kokkos::subview(storage_, std::pair(k, k + 1), std::pair(Index{0}, lanes)); };
  return {row(0), row(1)};
}

void subtract(ConstTileScalars one, ConstTileScalars other, TileEnergies difference) {
  Kokkos::parallel_for(
      "partita::compare_rungs", Lanes(0, extent(other, 1)),
      KOKKOS_LAMBDA(Index l) { difference(0, l) = double(one(0, l)) - double(other(0, l)); });
}

std::vector<deck::Key> ladder_keys() {
  using O = LadderOptions;
  return {deck::key("swap_every", &O::swap_every, "steps between two attempts to swap").at_least(1),
          deck::key("placement", &O::placement,
                    "together: all rungs of a tile on one MPI rank; across: shared out over the ranks, for fewer tiles than ranks; the "
                    "samples are the same bits")
              .one_of({"together", "across"})
              .free_on_restart()};
}

LadderSampler::LadderSampler(double step_size, Index rungs, LadderOptions const& o, Communicator communicator)
    : Sampler(step_size, 1),
      rungs_(rungs),
      swap_every_(o.swap_every),
      placement_(o.placement == "across" ? Placement::across : Placement::together),
      ranks_(communicator) {}

// Placement::across lines up the tiles of the further rungs, rung after rung, and gives each rank a contiguous part of that list, hence a
// contiguous range of each rung.
TileRange LadderSampler::share(Index rung, Chains const& coldest) const {
  if (rung == 0 || placement_ == Placement::together) return coldest.mine;
  Index const tiles = coldest.tiling.tiles(), before = (rung - 1) * tiles;
  TileRange const row = share_of_tiles((rungs_ - 1) * tiles, ranks_.rank(), ranks_.ranks());
  Index const first = std::clamp(row.first - before, Index{0}, tiles), end = std::clamp(row.end() - before, Index{0}, tiles);
  return {first, end - first};
}

int LadderSampler::owner(Index rung, Index tile, Index tiles) const {
  Index const in_row = rung == 0 ? tile : (rung - 1) * tiles + tile, row = rung == 0 ? tiles : (rungs_ - 1) * tiles;
  return int(((in_row + 1) * ranks_.ranks() - 1) / row);  // the inverse of share_of_tiles
}

TileRange LadderSampler::range(Rung const& rung, TileRange local) const {
  return placement_ == Placement::together ? local : TileRange{0, rung.chains.mine.count};
}

LadderSampler::Rung::Rung(Arrays arrays, Chains of_rung)
    : chains(std::move(of_rung)),
      visited(arrays.make<TileScalarStorage>("ends visited", chains.mine.count, chains.tiling.pitch())),
      difference(arrays.make<decltype(difference)>("rung against neighbour", chains.mine.count, chains.tiling.pitch())),
      counts(arrays.make<Counts>("swaps", chains.mine.count, 3, chains.tiling.pitch())) {}

// Of rungs that are dealt over the ranks each rank has as many, up to one.
void LadderSampler::list(Arrays arrays, Model const& model, Share const& share) const {
  Chains coldest;
  coldest.tiling = share.tiling, coldest.mine = share.mine(), coldest.dimension = model.dimension();
  for (Index r = 0; r < rungs_; r++) {
    Rung(arrays, r == 0 ? coldest : further_chains(arrays, share.tiling, share.mine(), model.dimension()));
    list_rung(arrays, r, model, share);
  }
}

void LadderSampler::prepare(Model const& model, Chains& chains, random::Key key) {
  TileRange const expected = share_of_tiles(chains.tiling.tiles(), ranks_.rank(), ranks_.ranks());
  require(placement_ == Placement::together || (chains.mine.first == expected.first && chains.mine.count == expected.count),
          ExitCode::internal, "tiles of chains are not assigned to the ranks by share_of_tiles");
  Set& set = sets_[chains.first_number];
  set.rungs.clear();
  std::vector<Pair> from_coldest;
  for (Index r = 0; r < rungs_; r++) {
    Rung rung({}, r == 0 ? chains : further_chains({}, chains.tiling, share(r, chains), chains.dimension));
    rung.chains.first_number = chains.first_number;
    rung.chains.held = chains.held;
    set.rungs.push_back(std::move(rung));
    if (r > 0) from_coldest.emplace_back(0, r);
  }
  if (start_)
    for (Index r = 1; r < rungs_; r++) start_(set.rungs[r].chains, key_of(key, r));
  else copy_states(set, from_coldest, {0, chains.mine.count}, {});
  prepare_rung(0, model, chains, key);
  for (Index r = 1; r < rungs_; r++) prepare_rung(r, model, set.rungs[r].chains, key_of(key, r));
}

void LadderSampler::advance(Model const& model, Chains& chains, random::Key key, TileRange local, Index first_step, Index steps) {
  auto const found = sets_.find(chains.first_number);
  require(found != sets_.end(), ExitCode::internal, "chains from number {} on were not prepared", chains.first_number);
  require(placement_ == Placement::together || local.count == chains.mine.count, ExitCode::internal,
          "rungs that are spread over the ranks advance all tiles of a set at once");
  Set& set = found->second;
  before_advance(model, first_step);
  set.rungs[0].chains = chains;
  if (chains.held.extent(0) > 0) {
    std::vector<Pair> from_coldest;
    for (Index r = 1; r < rungs_; r++) set.rungs[r].chains.held = chains.held, from_coldest.emplace_back(0, r);
    copy_states(set, from_coldest, local, chains.held);
  }
  for (Index step = first_step, end = first_step + steps; step < end;) {
    Index const next = std::min(end, (step / swap_every_ + 1) * swap_every_);
    for (Index r : order()) {
      Rung& rung = set.rungs[r];
      TileRange const tiles = range(rung, local);
      // No more tiles at once than the caller has, since the model's work memory is for that number.
      for (Index t = tiles.first, count = 0; t < tiles.end(); t += count) {
        count = std::min(std::max<Index>(1, chains.mine.count), tiles.end() - t);
        advance_rung(r, model, rung.chains, key_of(key, r), {t, count}, step, next - step);
      }
    }
    if (next % swap_every_ == 0) swap(set, model, key, next / swap_every_, local);
    step = next;
  }
}

LadderColumn LadderSampler::column(Rung const& rung, Index tile) const {
  return {place_of(rung.chains.x, tile), place_of(rung.visited, tile), place_of(rung.difference, tile)};
}

// Pairs of which this rank holds at least one side, in the order of rungs and tiles that is the same on all ranks. Where the other side is
// on another rank, the two ranks exchange their columns.
std::vector<LadderSampler::SwapPair> LadderSampler::meet(Set& set, std::vector<Pair> const& pairs, TileRange local) {
  std::vector<SwapPair> meetings;
  auto const rung = [&](Index r) -> Rung& { return set.rungs[r]; };
  Index const first = rung(0).chains.mine.first;
  if (placement_ == Placement::together) {
    for (auto const& [a, b] : pairs)
      for (Index t = local.first; t < local.end(); t++) meetings.push_back({a, b, first + t, column(rung(a), t), column(rung(b), t), t});
    return meetings;
  }
  Tiling const& tiling = rung(0).chains.tiling;
  Index const tiles = tiling.tiles(), pitch = tiling.pitch(), d = rung(0).chains.dimension;
  struct Absent {
    std::size_t meeting;
    int rank;
    bool is_a;
  };
  std::vector<Absent> absent;
  for (auto const& [a, b] : pairs)
    for (Index t = 0; t < tiles; t++) {
      int const of_a = owner(a, t, tiles), of_b = owner(b, t, tiles), here = ranks_.rank();
      if (of_a != here && of_b != here) continue;
      SwapPair m{a, b, t, {}, {}, -1};
      if (of_a == here) m.tile_of_a = t - rung(a).chains.mine.first, m.a = column(rung(a), m.tile_of_a);
      if (of_b == here) m.b = column(rung(b), t - rung(b).chains.mine.first);
      if (of_a != of_b) absent.push_back({meetings.size(), of_a == here ? of_b : of_a, of_a != here});
      meetings.push_back(m);
    }
  Index const rows = d + 1 + reals_of_a_double;
  Arrays().grow(incoming_, "columns of other ranks", absent.size(), rows, pitch);
  std::vector<Slice> sends, receives;
  for (std::size_t n = 0; n < absent.size(); n++) {
    SwapPair& m = meetings[absent[n].meeting];
    auto const tile = Index(n);
    LadderColumn const buffer{place_of(incoming_, tile), place_of(incoming_, tile, d),
                              reinterpret_cast<double*>(place_of(incoming_, tile, d + 1))};
    LadderColumn const mine = absent[n].is_a ? m.b : m.a;
    auto const add = [&](std::vector<Slice>& to, LadderColumn const& c) {
      for (auto const& v : {values(c.x, d * pitch), values(c.visited, pitch), bits(c.difference, pitch)}) to.push_back({absent[n].rank, v});
    };
    add(sends, mine);
    add(receives, buffer);
    (absent[n].is_a ? m.a : m.b) = buffer;
  }
  ranks_.exchange(sends, receives);
  return meetings;
}

void LadderSampler::copy_states(Set& set, std::vector<Pair> const& pairs, TileRange local, Held only) {
  Chains const& chains = set.rungs[0].chains;
  Index const d = chains.dimension, pitch = chains.tiling.pitch();
  for (SwapPair const& m : meet(set, pairs, local)) {
    copy_rows(m.a.x, m.b.x, d, pitch, only);
    if (only.data() == nullptr) copy_rows(m.a.visited, m.b.visited, 1, pitch, only);
  }
}

void LadderSampler::copy_rung(Index from, Index to) {
  for (auto& [number, set] : sets_) copy_states(set, {{from, to}}, {0, set.rungs[0].chains.mine.count}, {});
}

void LadderSampler::swap(Set& set, Model const& model, random::Key key, Index event, TileRange local) {
  auto const rungs = order();
  std::vector<Pair> pairs;
  for (auto p = std::size_t(event % 2); p + 1 < rungs.size(); p += 2) pairs.emplace_back(rungs[p], rungs[p + 1]);
  auto const evaluate = [&](Index r, Index neighbour) {
    Rung const& rung = set.rungs[r];
    TileRange const tiles = range(rung, local);
    for (Index t = tiles.first; t < tiles.end(); t++) {
      Index const lanes = rung.chains.tiling.lanes(rung.chains.mine.first + t);
      compare(r, neighbour, model, rung.chains.tiles(t, 1, lanes),
              Kokkos::subview(rung.difference, std::pair(t, t + 1), std::pair(Index{0}, lanes)));
    }
  };
  for (auto const& [a, b] : pairs) evaluate(a, b), evaluate(b, a);
  for (SwapPair const& m : meet(set, pairs, local)) swap_lanes(set, m, key, event);
  Rung const &coldest = set.rungs[0], &hottest = set.rungs[rungs.back()];
  mark_coldest(coldest.visited, Kokkos::subview(coldest.counts, Kokkos::ALL, int(round_trips), Kokkos::ALL), range(coldest, local));
  mark_hottest(hottest.visited, range(hottest, local));
}

// Both ranks of a pair make the same decision from the same two differences; each updates its own side.
void LadderSampler::swap_lanes(Set& set, SwapPair const& m, random::Key key, Index event) const {
  Rung const& colder = set.rungs[m.colder];
  Tiling const& tiling = colder.chains.tiling;
  bool const counts = m.tile_of_a >= 0;
  exchange(m.a, m.b, {colder.chains.dimension, tiling.lanes(m.tile), tiling.pitch()},
           {key, ChainNumbers(tiling, {m.tile, 1}, colder.chains.first_number), event, m.colder},
           counts ? place_of(colder.counts, m.tile_of_a, attempted) : nullptr,
           counts ? place_of(colder.counts, m.tile_of_a, accepted) : nullptr);
}

Index LadderSampler::count(Set const& set, Index r, Counter which) const {
  Rung const& rung = set.rungs[r];
  return sum_over_chains(Kokkos::subview(rung.counts, Kokkos::ALL, int(which), Kokkos::ALL), rung.chains.tiling, rung.chains.mine);
}

std::vector<LadderSampler::Swaps> LadderSampler::count_swaps() const {
  auto const rungs = order();
  std::vector<Index> totals(2 * (rungs.size() - 1));
  for (auto const& [number, set] : sets_)
    for (std::size_t p = 0; p + 1 < rungs.size(); p++) {
      totals[2 * p] += count(set, rungs[p], attempted);
      totals[2 * p + 1] += count(set, rungs[p], accepted);
    }
  ranks_.all_reduce(totals, Reduction::sum);
  std::vector<Swaps> out;
  for (std::size_t p = 0; p + 1 < rungs.size(); p++) out.push_back({totals[2 * p], totals[2 * p + 1]});
  return out;
}

void LadderSampler::forget_swaps() {
  for (auto& [number, set] : sets_)
    for (Rung& rung : set.rungs)
      for (int which : {attempted, accepted}) fill_array(Kokkos::subview(rung.counts, Kokkos::ALL, which, Kokkos::ALL), 0);
}

double LadderSampler::take_acceptance(Index r, Index steps) {
  Index sum = 0, chains = 0;
  for (auto& [number, set] : sets_) {
    Chains& c = set.rungs[r].chains;
    sum += count_acceptance(c);
    chains += c.tiling.chains;
    fill_array(c.accepted, 0);
  }
  return double(ranks_.all_reduce(sum, Reduction::sum)) / double(std::max<Index>(chains * steps, 1));
}

namespace {

std::string warning_of_swaps(double lowest_rate) {
  constexpr double few = 0.05;
  if (std::isnan(lowest_rate))
    return "not known: two rungs never tried to swap after the warm-up, so that the ladder had no effect; use a smaller sampler.swap_every "
           "or more sampler.steps";
  if (lowest_rate < few)
    return fmt::format("two neighbouring rungs accept only a share {:.2g} of their swaps, so that states hardly pass between them",
                       lowest_rate);
  return {};
}

}  // namespace

std::vector<Metric> LadderSampler::results() const {
  std::vector<Metric> out;
  auto const swaps = count_swaps();
  double lowest = 1;
  for (std::size_t p = 0; p < swaps.size(); p++) {
    double const rate = swaps[p].rate();
    if (!(rate >= lowest)) lowest = std::isnan(lowest) ? lowest : rate;  // NaN stays
    out.push_back({.name = fmt::format("swap_rate_{:02}", p + 1),
                   .value = rate,
                   .definition = fmt::format("share of accepted swaps of rungs {} and {}", p, p + 1)});
  }
  out.push_back({.name = "swap_rate_lowest",
                 .value = lowest,
                 .definition = "lowest share of accepted swaps of two neighbouring rungs",
                 .warning = warning_of_swaps(lowest)});
  Index trips = 0, chains = 0;
  for (auto const& [number, set] : sets_) trips += count(set, 0, round_trips), chains += set.rungs[0].chains.tiling.chains;
  out.push_back({.name = "round_trips",
                 .value = double(ranks_.all_reduce(trips, Reduction::sum)) / double(std::max<Index>(chains, 1)),
                 .definition = "completed trips of a state from the coldest rung to the hottest and back, for each chain"});
  return out;
}

void LadderSampler::describe_state(State& state) {
  Sampler::describe_state(state);
  Index s = 0;
  for (auto const& [number, set] : sets_) {
    for (Index r = 0; r < rungs_; r++) {
      Rung const& rung = set.rungs[r];
      std::string const group = fmt::format("sampler/set/{:04}/rung/{:03}", s, r);
      if (r > 0) rung.chains.describe_state(state, group);
      Index const all = rung.chains.tiling.tiles();
      state.add_by_tile(group + "/visited", rung.visited, rung.chains.mine, all);
      state.add_by_tile(group + "/swaps", rung.counts, rung.chains.mine, all);
    }
    s++;
  }
}

}  // namespace partita
