#include "estimators/hopfield.hpp"

#include <cmath>
#include <limits>

#include "models/hopfield.hpp"
#include "samplers/chains.hpp"

namespace partita {
namespace {

using Range = Kokkos::RangePolicy<Execution, Kokkos::IndexType<Index>>;

constexpr Index states_of_a_tile = 128;  // columns of the products with the patterns

// Writes patterns number first, first + 1, ... of X (unit, pattern) into the lanes of x, starting over after the last.
void show(ConstVector patterns, Index units, Index first, TileStorage const& x) {
  Index const count = static_cast<Index>(patterns.extent(0)) / units, lanes = static_cast<Index>(x.extent(2));
  Kokkos::parallel_for(
      "partita::show_patterns", Range(0, units), KOKKOS_LAMBDA(Index i) {
        for (Index l = 0; l < lanes; l++) x(0, i, l) = patterns(i * count + (first + l) % count);
      });
}

// N times the sum of the overlaps of the first `lanes` lanes: an integer, like all partial sums, hence exact.
Index overlap_sum(TileStorage const& a, TileStorage const& b, Index lanes) {
  Index sum = 0;
  Kokkos::parallel_reduce(
      "partita::overlaps", Range(0, static_cast<Index>(a.extent(1))),
      KOKKOS_LAMBDA(Index i, Index & total) {
        Real const *const u = &a(0, i, 0), *const v = &b(0, i, 0);
        std::int32_t row = 0;
        for (Index l = 0; l < lanes; l++) row += u[l] == v[l] ? 1 : -1;
        total += row;
      },
      sum);
  return sum;
}

}  // namespace

std::vector<Estimate> recall_overlaps(RecallOptions const& o, random::Key key, Index first_network, Communicator const& ranks) {
  Tiling const tiling{o.patterns, std::min(states_of_a_tile, round_up(o.patterns, lane_quantum))};
  auto const row = static_cast<std::size_t>(o.sweeps + 1);
  std::vector<Index> sums(static_cast<std::size_t>(o.networks) * row);  // (network, sweep)
  TileStorage const start("patterns shown", 1, o.units, tiling.pitch()), x("recalled states", 1, o.units, tiling.pitch());
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
    Kokkos::deep_copy(x, start);
    Tiles const states = Kokkos::subview(x, Kokkos::ALL, Kokkos::ALL, std::pair(Index{0}, tiling.lanes(tile)));
    for (std::size_t sweep = 0; sweep < row; sweep++) {
      if (sweep > 0) network.recall(states, Order::together);
      sums[static_cast<std::size_t>(which) * row + sweep] += overlap_sum(x, start, tiling.chains_in(tile));
    }
  }
  ranks.all_reduce(sums, Reduction::sum);
  std::vector<Estimate> out;
  for (std::size_t sweep = 0; sweep < row; sweep++) {
    std::vector<double> of_networks;
    for (std::size_t k = sweep; k < sums.size(); k += row)
      of_networks.push_back(static_cast<double>(sums[k]) / static_cast<double>(o.units * o.patterns));
    out.push_back(mean_and_error(of_networks));
  }
  return out;
}

Retrieval retrieve(ModernHopfield& model, RetrievalOptions const& o, random::Key key, Communicator const& ranks) {
  Tiling const tiling{o.queries, std::min(states_of_a_tile, round_up(o.queries, lane_quantum))};
  TileRange const mine = share_of_tiles(tiling.tiles(), ranks.rank(), ranks.ranks());
  Index const d = model.dimension(), patterns = model.patterns(), pitch = tiling.pitch();
  TileStorage const x("noisy patterns", 1, d, pitch), y("retrieved", 1, d, pitch);
  Kokkos::View<double**, Kokkos::LayoutRight, DeviceMemory> const found("overlap and distance", 2, pitch);
  auto const memory = model.memory();
  model.reserve(1, tiling.width);
  std::vector<double> overlap, distance;
  for (Index tile = mine.first; tile < mine.end(); tile++) {
    Index const first = tiling.first_chain(tile);
    place(x, ChainNumbers(tiling, {tile, 1}), {.key = key, .stream = random::Stream::recall_noise}, {InitialState::normal, o.noise});
    Kokkos::parallel_for(
        "partita::add_patterns", Range(0, pitch), KOKKOS_LAMBDA(Index l) {
          for (Index i = 0; i < d; i++) x(0, i, l) += memory((first + l) % patterns * d + i);
        });
    auto const lanes = std::pair(Index{0}, tiling.lanes(tile));
    model.update(Kokkos::subview(x, Kokkos::ALL, Kokkos::ALL, lanes), o.beta, Kokkos::subview(y, Kokkos::ALL, Kokkos::ALL, lanes));
    Kokkos::parallel_for(
        "partita::compare_patterns", Range(0, lanes.second), KOKKOS_LAMBDA(Index l) {
          double product = 0, of_result = 0, of_pattern = 0, apart = 0;
          for (Index i = 0; i < d; i++) {
            double const a = y(0, i, l), b = memory((first + l) % patterns * d + i);
            product += a * b, of_result += a * a, of_pattern += b * b, apart += (a - b) * (a - b);
          }
          found(0, l) = product / std::sqrt(of_result * of_pattern);
          found(1, l) = std::sqrt(apart / of_pattern);
        });
    auto const on_host = Kokkos::create_mirror_view_and_copy(Kokkos::HostSpace(), found);
    for (Index l = 0; l < tiling.chains_in(tile); l++) overlap.push_back(on_host(0, l)), distance.push_back(on_host(1, l));
  }
  return {ranks.all_gather(overlap), ranks.all_gather(distance)};
}

}  // namespace partita
