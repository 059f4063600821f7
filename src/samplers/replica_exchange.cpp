#include "samplers/replica_exchange.hpp"

#include <algorithm>
#include <bit>
#include <numeric>

#include "core/log.hpp"
#include "core/require.hpp"
#include "samplers/entry.hpp"
#include "samplers/gibbs.hpp"
#include "samplers/hmc.hpp"
#include "samplers/mala.hpp"
#include "samplers/ula.hpp"

namespace partita {
namespace {

using Options = ReplicaExchangeOptions;

template <class MoveOptions>
double target(Options const& o) {
  return o.target_acceptance >= 0 ? o.target_acceptance : MoveOptions{}.target_acceptance;
}

// A move at temperature T. Lengths scale with sqrt(T) on a quadratic energy, hence hmc's steps; those of ula and mala, whose noise has
// sqrt(T) already, do not depend on T.
struct Move {
  std::string name;
  bool has_step_size;
  std::function<std::unique_ptr<Sampler>(Options const&, double temperature)> make;
};
std::vector<Move> const& moves() {
  static std::vector<Move> const table = {
      {"gibbs", false, [](Options const&, double t) { return std::make_unique<Gibbs>(GibbsOptions{}, 1 / t); }},
      {"mala", true,
       [](Options const& o, double t) {
         return std::make_unique<Mala>(MalaOptions{o.step_size, t, target<MalaOptions>(o)});
       }},
      {"ula", true,
       [](Options const& o, double t) { return std::make_unique<Ula>(UlaOptions{.step_size = o.step_size, .temperature = t}); }},
      {"hmc", true,
       [](Options const& o, double t) {
         return std::make_unique<Hmc>(HmcOptions{o.step_size * std::sqrt(t), o.leapfrog_steps, t, target<HmcOptions>(o), o.random_length});
       }},
  };
  return table;
}
Move const& move_named(std::string const& name) {
  for (Move const& m : moves())
    if (m.name == name) return m;
  fail(ExitCode::internal, "no move named " + name);
}

// The deck's betas, or one for each of its rungs: in geometric progression to the lowest, or evenly spaced where that is 0.
std::vector<double> first_betas(Options const& o) {
  if (!o.betas.empty()) return o.betas;
  std::vector<double> out;
  for (Index r = 0; r < o.rungs; r++) {
    double const share = double(r) / double(o.rungs - 1);
    out.push_back(o.lowest_beta > 0 ? std::pow(o.lowest_beta, share) : 1 - share);
  }
  return out;
}

void scale(TileEnergies values, double by) {
  Kokkos::parallel_for(
      "partita::scale_energies", Kokkos::RangePolicy<Execution, Kokkos::IndexType<Index>>(0, extent(values, 1)),
      KOKKOS_LAMBDA(Index l) { values(0, l) *= by; });
}

}  // namespace

deck::Schema replica_exchange_schema() {
  using O = Options;
  std::vector<std::string> names;
  for (Move const& m : moves()) names.push_back(m.name);
  auto schema = deck::schema<O>(
      "replica_exchange",
      "chains that swap states with chains at higher temperatures, exp(-beta E); for machines, with the distributions p_beta of annealed "
      "importance sampling",
      {deck::key("moves", &O::moves, "how the chains at each temperature move").required().one_of(names),
       deck::key("step_size", &O::step_size,
                 "step size eta of mala and ula, or leapfrog step of hmc, at the lowest temperature; adapted at each temperature")
           .above(0),
       deck::key("target_acceptance", &O::target_acceptance,
                 "mala and hmc: acceptance rate to which the warm-up adapts the step sizes; 0: they stay as given; left out: the default "
                 "of that sampler")
           .at_least(0)
           .below(1),
       deck::key("leapfrog_steps", &O::leapfrog_steps,
                 "hmc: number of leapfrog steps of a trajectory; their mean with random_length = true")
           .at_least(1)
           .formerly("leapfrogs"),
       deck::key("random_length", &O::random_length,
                 "hmc: whether the number of leapfrog steps is random, uniform on 1 to 2 leapfrog_steps - 1"),
       deck::key("rungs", &O::rungs, "number of temperatures (rungs), that of the samples included").at_least(2),
       deck::key("lowest_beta", &O::lowest_beta, "1/T of the highest temperature; 0, independent draws, for gibbs alone")
           .at_least(0)
           .below(1),
       deck::key("betas", &O::betas, "all 1/T from 1 downwards, in place of rungs and lowest_beta")
           .at_least(0)
           .at_most(1)
           .excludes({"rungs", "lowest_beta"}),
       deck::key("adapt_ladder", &O::adapt_ladder,
                 "whether the warm-up of a sampling run moves the betas between the ends towards equal swap rates")});
  for (deck::Key& k : ladder_keys()) schema.keys.push_back(std::move(k));
  return schema;
}

ReplicaExchange::ReplicaExchange(Options const& o, LadderOptions const& ladder, Communicator communicator)
    : LadderSampler(o.step_size, std::ssize(first_betas(o)), ladder, communicator),
      adapts_ladder_(o.adapt_ladder && rungs() > 2),
      betas_("betas", rungs()) {
  auto const betas = first_betas(o);
  require_all(
      betas.size() >= 2 && betas.front() == 1 && std::is_sorted(betas.rbegin(), betas.rend()) &&
          std::adjacent_find(betas.begin(), betas.end()) == betas.end(),
      ExitCode::usage,
      "sampler.betas do not decrease from 1 (the samples are those of beta = 1); give two or more in decreasing order, the first one 1");
  Move const& move = move_named(o.moves);
  require_all(!move.has_step_size || o.step_size > 0, ExitCode::usage, "sampler.moves = \"{}\" needs a sampler.step_size; set it", o.moves);
  require_all(move.name == "gibbs" || betas.back() > 0, ExitCode::usage,
              "at beta = 0 the energy is flat and nothing confines the chains of {}; use a sampler.lowest_beta above 0", o.moves);
  for (std::size_t r = 0; r < betas.size(); r++) {
    betas_(r) = betas[r];
    moves_.push_back(move.make(o, 1 / betas[r]));
  }
}

std::vector<Index> ReplicaExchange::order() const {
  std::vector<Index> out(rungs());
  std::iota(out.begin(), out.end(), Index{0});
  return out;
}

void ReplicaExchange::require_fit(Model const& model) const {
  if (dynamic_cast<Gibbs const*>(moves_.front().get())) units_of(model);
  else
    require_all(dynamic_cast<DifferentiableModel const*>(&model) != nullptr, ExitCode::usage,
                "this model has no gradient, which sampler.moves needs; use moves = \"gibbs\"");
  for (auto const& move : moves_) move->require_fit(model);
}

void ReplicaExchange::prepare(Model const& model, Chains& chains, random::Key key) {
  require_fit(model);
  LadderSampler::prepare(model, chains, key);
}

void ReplicaExchange::prepare_rung(Index rung, Model const& model, Chains& chains, random::Key key) {
  moves_[rung]->prepare(model, chains, key);
}

void ReplicaExchange::list_rung(Arrays arrays, Index rung, Model const& model, Share const& share) const {
  moves_[rung]->list(arrays, model, share);
}

void ReplicaExchange::advance(Model const& model, Chains& chains, random::Key key, TileRange local, Index first_step, Index steps) {
  LadderSampler::advance(model, chains, key, local, first_step, steps);
  reached_ = first_step + steps;
}

void ReplicaExchange::advance_rung(Index rung, Model const& model, Chains& chains, random::Key key, TileRange local, Index first_step,
                                   Index steps) {
  Sampler& move = *moves_[rung];
  move.set_temperature(1 / beta(rung));
  move.advance(model, chains, key, local, first_step, steps);
}

void ReplicaExchange::compare(Index rung, Index neighbour, Model const& model, ConstTiles x, TileEnergies difference) const {
  auto const* units = dynamic_cast<Gibbs const*>(moves_.front().get()) ? &units_of(model) : nullptr;
  // For models of units the hidden ones are summed out separately at each beta; other energies are beta E with the same E.
  if (units) {
    auto const [one, other] = energies_.of(x);
    units->path_energy(x, beta(rung), one);
    units->path_energy(x, beta(neighbour), other);
    subtract(one, other, difference);
  } else {
    dynamic_cast<EnergyModel const&>(model).precise_energy(x, difference);
    scale(difference, beta(rung) - beta(neighbour));
  }
}

void ReplicaExchange::adapt(double acceptance) {
  adaptations_++;
  moves_.front()->adapt(acceptance);
  step_size_ = moves_.front()->step_size();
  if (adjusted())
    for (Index r = 1; r < rungs(); r++) moves_[r]->adapt(take_acceptance(r, reached_ - adapted_at_));
  adapted_at_ = reached_;
  if (adapts_ladder_ && std::has_single_bit(std::uint64_t(adaptations_))) move_betas();
}

void ReplicaExchange::move_betas() {
  std::vector<double> rejections;
  for (Swaps const& s : count_swaps()) rejections.push_back(double(s.attempted - s.accepted + 1) / double(s.attempted + 2));
  auto const moved = equal_rejections(betas(), rejections);
  std::copy(moved.begin(), moved.end(), betas_.data());
  forget_swaps();
}

std::vector<double> equal_rejections(std::vector<double> const& betas, std::vector<double> const& rejection_rates) {
  std::vector<double> barrier{0};
  for (double r : rejection_rates) barrier.push_back(barrier.back() + r);
  std::vector<double> out = betas;
  std::size_t k = 0;
  for (std::size_t r = 1; r + 1 < betas.size(); r++) {
    double const wanted = barrier.back() * double(r) / double(betas.size() - 1);
    while (barrier[k + 1] < wanted) k++;
    out[r] = betas[k] + (betas[k + 1] - betas[k]) * (wanted - barrier[k]) / (barrier[k + 1] - barrier[k]);
  }
  return out;
}

std::vector<Metric> ReplicaExchange::results() const {
  std::vector<Metric> out;
  for (Index r = 0; r < rungs(); r++)
    out.push_back({.name = fmt::format("beta_{:02}", r), .value = beta(r), .definition = fmt::format("1/T of rung {}", r)});
  for (Metric& r : LadderSampler::results()) {
    if (!r.warning.empty() && !std::isnan(r.value))
      r.warning += "; use more sampler.rungs (twice as many, say), or a higher sampler.lowest_beta";
    out.push_back(std::move(r));
  }
  return out;
}

void ReplicaExchange::describe_state(State& state) {
  LadderSampler::describe_state(state);
  state.add("sampler/betas", betas_);
  state.add_scalar("sampler/ladder_adaptations", adaptations_);
  state.add_scalar("sampler/reached", reached_);
  state.add_scalar("sampler/adapted_at", adapted_at_);
  for (Index r = 0; r < rungs(); r++) {
    State moves;
    moves_[r]->describe_state(moves);
    state.add_group(fmt::format("sampler/moves/{:03}", r), moves);
  }
}

namespace {

// A model of ratings has no chains of its own: which items are rated differs from user to user.
Needs units_or_gradient() { return {Capabilities::only<GibbsModel, DifferentiableModel>(), Capabilities::only<SoftmaxRbm>()}; }

void moves_fit(Fit const& fit) {
  bool const gibbs = fit.own.as<ReplicaExchangeOptions>().moves == "gibbs";
  if (gibbs && !fit.can.has<GibbsModel>())
    fit.refuse("moves", "sampler.moves = \"gibbs\" draws units given the others, which this model cannot do; use mala, hmc or ula");
  if (!gibbs && !fit.can.has<DifferentiableModel>())
    fit.refuse("moves", "this model has no gradient, which sampler.moves needs; use moves = \"gibbs\"");
}

}  // namespace

SamplerEntry replica_exchange_sampler() {
  return {{replica_exchange_schema(),
           [](deck::Block const& b) {
             return std::make_unique<ReplicaExchange>(b.as<ReplicaExchangeOptions>(), b.as<LadderOptions>(), Communicator::world());
           }},
          units_or_gradient(),
          moves_fit};
}

}  // namespace partita
