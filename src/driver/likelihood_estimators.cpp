// Estimators of models of units: log Z, likelihoods of the items of [data], and what stands in for them.
#include <array>
#include <cmath>

#include "core/log.hpp"
#include "core/require.hpp"
#include "driver/estimator.hpp"
#include "estimators/annealing.hpp"
#include "estimators/dbn_likelihood.hpp"
#include "estimators/enumeration.hpp"
#include "estimators/item_energies.hpp"
#include "samplers/gibbs.hpp"
#include "samplers/replica_exchange.hpp"

namespace partita {
namespace {

struct AnnealingOptions {
  Index chains = 100;
  Index temperatures = 0;
  std::vector<double> schedule_ends = {0.5, 0.9, 1}, schedule_steps = {1e-3, 1e-4, 1e-5};
  Index rungs = 16;
  Index burn_in = 1000;

  Schedule schedule() const {
    return temperatures > 0 ? uniform_schedule(temperatures) : piecewise_schedule(schedule_ends, schedule_steps);
  }
};
struct BeliefOptions {
  Index items = 1000;
  Index draws = 100;
};
struct PseudoLikelihoodOptions {
  Index items = 1000;
};

using Metrics = std::vector<Metric>;

GibbsModel& model_of(Subject const& s) {
  auto* const model = dynamic_cast<GibbsModel*>(s.evaluation.model);
  require_all(model != nullptr, ExitCode::usage,
              "model.type = \"{}\" has no path from a reference, nor units to enumerate; remove the estimator",
              s.evaluation.context.deck.at("model").type);
  return *model;
}
Communicator const& ranks_of(Subject const& s) { return s.samples.ranks; }

// ---- Items ----

constexpr std::array<std::pair<char const*, data::Split>, 3> splits{
    {{"train", data::Split::train}, {"validation", data::Split::validation}, {"test", data::Split::test}}};

// The first items of a split, `most` of them at most; 0: all.
ItemTiles items(data::Dataset const& data, data::Split split, Index most = 0) {
  Index const all = data.size(split);
  return {most > 0 ? std::min(most, all) : all, [&data, split](TileStorage to, Tiling const& tiling, TileRange tiles) {
            data.fill(to, tiling, tiles, [&](Index item) { return data.item(split, item); });
          }};
}

// average(ItemTiles) of every split that has items; nothing without data.
struct OfSplit {
  std::string split;
  Estimate value;
};
template <class Average>
std::vector<OfSplit> over_splits(Subject const& s, Index most, Average const& average) {
  auto const* data = s.evaluation.data;
  if (!data) return {};
  Index const visible = s.evaluation.model->visible_dimension();
  require_all(data->dimension() == visible, ExitCode::usage,
              "the data have {} numbers an item ({}) and the model takes {}; set the visible units of [model] accordingly",
              data->dimension(), data->source(), visible);
  std::vector<OfSplit> out;
  for (auto const& [name, split] : splits)
    if (data->size(split) > 0) out.push_back({name, average(items(*data, split, most))});
  return out;
}

std::vector<OfSplit> free_energies(Subject const& s) {
  return over_splits(s, 0, [&](ItemTiles const& i) { return mean_free_energy(model_of(s), i, ranks_of(s)); });
}

void add_free_energies(std::vector<OfSplit> const& found, Metrics& out) {
  for (auto const& f : found)
    out.push_back({"mean_negative_free_energy_" + f.split, -f.value.value, f.value.error,
                   fmt::format("mean -F(v) = log p(v) + log Z over the {} items; error over items", f.split)});
  if (found.size() < 2) return;
  auto const &train = found[0], &held_out = found[1];
  out.push_back({"free_energy_gap", train.value.value - held_out.value.value, std::hypot(train.value.error, held_out.value.error),
                 fmt::format("mean F(train) - mean F({}); falls where a model learns its training items by heart", held_out.split)});
}

// log_likelihood_<split><kind> for a log Z.
void add_likelihoods(std::vector<OfSplit> const& free_energy, Estimate const& log_z, std::string const& kind, std::string const& how,
                     Metrics& out) {
  for (auto const& f : free_energy)
    out.push_back({"log_likelihood_" + f.split + kind, -f.value.value - log_z.value, std::hypot(f.value.error, log_z.error),
                   fmt::format("mean log p(v) of the {} items in nats, {}; error over items, that of log Z included", f.split, how)});
}

// ---- log Z ----

void add_exact(double log_z, std::vector<OfSplit> const& free_energy, Metrics& out) {
  out.push_back({"log_z_exact", log_z, {}, "log Z by enumeration"});
  add_likelihoods(free_energy, {log_z, 0}, "_exact", "exact", out);
}

Metrics exact_log_z(Subject const& s, deck::Block const&) {
  Metrics out;
  add_exact(Enumeration(model_of(s), ranks_of(s)).log_z(), free_energies(s), out);
  return out;
}

// Chains at the model, from which the way back starts, and where they come from.
struct Starts {
  Chains chains;
  std::string made_by;
  Metrics metrics;
};

// Chains of the reference at beta = 0 that have swapped with others at all temperatures; the first half of the burn-in adapts the ladder.
Starts tempered(Subject const& s, GibbsModel& model, AnnealingOptions const& o, Chains chains, random::Key key) {
  constexpr Index interval = 10;  // steps between two looks at the ladder
  ReplicaExchange sampler({.moves = "gibbs", .rungs = o.rungs, .lowest_beta = 0}, {}, ranks_of(s));
  start_chains(model, chains, {.key = key, .stream = random::Stream::initial_state}, {});
  sampler.prepare(model, chains, key);
  for (Index step = 0; step < o.burn_in; step += interval) {
    sampler.advance(model, chains, key, step, std::min(interval, o.burn_in - step));
    if (2 * step < o.burn_in) sampler.adapt(1);
  }
  Metrics metrics;
  for (auto const& r : sampler.results())
    if (r.name == "swap_rate_lowest" || r.name == "round_trips") metrics.push_back({"tempering_" + r.name, r.value, {}, r.definition});
  return {std::move(chains),
          fmt::format("approximate: replica exchange over {} temperatures from beta = 0 to 1, started at independent units, {} sweeps of "
                      "each",
                      o.rungs, o.burn_in),
          metrics};
}

// Narrow tiles: there are few chains, and all ranks shall have some.
Tiling annealing_tiling(Index chains) { return {chains, std::min(pitch_quantum, round_up(chains, lane_quantum))}; }

// What is known of a model's log Z, and how.
struct LogZ {
  Estimate forward, reverse, ratio;
  std::optional<double> exact;
  Metrics metrics = {};
};

// Whether the two ends lie within a nat, as far as two standard errors can tell: few weights that count must not agree by chance.
bool has_converged(LogZ const& z) {
  return std::abs(z.forward.value - z.reverse.value) + 2 * std::hypot(z.forward.error, z.reverse.error) <= 1;
}

void warn_of_width(LogZ const& z, bool exact_starts) {
  if (!has_converged(z))
    log::warning(
        "log Z has NOT CONVERGED: {:.2f} +- {:.2f} by forward and {:.2f} +- {:.2f} by reverse annealing, not within a nat of one another; "
        "no likelihood that rests on either counts. Use more estimator.temperatures or chains{}",
        z.forward.value, z.forward.error, z.reverse.value, z.reverse.error,
        exact_starts ? "" : ", or a longer estimator.burn_in with more estimator.rungs");
}

void write_weights(Subject const& s, Schedule const& betas, std::vector<double> const& forward, std::vector<double> const& reverse,
                   double log_z_reference, std::string const& starts) {
  write_estimate(s, "log_likelihood", [&](hdf5::File const& file) {
    file.write("beta", betas);
    file.write("log_weight_forward", forward)
        .set_attribute("definition", std::string("log Z / Z_0 is below the log of the mean of exp of these"));
    auto const back = file.write("log_weight_reverse", reverse);
    back.set_attribute("definition", std::string("and above minus the log of the mean of exp of these, from exact starts"));
    back.set_attribute("starts", starts);
    file.set_attribute("log_z_reference", log_z_reference);
  });
}

void add_weights(LogMean const& w, std::string const& direction, Metrics& out) {
  out.push_back({"effective_chains_" + direction, w.effective, {}, "chains that count in the mean of the weights, (sum w)^2 / sum w^2"});
  out.push_back({"largest_weight_" + direction, w.largest_share, {}, "share of the largest weight in their sum"});
}

// By annealing there and back; what it is called in messages and metrics ends on `name`.
LogZ annealed(Subject const& s, GibbsModel& model, AnnealingOptions const& o) {
  Communicator const& ranks = ranks_of(s);
  Schedule const betas = o.schedule();
  auto const key = [&](std::uint64_t which) { return random::derived_key(s.evaluation.context.key, random::Stream::annealing, which); };
  Tiling const tiling = annealing_tiling(o.chains);
  log::info("annealed importance sampling of log Z: {} chains, {} temperatures", o.chains, betas.size() - 1);
  auto const forward = forward_log_weights(model, betas, tiling, ranks, key(0));

  std::optional<double> exact;
  Chains at_model("chains at the model", tiling, share_of_tiles(tiling.tiles(), ranks.rank(), ranks.ranks()), model.dimension());
  Starts const starts = [&]() -> Starts {
    if (!Enumeration::possible(model)) return tempered(s, model, o, at_model, key(2));
    Enumeration const all(model, ranks);
    exact = all.log_z();
    all.draw(at_model, key(2));
    return {at_model, "exact: draws by enumeration", {}};
  }();
  log::info("and back, from starts at the model ({})", starts.made_by);
  auto const reverse = reverse_log_weights(model, betas, starts.chains, ranks, key(1));

  double const start = model.log_z_reference();
  auto const up = log_mean_exp(forward), down = log_mean_exp(reverse);
  auto const between = acceptance_ratio(forward, reverse);
  LogZ z{{start + up.value, up.error}, {start - down.value, down.error}, {start + between.value, between.error}, exact};
  warn_of_width(z, exact.has_value());
  write_weights(s, betas, forward, reverse, start, starts.made_by);
  z.metrics = {
      {"log_z_forward", z.forward.value, z.forward.error, "log Z by annealed importance sampling; too low on average"},
      {"log_z_reverse", z.reverse.value, z.reverse.error,
       "log Z by annealing from the model to the reference; too high on average where its starts are exact; they are " + starts.made_by},
      {"log_z_bar", z.ratio.value, z.ratio.error, "log Z by Bennett's acceptance ratio of the two"},
      {"converged",
       has_converged(z) ? 1. : 0.,
       {},
       "1 where log_z_forward and log_z_reverse are within 1 nat, two standard errors included"}};
  add_weights(up, "forward", z.metrics);
  add_weights(down, "reverse", z.metrics);
  z.metrics.insert(z.metrics.end(), starts.metrics.begin(), starts.metrics.end());
  return z;
}

Metrics annealed_log_z(Subject const& s, deck::Block const& block) {
  LogZ const z = annealed(s, model_of(s), block.as<AnnealingOptions>());
  auto const free_energy = free_energies(s);
  Metrics out = z.metrics;
  if (z.exact) add_exact(*z.exact, free_energy, out);
  add_likelihoods(free_energy, z.forward, "_optimistic", "with log_z_forward", out);
  add_likelihoods(free_energy, z.reverse, "_conservative", "with log_z_reverse", out);
  add_free_energies(free_energy, out);
  return out;
}

// ---- Belief networks ----

Metrics belief_network(Subject const& s, deck::Block const& block) {
  auto const& model = dynamic_cast<DeepBeliefNetwork const&>(*s.evaluation.model);
  auto const o = block.as<BeliefOptions>();
  LogZ const z = annealed(s, model.top(), block.as<AnnealingOptions>());
  auto const key = random::derived_key(s.evaluation.context.key, random::Stream::annealing, 3);
  Metrics out = z.metrics;
  for (auto const& [name, split] : splits) {
    auto const& data = *s.evaluation.data;
    if (data.size(split) == 0) continue;
    auto const found = dbn_likelihood(model, items(data, split, o.items), o.draws, ranks_of(s), key);
    auto const add = [&](Estimate const& value, Estimate const& log_z, std::string const& kind, std::string const& how) {
      out.push_back({"log_likelihood_" + std::string(name) + kind, value.value - log_z.value, std::hypot(value.error, log_z.error),
                     fmt::format("mean over {} items in nats: {}", name, how)});
    };
    add(found.bound, z.forward, "_bound_optimistic", "variational lower bound of log p(v), with log_z_forward of the top machine");
    add(found.bound, z.reverse, "_bound_conservative", "the same with log_z_reverse");
    add(found.importance, z.forward, "_importance_optimistic",
        fmt::format("importance sampling with {} draws of the hidden layers, with log_z_forward", o.draws));
    add(found.importance, z.reverse, "_importance_conservative", "the same with log_z_reverse");
  }
  return out;
}

// ---- What stands in for a likelihood ----

Metrics free_energy_gap(Subject const& s, deck::Block const&) {
  Metrics out;
  add_free_energies(free_energies(s), out);
  return out;
}

Metrics pseudo_likelihood(Subject const& s, deck::Block const& block) {
  Index const most = block.as<PseudoLikelihoodOptions>().items;
  Metrics out;
  for (auto const& f : over_splits(s, most, [&](ItemTiles const& i) { return mean_pseudo_likelihood(model_of(s), i, ranks_of(s)); }))
    out.push_back({"log_pseudo_likelihood_" + f.split, f.value.value, f.value.error,
                   fmt::format("mean of sum_k log p(v_k | rest) over {} items, in nats; error over items", f.split)});
  return out;
}

std::vector<deck::Key> annealing_keys() {
  using A = AnnealingOptions;
  return {
      deck::key("chains", &A::chains, "of each direction").at_least(2),
      deck::key("temperatures", &A::temperatures, "so many steps of beta, equally spaced; 0: the schedule of ends and steps")
          .at_least(0)
          .excludes({"schedule_ends", "schedule_steps"}),
      deck::key("schedule_ends", &A::schedule_ends, "stretches of the way from beta = 0 to 1 end here, the last at 1").above(0).at_most(1),
      deck::key("schedule_steps", &A::schedule_steps, "step of beta on each of them").above(0),
      deck::key("rungs", &A::rungs, "temperatures of the tempered chains from which the way back starts, where nothing is enumerated")
          .at_least(2),
      deck::key("burn_in", &A::burn_in, "sweeps of each of them before it starts").at_least(1)};
}

deck::Schema belief_schema() {
  using B = BeliefOptions;
  auto schema =
      deck::schema<B>("dbn_likelihood", "lower bound and importance estimate of log p(v) of the items of [data] under a belief network",
                      {deck::key("items", &B::items, "the first so many of each split; 0: all").at_least(0),
                       deck::key("draws", &B::draws, "of the hidden layers for each item").at_least(1)});
  for (deck::Key& k : annealing_keys()) schema.keys.push_back(std::move(k));
  return schema;
}

}  // namespace

std::vector<EstimatorEntry> likelihood_estimators() {
  using A = AnnealingOptions;
  using P = PseudoLikelihoodOptions;
  return {
      {deck::schema<A>(
           "ais",
           "log Z of a model of units by annealed importance sampling there and back, Bennett's ratio between, and the likelihoods of the "
           "items of [data]; the weights: estimates/log_likelihood.h5",
           annealing_keys()),
       annealed_log_z, LooksAt::model_or_data, Family::units},
      {belief_schema(), belief_network, LooksAt::model_or_data, Family::belief, true},
      {{"exact_log_z",
        "log Z and the likelihoods of the items of [data] by enumeration: an rbm with up to 25 units in one layer, other "
        "machines with up to 25 units",
        {}},
       exact_log_z,
       LooksAt::model_or_data,
       Family::units},
      {deck::schema<P>("pseudo_likelihood", "mean of sum_k log p(v_k | rest) of the items of [data] under a machine of binary units",
                       {deck::key("items", &P::items, "the first so many of each split; 0: all").at_least(0)}),
       pseudo_likelihood, LooksAt::model_or_data, Family::units, true},
      {{"free_energy_gap", "mean free energies of the items of [data], and how far those of the training items lie from held-out ones", {}},
       free_energy_gap,
       LooksAt::model_or_data,
       Family::units,
       true},
  };
}

}  // namespace partita
