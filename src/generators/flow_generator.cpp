#include "generators/flow_generator.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "core/copy.hpp"
#include "core/math.hpp"
#include "generators/entry.hpp"
#include "samplers/finite_chains.hpp"

namespace partita {
namespace {

using Range = Kokkos::RangePolicy<Execution, Kokkos::IndexType<Index>>;
constexpr double unknown = std::numeric_limits<double>::quiet_NaN();

TileScalarStorage make_statistic(Arrays const& arrays, Index tiles, Index pitch) {
  return arrays.make<TileScalarStorage>("statistic of samples", tiles, pitch);
}
TileStorage make_samples(Arrays const& arrays, Index tiles, Index rows, Index pitch) {
  return arrays.make<TileStorage>("samples of a flow", tiles, rows, pitch);
}

// A copy of rows first, first + 1, ... of every tile.
TileStorage copy_rows(TileStorage const& from, Index first, Index count) {
  TileStorage const to = make_samples({}, extent(from, 0), count, extent(from, 2));
  copy_array(to, Kokkos::subview(from, Kokkos::ALL, std::pair(first, first + count), Kokkos::ALL));
  return to;
}

TileRange share(Tiling const& tiling, Communicator const& ranks) { return share_of_tiles(tiling.tiles(), ranks.rank(), ranks.ranks()); }

}  // namespace

Index flow_width(Index asked, Index samples) { return asked > 0 ? asked : std::min(flow_tile_width, round_up(samples, lane_quantum)); }

FlowDraws::FlowDraws(Nice const& flow, Tiling const& tiling, TileRange mine, Arrays arrays)
    : latents("latents", tiling, mine, flow.latent_dimension(), arrays),
      xy(arrays.make<TileStorage>("flow values", mine.count, flow.latent_dimension(), tiling.pitch())),
      energy(arrays.make<TileScalarStorage>("target energy", mine.count, tiling.pitch())),
      log_weight(arrays.make<TileScalarStorage>("log weights", mine.count, tiling.pitch())) {
  flow.work(arrays, tiles_in_flight(mine.count), tiling.width);
}

void FlowDraws::draw(Nice& flow, DifferentiableModel& target, random::Key key, Index step) {
  Index const d = flow.dimension(), latent = flow.latent_dimension();
  Real const constant = Real(flow.log_determinant() + 0.5 * double(latent) * std::log(2 * std::numbers::pi));
  initialise(latents, key, random::Stream::flow_latents, step, {});
  for (Index tile = 0; tile < latents.mine.count; tile++) {
    Index const lanes = latents.tiling.lanes(latents.mine.first + tile);
    auto const one = std::pair(tile, tile + 1), row = std::pair(Index{0}, lanes);
    Tiles const z = latents.tiles(tile, 1, lanes), values = Kokkos::subview(xy, one, Kokkos::ALL, row),
                x = Kokkos::subview(xy, one, std::pair(Index{0}, d), row);
    TileScalars const u = Kokkos::subview(energy, one, row), w = Kokkos::subview(log_weight, one, row);
    flow.forward(z, values);
    target.energy(x, u);
    flow.conditional(values, w);
    Kokkos::parallel_for(
        "partita::flow_log_weight", Range(0, lanes), KOKKOS_LAMBDA(Index l) {
          Real square = 0;
          for (Index i = 0; i < latent; i++) square = std::fma(z(0, i, l), z(0, i, l), square);
          w(0, l) = constant + Real(0.5) * square - u(0, l) - w(0, l);
        });
  }
}

deck::Schema flow_schema() {
  return {"flow", "independent samples of a nice flow with energy U(x) and importance log_weight for the [target]", {}};
}

FlowGenerator::FlowGenerator(Nice& flow, std::unique_ptr<DifferentiableModel> target, Tiling const& tiling, Communicator communicator,
                             random::Key key)
    : flow_(flow),
      target_(std::move(target)),
      communicator_(communicator),
      key_(random::derived_key(key, random::Stream::flow_latents, 1)),
      draws_(flow, tiling, share(tiling, communicator)) {
  target_->reserve(1, tiling.width);
}

void FlowGenerator::list(Arrays held, Arrays at_end, Nice const& flow, Model const& target, Share const& share) {
  FlowDraws(flow, share.tiling, share.mine(), held);
  target.work(held.in("target"), 1, share.tiling.width);
  make_samples(at_end, share.mine().count, flow.latent_dimension(), share.tiling.pitch());
}

std::vector<Generator::Variable> FlowGenerator::variables() const {
  std::vector<Variable> out{{"x", flow_.dimension()}};
  if (flow_.latent_dimension() > flow_.dimension()) out.push_back({"y", flow_.latent_dimension() - flow_.dimension()});
  return out;
}

std::vector<TileStorage> FlowGenerator::samples() {
  draws_.draw(flow_, *target_, key_, 0);
  std::vector<TileStorage> out;
  Index first = 0;
  for (Variable const& v : variables()) {
    out.push_back(copy_rows(draws_.xy, first, v.size));
    first += v.size;
  }
  return out;
}

std::vector<Generator::Statistic> FlowGenerator::statistics() const {
  return {{"energy", "U(x) of the target"},
          {"log_weight", "log of exp(-U(x)) N(y; M(x), Sigma(x)) |det S| / N(z; 0, I); its mean exponential is C"}};
}

void FlowGenerator::require_finite(Index step) const { require_finite_chains(communicator_, tiling(), mine(), {draws_.xy}, step, unknown); }

deck::Schema flow_metropolis_schema() {
  using O = FlowMetropolisOptions;
  return deck::schema<O>(
      "flow_metropolis", "chains of the [target] whose proposals are samples of a nice flow, then steps of the [sampler], if there is one",
      {deck::key("steps", &O::steps, "number of proposals of each chain").at_least(1),
       deck::key("sampler_steps", &O::sampler_steps, "number of steps of the [sampler] after the proposals, at its step_size as given")
           .at_least(0)});
}

FlowMetropolis::FlowMetropolis(Nice& flow, std::unique_ptr<DifferentiableModel> target, std::unique_ptr<Sampler> sampler,
                               FlowMetropolisOptions const& options, Tiling const& tiling, Communicator communicator, random::Key key)
    : flow_(flow),
      target_(std::move(target)),
      sampler_(std::move(sampler)),
      options_(options),
      communicator_(communicator),
      key_(key),
      flow_key_(random::derived_key(key, random::Stream::flow_latents, 2)),
      memory_({}, flow, *target_, {tiling, communicator.rank(), communicator.ranks()}) {
  if (sampler_) sampler_->prepare(*target_, memory_.chains, key);
  fill_array(memory_.log_weight, -std::numeric_limits<Real>::infinity());  // the first proposal becomes the state
}

FlowMetropolis::Memory::Memory(Arrays arrays, Nice const& flow, Model const& target, Share const& share)
    : proposals(flow, share.tiling, share.mine(), arrays),
      chains("flow chains", share.tiling, share.mine(), flow.dimension(), arrays),
      log_weight(arrays.make<TileScalarStorage>("log weights of chains", share.mine().count, share.tiling.pitch())),
      accepted(arrays.make<TileScalarStorage>("accepted flow proposals", share.mine().count, share.tiling.pitch())) {
  target.work(arrays.in("target"), tiles_in_flight(share.mine().count), share.tiling.width);
}

void FlowMetropolis::list(Arrays held, Arrays at_end, Nice const& flow, Model const& target, Sampler const* sampler, Share const& share) {
  Memory(held, flow, target, share);
  if (sampler) sampler->list(held.in("sampler"), target, share);
  for (int values = 0; values < 2; values++) make_statistic(at_end, share.mine().count, share.tiling.pitch());
}

void FlowMetropolis::propose(Index step) {
  memory_.proposals.draw(flow_, *target_, flow_key_, step);
  auto const x = memory_.chains.x, from = memory_.proposals.xy;
  auto const log_weight = memory_.log_weight, proposed = memory_.proposals.log_weight, accepted = memory_.accepted;
  auto const key = flow_key_;
  Index const d = flow_.dimension(), pitch = tiling().pitch();
  ChainNumbers const number = memory_.chains.numbers();
  bool const first = step == 0;
  Kokkos::parallel_for(
      "partita::flow_metropolis", Range(0, memory_.chains.mine.count * pitch), KOKKOS_LAMBDA(Index n) {
        Index const tile = n / pitch, l = n % pitch;
        Real const u = random::uniform(random::words(key, number.of(tile, l), random::Stream::metropolis, std::uint64_t(step), 0).w[0]);
        if (!(math::log(u) < proposed(tile, l) - log_weight(tile, l))) return;
        log_weight(tile, l) = proposed(tile, l);
        if (!first) accepted(tile, l) += 1;
        for (Index i = 0; i < d; i++) x(tile, i, l) = from(tile, i, l);
      });
}

void FlowMetropolis::advance(Index step, Index steps) {
  for (Index s = step; s < step + steps && s < options_.steps; s++) {
    if (s == 0) propose(0);
    propose(s + 1);
  }
  Index const first = std::max(step, options_.steps), count = step + steps - first;
  if (count > 0) sampler_->advance(*target_, memory_.chains, key_, first, count);
}

void FlowMetropolis::require_finite(Index step) const { require_finite_chains(communicator_, {memory_.chains}, step, unknown); }

void FlowMetropolis::describe_state(State& state) {
  memory_.chains.describe_state(state, "chains");
  state.add_by_tile("generator/log_weight", memory_.log_weight, memory_.chains.mine, tiling().tiles());
  state.add_by_tile("generator/accepted", memory_.accepted, memory_.chains.mine, tiling().tiles());
}

std::vector<Generator::Statistic> FlowMetropolis::statistics() const {
  return {{"energy", "U(x) of the target"}, {"acceptance_rate", "share of the flow's proposals that this chain accepted"}};
}

std::vector<TileScalarStorage> FlowMetropolis::statistic_values() const {
  TileScalarStorage const energy = make_statistic({}, extent(memory_.accepted, 0), extent(memory_.accepted, 1)),
                          rate = make_statistic({}, extent(memory_.accepted, 0), extent(memory_.accepted, 1));
  for (Index tile = 0; tile < mine().count; tile++) {
    Index const lanes = tiling().lanes(mine().first + tile);
    target_->energy(memory_.chains.tiles(tile, 1, lanes), Kokkos::subview(energy, std::pair(tile, tile + 1), std::pair(Index{0}, lanes)));
  }
  auto const accepted = memory_.accepted;
  Real const per_step = 1 / Real(options_.steps);
  Index const pitch = tiling().pitch();
  Kokkos::parallel_for(
      "partita::acceptance_rate", Range(0, mine().count * pitch),
      KOKKOS_LAMBDA(Index n) { rate(n / pitch, n % pitch) = per_step * accepted(n / pitch, n % pitch); });
  return {energy, rate};
}

std::vector<Metric> FlowMetropolis::results() const {
  auto const accepted = memory_.accepted;
  double here = 0, stuck_here = 0;  // integers, so that the sums are exact in any order
  for (Index tile = 0; tile < mine().count; tile++) {
    double sum = 0, stuck = 0;
    Kokkos::parallel_reduce(
        "partita::count_acceptance", Range(0, tiling().chains_in(mine().first + tile)),
        KOKKOS_LAMBDA(Index l, double& s, double& none) {
          s += double(accepted(tile, l));
          none += accepted(tile, l) == 0 ? 1 : 0;
        },
        sum, stuck);
    here += sum, stuck_here += stuck;
  }
  double const chains = double(tiling().chains), proposals = chains * double(options_.steps);
  double const rate = communicator_.all_reduce(here, Reduction::sum) / proposals,
               stuck = communicator_.all_reduce(stuck_here, Reduction::sum);
  std::vector<Metric> out{{.name = "flow_acceptance", .value = rate, .definition = "share of the flow's proposals that were accepted"}};
  constexpr double fewest = 10;  // accepted proposals of a chain, before it is independent of where it started
  if (stuck == 0 && rate * double(options_.steps) < fewest)
    out.front().warning = fmt::format(
        "chains accepted {:.2g} proposals each, fewer than the {} needed to become independent of their starts, the flow's samples; use "
        "more generator.steps, or train the flow until it covers its target",
        rate * double(options_.steps), fewest);
  if (stuck > 0)
    out.front().warning = fmt::format(
        "{} of {} chains accepted none of {} proposals and are still samples of the flow, not of the target; use more generator.steps, or "
        "train the flow until it covers its target",
        stuck, chains, options_.steps);
  if (sampler_ && sampler_->adjusted() && options_.sampler_steps > 0) {
    double const moved = double(communicator_.all_reduce(count_acceptance(memory_.chains), Reduction::sum));
    out.push_back({.name = "sampler_acceptance",
                   .value = moved / (double(tiling().chains) * double(options_.sampler_steps)),
                   .definition = "share of the sampler's proposals that were accepted"});
  }
  return out;
}

namespace {

Tiling flow_tiling(deck::Document const& d) {
  auto const common = d.at("generator").as<GeneratorOptions>();
  return {common.samples, flow_width(common.tile_width, common.samples)};
}

void has_its_sampler(Fit const& fit) {
  if (Index const steps = fit.own.as<FlowMetropolisOptions>().sampler_steps; steps > 0 && !given(fit.deck, "sampler"))
    fit.refuse("sampler_steps", fmt::format("generator.sampler_steps = {} needs a [sampler]; add one, for example mala", steps));
}

}  // namespace

GeneratorEntry flow_generator() {
  return {{flow_schema(),
           [](GeneratorContext const& c) {
             auto& model = as<Nice>(c.model);
             return std::make_unique<FlowGenerator>(model, c.make_target(), flow_tiling(c.deck), c.ranks, c.key);
           }},
          [](GeneratorListing const& l) {
            auto const& model = as<Nice const>(l.model);
            Tiling const tiling = flow_tiling(l.deck);
            FlowGenerator::list(l.held, l.at_end, model, *l.list_target(l.held.in("target")), l.share(tiling));
            Index const extra = model.latent_dimension() - model.dimension();
            std::vector<Generator::Variable> variables{{"x", model.dimension()}};
            if (extra > 0) variables.push_back({"y", extra});
            return GeneratorEntry::Laid{tiling, variables, 2};
          },
          needs<Nice>(),
          false};
}

GeneratorEntry flow_metropolis_generator() {
  return {{flow_metropolis_schema(),
           [](GeneratorContext const& c) {
             auto& model = as<Nice>(c.model);
             auto const options = c.deck.at("generator").as<FlowMetropolisOptions>();
             auto const* block = c.deck.find("sampler");
             bool const has_sampler = block && block->given;
             return std::make_unique<FlowMetropolis>(model, c.make_target(), has_sampler ? c.make_sampler() : nullptr, options,
                                                     flow_tiling(c.deck), c.ranks, c.key);
           }},
          [](GeneratorListing const& l) {
            auto const& model = as<Nice const>(l.model);
            Tiling const tiling = flow_tiling(l.deck);
            auto const sampler = given(l.deck, "sampler") ? l.make_sampler() : nullptr;
            FlowMetropolis::list(l.held, l.at_end, model, *l.list_target(l.held.in("target")), sampler.get(), l.share(tiling));
            return GeneratorEntry::Laid{tiling, {{"x", model.dimension()}}, 2};
          },
          needs<Nice>(),
          false,
          has_its_sampler};
}

}  // namespace partita
