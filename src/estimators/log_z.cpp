#include "estimators/log_z.hpp"

#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "core/copy.hpp"
#include "core/log.hpp"
#include "estimators/enumeration.hpp"
#include "samplers/gibbs.hpp"
#include "samplers/replica_exchange.hpp"
#include "samplers/start_chains.hpp"

namespace partita {
namespace {

constexpr double unknown = std::numeric_limits<double>::quiet_NaN();
// The parts of the estimate, each with its own key derived from that of the run. 3 is used for the draws of a belief network's layers.
enum Part : std::uint64_t {
  forward_part,
  reverse_part,
  starts,
  back_from_others = 4,
  other_starts = 5,
  back_from_random = 6,
  random_starts = 7
};

// Narrow tiles: there are few chains, and all ranks should have some.
Tiling annealing_tiling(Index chains) { return {chains, std::min(pitch_quantum, round_up(chains, lane_quantum))}; }

ReplicaExchange tempering(LogZOptions const& o, Communicator const& ranks) {
  return {{.moves = "gibbs", .rungs = o.rungs, .lowest_beta = 0}, {}, ranks};
}

// Sets the chains to the coldest rung, beta = 1, of replica exchange from the reference; the first half of the burn-in adapts the ladder.
std::string temper(GibbsModel& model, LogZOptions const& o, Chains& chains, Communicator const& ranks, random::Key key, LogZ& out) {
  constexpr Index interval = 10;  // steps between two adaptations of the ladder
  ReplicaExchange sampler = tempering(o, ranks);
  start_chains(model, chains, {.key = key, .stream = random::Stream::initial_state}, {});
  sampler.prepare(model, chains, key);
  for (Index step = 0; step < o.warmup; step += interval) {
    sampler.advance(model, chains, key, step, std::min(interval, o.warmup - step));
    if (2 * step < o.warmup) sampler.adapt(1);
  }
  out.tempering = sampler.results();
  return fmt::format(
      "approximate: replica exchange over {} temperatures from beta = 0 to 1, started at independent units, {} sweeps of each", o.rungs,
      o.warmup);
}

// Starts the chains at items of data, with hidden units drawn given them, and lets them move freely.
std::string start_at(ItemTiles const& items, GibbsModel& model, LogZOptions const& o, Chains& chains, random::Key key) {
  Index const seen = model.visible_dimension(), hidden = model.dimension() - seen, settling = hidden > 0 ? 10 : 0;
  start_chains(model, chains, {.key = key, .stream = random::Stream::initial_state}, {});
  TileStorage const visible("items", chains.x.extent(0), seen, chains.x.extent(2));
  items.fill(visible, chains.tiling, chains.mine);
  copy_array(Kokkos::subview(chains.x, Kokkos::ALL, std::pair(Index{0}, seen), Kokkos::ALL), visible);
  Gibbs sampler;
  if (hidden > 0) {
    DeviceVector<std::uint8_t> const held("units of the items", model.dimension());
    fill_array(Kokkos::subview(held, std::pair(Index{0}, seen)), std::uint8_t{1});
    chains.held = held;
    sampler.advance(model, chains, key, 0, settling);
    chains.held = {};
  }
  sampler.advance(model, chains, key, settling, o.warmup);
  return fmt::format("items of [data], {} sweeps on", o.warmup);
}

// Starts the chains at random units, either value with probability 1/2, and lets them move freely.
std::string start_at_random(GibbsModel& model, LogZOptions const& o, Chains& chains, random::Key key) {
  auto const values = model.unit_values();
  auto const x = Kokkos::create_mirror_view(chains.x);
  ChainNumbers const numbers = chains.numbers();
  for (Index t = 0; t < chains.mine.count; t++)
    for (Index l = 0; l < chains.tiling.pitch(); l++)
      for (Index i = 0; i < chains.dimension; i++) {
        auto const w = random::words(key, numbers.of(t, l), random::Stream::initial_state, 0, std::uint32_t(i));
        x(t, i, l) = Real(values[w.w[0] >> 31]);
      }
  copy_array(chains.x, x);
  Gibbs().advance(model, chains, key, 0, o.warmup);
  return fmt::format("units of either value at random, {} sweeps on", o.warmup);
}

}  // namespace

Estimate LogZ::ratio() const {
  auto const between = acceptance_ratio(forward, reverse.front().log_weights);
  bool const agree = std::abs(forward_log_z().value - reverse_log_z(reverse.front()).value) <= 1;
  bool const known = agree && forward_mean.trusted() && reverse.front().mean.trusted();
  return {reference + between.value, known ? between.error : unknown};
}

double LogZ::lower() const { return forward_log_z().value - 2 * forward_log_z().error; }

double LogZ::upper() const {
  double highest = independent ? -std::numeric_limits<double>::infinity() : unknown;
  for (ReverseAnnealing const& way : reverse) {
    double const end = reverse_log_z(way).value + 2 * reverse_log_z(way).error;
    if (!(end <= highest)) highest = std::isnan(highest) ? highest : end;  // NaN stays
  }
  return highest;
}

double LogZ::converged() const {
  if (!independent || std::isnan(forward_log_z().value)) return unknown;
  if (missed_mode()) return 0;
  bool known = forward_mean.trusted(), near = true;
  for (ReverseAnnealing const& way : reverse) {
    double const apart = std::abs(forward_log_z().value - reverse_log_z(way).value);
    if (apart > 1) return 0;
    known = known && way.mean.trusted();
    near = near && apart + 2 * (forward_mean.seen + way.mean.seen) <= 1;
  }
  // Rounding of sums in single precision is of order 0.01 nats at most.
  if (known && exact && !(lower() - 0.01 <= *exact && *exact <= upper() + 0.01)) return 0;
  return known ? near : unknown;
}

bool LogZ::missed_mode() const { return from_random && reverse_log_z(*from_random).value > forward_log_z().value + 1; }

void list_log_z(Arrays arrays, GibbsModel const& model, LogZOptions const& o, Index temperatures, Index ranks) {
  Share const share{annealing_tiling(o.chains), 0, int(ranks)};
  for (char const* name : {"chains at the model", "annealed chains"}) Chains(name, share.tiling, share.mine(), model.dimension(), arrays);
  model.work(arrays, tiles_in_flight(share.mine().count), share.tiling.width);
  if (!Enumeration::possible(model)) tempering(o, Communicator::world()).list(arrays.in("tempering"), model, share);
  arrays.count<double>("temperatures in both directions, and in their file", 3, temperatures);
  arrays.count<double>("log weights of both directions, and what is made of them", 6, o.chains);
}

LogZ estimate_log_z(GibbsModel& model, LogZOptions const& o, std::optional<ItemTiles> const& items, Communicator const& ranks,
                    random::Key key) {
  auto const part = [key](Part p) { return random::derived_key(key, random::Stream::annealing, p); };
  Tiling const tiling = annealing_tiling(o.chains);
  Chains chains("chains at the model", tiling, share_of_tiles(tiling.tiles(), ranks.rank(), ranks.ranks()), model.dimension());
  LogZ out{};
  log::info("annealed importance sampling of log Z: {} chains, {} temperatures", o.chains, o.betas.size() - 1);
  out.forward = forward_log_weights(model, o.betas, tiling, ranks, part(forward_part));
  out.forward_mean = log_mean_exp(out.forward);
  out.reference = model.log_z_reference();
  auto const reverse_annealing = [&](std::string const& made_by, Part with) {
    log::info("reverse annealing, from starts at the model ({})", made_by);
    ReverseAnnealing way{made_by, reverse_log_weights(model, o.betas, chains, ranks, part(with)), {}};
    way.mean = log_mean_exp(way.log_weights);
    return way;
  };
  auto const anneal_in_reverse = [&](std::string const& made_by, Part with) { out.reverse.push_back(reverse_annealing(made_by, with)); };
  if (Enumeration::possible(model)) {
    Enumeration const all(model, ranks);
    all.draw(chains, part(starts));
    out.exact = all.log_z(), out.independent = true;
    anneal_in_reverse("exact: draws by enumeration", reverse_part);
    return out;
  }
  if (items) {
    out.independent = true;
    anneal_in_reverse(start_at(*items, model, o, chains, part(other_starts)), back_from_others);
  }
  anneal_in_reverse(temper(model, o, chains, ranks, part(starts), out), reverse_part);
  if (items && model.unit_values().size() == 2)
    out.from_random = reverse_annealing(start_at_random(model, o, chains, part(random_starts)), back_from_random);
  return out;
}

}  // namespace partita
