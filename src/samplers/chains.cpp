#include "samplers/chains.hpp"

#include <algorithm>

#include "core/copy.hpp"
#include "core/require.hpp"
#include "core/tiling.hpp"

namespace partita {

Chains::Chains(std::string const& name, Tiling t, TileRange range, Index d, Arrays arrays)
    : tiling(t),
      mine(range),
      dimension(d),
      x(arrays.make<TileStorage>(name.c_str(), range.count, d, t.pitch())),
      accepted(arrays.make<decltype(accepted)>("accepted proposals", range.count, t.pitch())),
      diverging(arrays.make<decltype(diverging)>("diverging proposals", range.count, t.pitch())) {
  // Kokkos 3.5 uses 32 bits when it checks whether an array of three axes is empty, and then allocates no memory for it.
  require(!arrays.makes() || x.span() >= x.size(), ExitCode::usage,
          "{}: {} tiles x {} coordinates x {} lanes are a multiple of 2^32, which this version of Kokkos takes for an empty array; use "
          "another number of ranks or chains",
          name, range.count, d, t.pitch());
}

Tiles Chains::tiles(Index first, Index count, Index lanes) const {
  return Kokkos::subview(x, std::pair(first, first + count), Kokkos::ALL, std::pair(Index{0}, lanes));
}

void Chains::describe_state(State& state, std::string const& group) const {
  Index const all = tiling.tiles();
  state.add_by_tile(group + "/x", x, mine, all);
  if (velocity.extent(1) > 0) state.add_by_tile(group + "/velocity", velocity, mine, all);
  state.add_by_tile(group + "/accepted", accepted, mine, all);
  state.add_by_tile(group + "/diverging", diverging, mine, all);
}

TileStorage make_velocities(Arrays arrays, Tiling const& tiling, TileRange mine, Index dimension) {
  return arrays.make<TileStorage>("velocities", mine.count, dimension, tiling.pitch());
}

Index default_tile_width(Index chains, Index dimension, Index rows_per_dimension) {
  constexpr Index l2_share = 1 << 20, widest = 256;  // bytes: half the L2 cache of a recent core; lanes: no gain was seen beyond 256
  Index const row_bytes = Index(sizeof(Real)) * dimension * rows_per_dimension;
  Index const fits = l2_share / std::max<Index>(row_bytes, 1) / pitch_quantum * pitch_quantum;
  return std::min(std::clamp(fits, pitch_quantum, widest), round_up(chains, lane_quantum));
}

namespace {

// For a View (tile, rows, pitch) or (tile, pitch).
template <class View>
void repeat_last(View const& values, Tiling const& tiling, TileRange mine, TileRange local) {
  Index const last = tiling.tiles() - 1, tile = last - mine.first;
  if (values.size() == 0 || tile < local.first || tile >= local.end()) return;
  Index const real = tiling.chains_in(last), pitch = tiling.pitch();
  Index const rows = Index(values.size() / values.extent(0)) / pitch;
  auto* const from = values.data() + tile * rows * pitch;
  Kokkos::parallel_for(
      "partita::repeat_last_chain", Kokkos::RangePolicy<Execution, Kokkos::IndexType<Index>>(0, rows), KOKKOS_LAMBDA(Index row) {
        auto* const lanes = from + row * pitch;
        for (Index l = real; l < pitch; l++) lanes[l] = lanes[real - 1];
      });
}

}  // namespace

void repeat_last_chain(Chains const& c, TileRange local) {
  repeat_last(c.x, c.tiling, c.mine, local);
  repeat_last(c.velocity, c.tiling, c.mine, local);
  repeat_last(c.accepted, c.tiling, c.mine, local);
  repeat_last(c.diverging, c.tiling, c.mine, local);
}

void repeat_last_chain(TileStorage const& values, Tiling const& tiling, TileRange mine, TileRange local) {
  repeat_last(values, tiling, mine, local);
}
void repeat_last_chain(Kokkos::View<double**, Kokkos::LayoutRight, DeviceMemory> const& values, Tiling const& tiling, TileRange mine,
                       TileRange local) {
  repeat_last(values, tiling, mine, local);
}

void place(TileStorage const& x, ChainNumbers number, StartKey const& start, InitialDistribution const& initial) {
  Index const tiles = extent(x, 0), d = extent(x, 1), blocks = divide_up(d, 4), pitch = extent(x, 2), group = start.group;
  Real const amplitude = Real(initial.scale), shift = Real(initial.centre), share = Real(start.fraction);
  auto const kind = initial.kind;
  auto const key = start.key;
  auto const stream = start.stream;
  auto const at = std::uint64_t(start.step);
  auto const first_draw = start.first_draw;
  Kokkos::parallel_for(
      "partita::place_chains", Kokkos::RangePolicy<Execution, Kokkos::IndexType<Index>>(0, tiles * blocks * pitch), KOKKOS_LAMBDA(Index n) {
        Index const lane = n % pitch, block = n / pitch % blocks, tile = n / pitch / blocks;
        auto const chain = number.of(tile, lane / group * group);
        if (share < 1 && random::uniform(random::words(key, chain, random::Stream::restart_choice, at, 0).w[0]) >= share) return;
        auto const w = random::words(key, chain, stream, at, std::uint32_t(first_draw + block));
        auto const p = random::normal_pair(w.w[0], w.w[1], Real()), q = random::normal_pair(w.w[2], w.w[3], Real());
        Real const normal[4] = {p.a, p.b, q.a, q.b};
        for (Index k = 0; k < 4 && 4 * block + k < d; k++)
          x(tile, 4 * block + k, lane) = kind == InitialState::zero     ? shift
                                         : kind == InitialState::normal ? shift + amplitude * normal[k]
                                                                        : shift + amplitude * (2 * random::uniform(w.w[k]) - 1);
      });
}

void initialise(Chains const& chains, random::Key key, random::Stream stream, Index step, InitialDistribution const& initial) {
  place(chains.x, chains.numbers(), {.key = key, .stream = stream, .step = step}, initial);
}

void start_velocities(Chains& chains, random::Key key, double scale) {
  Chains start = chains;
  start.x = make_velocities({}, chains.tiling, chains.mine, chains.dimension);
  initialise(start, key, random::Stream::momentum, 0, {InitialState::normal, scale});
  chains.velocity = start.x;
  auto const held = values_on_host(chains.held);
  for (std::size_t i = 0; i < held.extent(0); i++)
    if (held(i)) fill_array(Kokkos::subview(start.x, Kokkos::ALL, i, Kokkos::ALL), Real(0));
}

void restart_some(Chains const& chains, random::Key key, Index step, InitialDistribution const& initial, double fraction) {
  if (fraction > 0)
    place(chains.x, chains.numbers(), {.key = key, .stream = random::Stream::restart_state, .step = step, .fraction = fraction}, initial);
}

Index first_nonfinite_chain(TileStorage const& x, Tiling const& tiling, TileRange mine) {
  Index const d = extent(x, 1), width = tiling.width, all = tiling.chains, first_tile = mine.first;
  Index const strips = divide_up(width, strip_lanes);
  Index first = all;
  Kokkos::parallel_reduce(
      "partita::first_nonfinite_chain", Kokkos::RangePolicy<Execution, Kokkos::IndexType<Index>>(0, mine.count * strips),
      KOKKOS_LAMBDA(Index n, Index & lowest) {
        Index const tile = n / strips, lane = n % strips * strip_lanes, chain = (first_tile + tile) * width + lane;
        // x - x is 0 for a finite x and NaN for others; a sum of those keeps the NaN.
        Real sum[strip_lanes];
        for (Index l = 0; l < strip_lanes; l++) sum[l] = 0;
        for (Index i = 0; i < d; i++) {
          Real const* row = &x(tile, i, lane);
          for (Index l = 0; l < strip_lanes; l++) sum[l] += row[l] - row[l];
        }
        for (Index l = 0; l < strip_lanes; l++)
          if (sum[l] != 0 && lane + l < width && chain + l < all && chain + l < lowest) lowest = chain + l;
      },
      Kokkos::Min<Index>(first));
  return first < all ? first : -1;
}

Index count_acceptance(Chains const& chains) {
  auto const accepted = chains.accepted;
  Index const width = chains.tiling.width, all = chains.tiling.chains, first = chains.mine.first;
  Index count = 0;
  Kokkos::parallel_reduce(
      "partita::count_acceptance", Kokkos::RangePolicy<Execution, Kokkos::IndexType<Index>>(0, chains.mine.count),
      KOKKOS_LAMBDA(Index tile, Index & sum) {
        for (Index l = 0; l < width && (first + tile) * width + l < all; l++) sum += accepted(tile, l);
      },
      count);
  return count;
}

}  // namespace partita
