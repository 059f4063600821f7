#include "estimators/hee_reconstruction.hpp"

#include <cmath>

#include "core/copy.hpp"
#include "core/require.hpp"
#include "models/hee_joint.hpp"
#include "samplers/finite_chains.hpp"

namespace partita {
namespace {

constexpr Index average_every = 10;  // steps

void show(std::vector<double> const& points, HeeChains const& chains) {
  auto const host = Kokkos::create_mirror_view(chains.x[0]);
  Index const d = extent(host, 1);
  for (Index t = 0; t < chains.mine.count; t++) {
    Index const tile = chains.mine.first + t, first = chains.tiling.first_chain(tile);
    for (Index l = 0; l < chains.tiling.lanes(tile); l++) {
      Index const point = first + std::min(l, chains.tiling.chains_in(tile) - 1);
      for (Index i = 0; i < d; i++) host(t, i, l) = Real(points[point * d + i]);
    }
  }
  copy_array(chains.x[0], host);
}

void add(TileStorage const& to, TileStorage const& from) {
  Real *const a = to.data(), *const b = from.data();
  Kokkos::parallel_for(
      "partita::hee_add", Kokkos::RangePolicy<Execution, Kokkos::IndexType<Index>>(0, std::ssize(to)),
      KOKKOS_LAMBDA(Index i) { a[i] += b[i]; });
}

// Means (chain, unit) over all ranks' chains, from sums over `count` states.
std::vector<double> means(HeeChains const& chains, TileStorage const& sums, Index count, Communicator const& ranks) {
  auto const host = values_on_host(sums);
  std::vector<double> mine;
  for (Index t = 0; t < chains.mine.count; t++)
    for (Index l = 0; l < chains.tiling.chains_in(chains.mine.first + t); l++)
      for (std::size_t i = 0; i < host.extent(1); i++) mine.push_back(host(t, i, l) / double(count));
  return ranks.all_gather(mine);
}

Tiling tiling_of(Index points) { return {points, std::min(hee_tile_width, round_up(points, lane_quantum))}; }

}  // namespace

void require_fit(ReconstructionOptions const& o) {
  require_all(o.average_over <= o.duration, ExitCode::usage,
              "estimator.average_over = {} is longer than estimator.duration = {}; shorten it", o.average_over, o.duration);
}

void list_reconstruct(Arrays arrays, Hee const& model, HeeLangevinOptions const& dynamics, Index points, Index ranks) {
  HeeLangevin const langevin(dynamics, model);
  Share const share{tiling_of(points), 0, int(ranks)};
  Index const tiles = share.mine().count, units = model.dimension() + model.units();
  langevin.make_chains(share.tiling, share.mine(), arrays);
  langevin.list_work(arrays, tiles, share.tiling.width, false);
  arrays.count<Real>("sums of the layers", tiles, units, share.tiling.pitch());
  arrays.count<double>("means of all items", points, units);
  list_inverse_couplings(arrays, model);
}

std::vector<std::vector<double>> reconstruct(Hee const& model, HeeLangevinOptions const& dynamics, std::vector<double> const& points,
                                             ReconstructionOptions const& o, Communicator const& ranks, random::Key key) {
  Index const count = std::ssize(points) / model.dimension();
  Tiling const tiling = tiling_of(count);
  require_fit(o);
  HeeLangevin langevin(dynamics, model);
  auto const chains = langevin.make_chains(tiling, share_of_tiles(tiling.tiles(), ranks.rank(), ranks.ranks()));
  random::Key const own = random::derived_key(key, random::Stream::hee_reconstruction);
  show(points, chains);
  langevin.initialise(chains, own, 0, {}, Visible::clamped);

  auto const inverse = inverse_couplings(model);
  auto const states = [&](double time) { return std::max<Index>(1, std::llround(time / dynamics.step_size / average_every)); };
  Index const averaged = states(o.average_over), total = std::max(averaged, states(o.duration));
  std::vector<TileStorage> sums;
  for (auto const& layer : chains.x) sums.emplace_back("sums of a layer", layer.extent(0), layer.extent(1), layer.extent(2));
  for (Index n = 0; n < total; n++) {
    langevin.advance(chains, own, {0, chains.mine.count}, n * average_every, average_every, Visible::clamped);
    if (n < total - averaged) continue;
    add(sums[0], mean_statistic(model, 0, inverse, chains.x));
    for (std::size_t l = 1; l < sums.size(); l++) add(sums[l], chains.x[l]);
  }
  require_finite_chains(ranks, tiling, chains.mine, chains.x, total * average_every, std::numeric_limits<double>::quiet_NaN());
  std::vector<std::vector<double>> out;
  for (auto const& sum : sums) out.push_back(means(chains, sum, averaged, ranks));
  return out;
}

}  // namespace partita
