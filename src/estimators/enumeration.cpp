#include "estimators/enumeration.hpp"

#include <algorithm>
#include <cmath>
#include <map>

#include "core/copy.hpp"
#include "core/require.hpp"
#include "models/rbm.hpp"

namespace partita {
namespace {

constexpr Index width = 256;  // states per tile: several vectors per row for the products, small enough for the caches

// The model as an rbm if it has fewer hidden than visible units, so that these are enumerated; null: enumerate x.
Rbm const* by_hidden_units(GibbsModel const& model) {
  auto const* rbm = dynamic_cast<Rbm const*>(&model);
  return rbm && (!model.binary() || rbm->hidden() < model.dimension()) ? rbm : nullptr;
}

Index unit(Index state, Index i) { return state >> i & 1; }

double log_sum_exp_minus(std::vector<double> const& energies) {
  double const lowest = *std::min_element(energies.begin(), energies.end());
  double sum = 0;
  for (double e : energies) sum += std::exp(lowest - e);
  return std::log(sum) - lowest;
}

// The first place whose running sum of exp(terms - log_total) exceeds u, and the rest of u there as a fraction of that term.
struct Place {
  std::size_t at;
  double left;
};
template <class Terms>
Place find_share(Terms const& log_term, std::size_t count, double log_total, double u) {
  for (std::size_t n = 0;; n++) {
    double const share = std::exp(log_term(n) - log_total);
    if (u < share || n + 1 == count) return {n, u / share};
    u -= share;
  }
}

}  // namespace

bool Enumeration::possible(GibbsModel const& model) {
  auto const* rbm = by_hidden_units(model);
  return rbm ? rbm->hidden() <= most_units : model.binary() && model.dimension() <= most_units;
}

Enumeration::Enumeration(GibbsModel& model, Communicator const& ranks)
    : model_(model), restricted_(by_hidden_units(model)), units_(restricted_ ? restricted_->hidden() : model.dimension()) {
  require_all(possible(model), ExitCode::usage,
              "a sum over all states of {} units was requested (at most {} binary units are possible, in either layer of an rbm); use "
              "estimator.type = \"ais\"",
              units_, most_units);
  Index const states = Index{1} << units_;
  tiling_ = {states, std::min(width, round_up(states, lane_quantum))};
  states_ = TileStorage("enumerated states", 1, units_, tiling_.pitch());
  energy_ = TileScalarStorage("energies of enumerated states", 1, tiling_.pitch());
  model.reserve(1, tiling_.width);
  TileRange const mine = share_of_tiles(tiling_.tiles(), ranks.rank(), ranks.ranks());
  std::vector<double> here;
  for (Index tile = mine.first; tile < mine.end(); tile++) here.push_back(-log_sum_exp_minus(energies(tile)));
  auto lowest_first = ranks.all_gather(here);
  log_z_ = log_sum_exp_minus(lowest_first);
  require_all(std::isfinite(log_z_), ExitCode::numerical, "the sum over all {} states is not finite; check that the model's parameters are",
              states);
  for (double e : lowest_first) log_weights_.push_back(-e);
}

std::vector<double> Enumeration::energies(Index tile) const {
  Index const units = units_, lanes = tiling_.lanes(tile), first = tiling_.first_chain(tile);
  auto const states = states_;
  Kokkos::parallel_for(
      "partita::enumerate_states", Kokkos::RangePolicy<Execution, Kokkos::IndexType<Index>>(0, units * lanes),
      KOKKOS_LAMBDA(Index n) { states(0, n / lanes, n % lanes) = Real((first + n % lanes) >> n / lanes & 1); });
  auto const row = std::pair(Index{0}, lanes);
  ConstTiles const seen = Kokkos::subview(states_, Kokkos::ALL, Kokkos::ALL, row);
  TileScalars const energy = Kokkos::subview(energy_, Kokkos::ALL, row);
  if (restricted_) restricted_->hidden_energy(seen, energy);
  else model_.path_energy(seen, 1, energy);
  auto const host = values_on_host(energy_);
  return {host.data(), host.data() + tiling_.chains_in(tile)};
}

void Enumeration::draw(Chains const& chains, random::Key key) const {
  // Chains sorted by the tile of their state, so that each tile is enumerated once.
  struct Drawn {
    Index tile, lane;
    double left;
  };
  std::map<Index, std::vector<Drawn>> drawn;
  for (Index tile = 0; tile < chains.mine.count; tile++)
    for (Index lane = 0; lane < chains.tiling.width; lane++) {
      auto const w = random::words(key, chains.numbers().of(tile, lane), random::Stream::gibbs_start, 0, 0);
      auto const [at, left] =
          find_share([&](std::size_t n) { return log_weights_[n]; }, log_weights_.size(), log_z_, random::uniform_double(w.w[0]));
      drawn[Index(at)].push_back({tile, lane, left});
    }
  TileStorage const units = restricted_ ? TileStorage("drawn units", chains.mine.count, units_, chains.tiling.pitch()) : chains.x;
  auto const host = values_on_host(units);
  for (auto const& [tile, of_tile] : drawn) {
    auto const e = energies(tile);
    double const log_weight = log_weights_[tile];
    for (Drawn const& d : of_tile) {
      auto const at = find_share([&](std::size_t n) { return -e[n]; }, e.size(), log_weight, d.left).at;
      for (Index i = 0; i < units_; i++) host(d.tile, i, d.lane) = Real(unit(tiling_.first_chain(tile) + Index(at), i));
    }
  }
  copy_array(units, host);
  if (!restricted_) return;
  for (Index tile = 0; tile < chains.mine.count; tile++)
    restricted_->draw_visible(Kokkos::subview(units, std::pair(tile, tile + 1), Kokkos::ALL, std::pair(Index{0}, chains.tiling.width)),
                              chains.tiles(tile, 1, chains.tiling.width), {.key = key, .chains = chains.numbers().from(tile)});
}

}  // namespace partita
