// Estimators of models of units: log Z, likelihoods of the items of [data], and substitutes for these.
#include <array>
#include <cmath>

#include "comm/tile_sums.hpp"
#include "core/copy.hpp"
#include "core/require.hpp"
#include "estimators/dbn_likelihood.hpp"
#include "estimators/entry.hpp"
#include "estimators/enumeration.hpp"
#include "estimators/item_energies.hpp"
#include "estimators/log_z.hpp"
#include "models/items.hpp"

namespace partita {
namespace {

struct AnnealingOptions {
  Index chains = 100;
  Index temperatures = 0;
  std::vector<double> schedule_ends = {0.5, 0.9, 1}, schedule_steps = {1e-3, 1e-4, 1e-5};
  Index rungs = 16;
  Index warmup = 1000;

  Schedule schedule() const {
    return temperatures > 0 ? uniform_schedule(temperatures) : piecewise_schedule(schedule_ends, schedule_steps);
  }
  Index number_of_temperatures() const { return temperatures > 0 ? temperatures : temperatures_of(schedule_ends, schedule_steps); }
};
struct BeliefOptions {
  Index items = 1000;
  Index draws = 100;
};
struct PseudoLikelihoodOptions {
  Index items = 1000;
};

GibbsModel& model_of(Subject const& s) { return as<GibbsModel>(*s.model); }
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

// average(ItemTiles) for every split that has items; empty without data.
struct OfSplit {
  std::string split;
  Estimate value;
};
template <class Average>
std::vector<OfSplit> over_splits(Subject const& s, Index most, Average const& average) {
  auto const* data = s.data;
  if (!data) return {};
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
    out.push_back(metric("mean_negative_free_energy_" + f.split, {-f.value.value, f.value.error, f.value.degrees_of_freedom},
                         fmt::format("mean -F(v) = log p(v) + log Z over the {} items; error over items", f.split)));
  if (found.size() < 2) return;
  auto const &train = found[0], &held_out = found[1];
  out.push_back(metric("free_energy_gap",
                       {train.value.value - held_out.value.value, std::hypot(train.value.error, held_out.value.error),
                        std::min(train.value.degrees_of_freedom, held_out.value.degrees_of_freedom)},
                       fmt::format("mean F(train) - mean F({}); falls where a model learns its training items by heart", held_out.split)));
}

// Adds log_likelihood_<split><kind> for this log Z.
void add_likelihoods(std::vector<OfSplit> const& free_energy, double log_z, std::string const& kind, std::string const& how, Metrics& out) {
  for (auto const& f : free_energy)
    out.push_back(metric("log_likelihood_" + f.split + kind, {-f.value.value - log_z, f.value.error, f.value.degrees_of_freedom},
                         fmt::format("mean log p(v) of the {} items in nats, {}; error over items", f.split, how)));
}

// ---- log Z ----

void add_exact(double log_z, std::vector<OfSplit> const& free_energy, Metrics& out) {
  out.push_back({"log_z_exact", log_z, {}, "log Z by enumeration"});
  add_likelihoods(free_energy, log_z, "_exact", "exact", out);
}

Metrics exact_log_z(Subject const& s, deck::Block const&) {
  Metrics out;
  add_exact(Enumeration(model_of(s), ranks_of(s)).log_z(), free_energies(s), out);
  return out;
}

void write_weights(Subject const& s, LogZ const& z, Schedule const& betas) {
  write_estimate(s, "log_likelihood", [&](hdf5::File const& file) {
    file.write("beta", betas);
    file.write("log_weight_forward", z.forward)
        .set_attribute("definition", std::string("log Z / Z_0 is below the log of the mean of exp of these"));
    for (std::size_t i = 0; i < z.reverse.size(); i++) {
      auto const reverse = file.write(i == 0 ? "log_weight_reverse" : "log_weight_reverse_tempered", z.reverse[i].log_weights);
      reverse.set_attribute("definition", std::string("and above minus the log of the mean of exp of these, from exact starts"));
      reverse.set_attribute("starts", z.reverse[i].starts);
    }
    file.set_attribute("log_z_reference", z.reference);
  });
}

void add_weights(LogMean const& w, std::string const& direction, Metrics& out) {
  out.push_back({"effective_chains_" + direction, w.effective, {}, "chains that count in the mean of the weights, (sum w)^2 / sum w^2"});
  out.push_back({"largest_weight_" + direction, w.largest_share, {}, "share of the largest weight in their sum"});
  out.push_back({"pareto_k_" + direction, w.tail_index, {}, "tail index of the weights; above 0.7 no mean of them has a known error"});
}

Metric converged(LogZ const& z) {
  Metric m{
      "converged",
      z.converged(),
      {},
      "1 where log_z_forward lies within 1 nat of log Z from every set of starts at the model, two errors of the weights' spread included; "
      "unknown where an error is, or no starts are independent of the path"};
  if (std::isnan(m.value) && z.independent)
    m.warning =
        "it is UNKNOWN whether log Z has converged: both directions agree within a nat, but the weights of one are too few, or a few "
        "carry them, so that it has no error; use more estimator.temperatures or chains";
  else if (std::isnan(m.value))
    m.warning =
        "it is UNKNOWN whether log Z has converged: without [data], and with too many units to enumerate, both directions follow one path "
        "from the reference and can miss the same mode, whatever agrees; give [data], from whose items reverse annealing can start";
  else if (m.value == 0) {
    auto const with_error = [](Estimate const& e) {
      return std::isnan(e.error) ? fmt::format("{:.2f} (error unknown)", e.value) : fmt::format("{:.2f} +- {:.2f}", e.value, e.error);
    };
    m.warning = fmt::format("log Z has NOT CONVERGED: {} by forward annealing", with_error(z.forward_log_z()));
    for (ReverseAnnealing const& way : z.reverse)
      m.warning += fmt::format(", {} by reverse annealing from {}", with_error(z.reverse_log_z(way)), way.starts);
    if (z.missed_mode())
      m.warning +=
          fmt::format(", and {} from {}: a mode that the others miss", with_error(z.reverse_log_z(*z.from_random)), z.from_random->starts);
    if (z.exact) m.warning += fmt::format(", and {:.2f} exactly", *z.exact);
    m.warning += fmt::format(
        ". They do not agree within their errors, so that no likelihood can be based on any of them. Use more estimator.temperatures or "
        "chains{}",
        z.exact ? "" : "; where the starts disagree, a longer estimator.warmup with more estimator.rungs");
  }
  return m;
}

std::string wide_bracket(LogZ const& z) {
  double const width = z.upper() - z.lower();
  if (!(z.converged() == 1 && width > 1)) return {};
  return fmt::format("the bracket of log Z, and of every likelihood, is {:.2g} nats wide; use more estimator.temperatures or chains",
                     width);
}

// Training items from which reverse annealing starts, one for each chain, evenly spread.
ItemTiles spread_over(data::Dataset const& data, Index chains) {
  return {chains, [&data, chains, count = data.size(data::Split::train)](TileStorage to, Tiling const& tiling, TileRange tiles) {
            data.fill(to, tiling, tiles, [&](Index chain) { return data.item(data::Split::train, chain * count / chains); });
          }};
}

// Metrics and warnings of forward and reverse annealing, which starts from `starts` where they are given.
struct Annealed {
  LogZ z;
  Metrics metrics;
};
Annealed annealed(Subject const& s, GibbsModel& model, AnnealingOptions const& o, std::optional<ItemTiles> const& starts) {
  LogZOptions const options{.betas = o.schedule(), .chains = o.chains, .rungs = o.rungs, .warmup = o.warmup};
  LogZ z = estimate_log_z(model, options, starts, ranks_of(s), s.key);
  write_weights(s, z, options.betas);
  std::string const advice = "use more estimator.temperatures or chains";
  auto const &reverse = z.reverse.front(), &last = z.reverse.back();
  Metrics out{metric("log_z_forward", z.forward_log_z(),
                     "log Z by forward annealed importance sampling, from the reference to the model; too low on average",
                     doubt(z.forward_mean, advice)),
              metric("log_z_reverse", z.reverse_log_z(reverse),
                     "log Z by reverse annealed importance sampling, from the model to the reference, started from " + reverse.starts +
                         "; too high on average where the starts are exact",
                     doubt(reverse.mean, advice))};
  if (z.reverse.size() > 1)
    out.push_back(metric("log_z_reverse_tempered", z.reverse_log_z(last), "log Z by reverse annealing from starts that are " + last.starts,
                         doubt(last.mean, advice)));
  if (z.from_random)
    out.push_back(metric("log_z_reverse_random", z.reverse_log_z(*z.from_random),
                         "log Z by reverse annealing from " + z.from_random->starts + "; too low where they stay in modes of little mass"));
  out.insert(out.end(), {metric("log_z_bar", z.ratio(), "log Z by Bennett's acceptance ratio of log_z_forward and log_z_reverse"),
                         {"log_z_lower", z.lower(), {}, "lower end of the bracket of log Z: log_z_forward less two standard errors"},
                         {"log_z_upper",
                          z.upper(),
                          {},
                          "upper end of the bracket of log Z: the highest of reverse annealing plus two standard errors",
                          wide_bracket(z)},
                         converged(z)});
  add_weights(z.forward_mean, "forward", out);
  add_weights(reverse.mean, "reverse", out);
  if (z.reverse.size() > 1) add_weights(last.mean, "reverse_tempered", out);
  for (auto const& r : z.tempering)
    if (r.name == "swap_rate_lowest" || r.name == "round_trips") out.push_back({"tempering_" + r.name, r.value, {}, r.definition});
  return {std::move(z), std::move(out)};
}

Metrics annealed_log_z(Subject const& s, deck::Block const& block) {
  auto const o = block.as<AnnealingOptions>();
  auto const free_energy = free_energies(s);
  auto const* data = s.data;
  auto const starts = data ? std::optional(spread_over(*data, o.chains)) : std::nullopt;
  auto [z, out] = annealed(s, model_of(s), o, starts);
  if (z.exact) add_exact(*z.exact, free_energy, out);
  add_likelihoods(free_energy, z.lower(), "_optimistic", "with log_z_lower", out);
  add_likelihoods(free_energy, z.upper(), "_conservative", "with log_z_upper", out);
  add_free_energies(free_energy, out);
  return out;
}

// ---- Belief networks ----

// The items as visible layer of the top machine: each by one draw of the layers in between.
ItemTiles below_top(DeepBeliefNetwork const& model, ItemTiles const& bottom, random::Key key) {
  return {bottom.count, [&model, bottom, key](TileStorage to, Tiling const& tiling, TileRange tiles) {
            auto const whole = [](TileStorage const& x) {
              return Kokkos::subview(x, Kokkos::ALL, Kokkos::ALL, std::pair(Index{0}, extent(x, 2)));
            };
            std::vector<TileStorage> storage{TileStorage("items", to.extent(0), model.dimension(), to.extent(2))};
            bottom.fill(storage[0], tiling, tiles);
            std::vector<Tiles> layers;
            for (Index k = 1; k + 1 < model.machines(); k++) {
              storage.emplace_back("layer", to.extent(0), model.machine(k).dimension(), to.extent(2));
              layers.push_back(whole(storage.back()));
            }
            layers.push_back(whole(to));
            model.draw_upwards(whole(storage[0]), layers, {.key = key, .chains = ChainNumbers(tiling, tiles)});
          }};
}

// Means of the first `units` units over items.
UnitMoments unit_moments(ItemTiles const& items, Index units, Communicator const& ranks) {
  Tiling const tiling{items.count, std::min(pitch_quantum, round_up(items.count, lane_quantum))};
  TileRange const mine = share_of_tiles(tiling.tiles(), ranks.rank(), ranks.ranks());
  TileStorage const x("units of items", mine.count, units, tiling.pitch());
  items.fill(x, tiling, mine);
  auto const host = values_on_host(x);
  std::vector<double> sums(mine.count * units);
  for (Index t = 0; t < mine.count; t++)
    for (Index i = 0; i < units; i++)
      for (Index l = 0; l < tiling.chains_in(mine.first + t); l++) sums[t * units + i] += double(host(t, i, l));
  UnitMoments out{sum_over_tiles(ranks, mine, tiling.tiles(), sums, units), {}, items.count};
  for (double& m : out.mean) m /= double(items.count);
  return out;
}

// The importance estimate is too low on average, and log_z_lower is below log Z, so that their difference is neither a lower nor an upper
// bound and is not called optimistic. With log_z_upper both errors have the same sign.
Metrics belief_network(Subject const& s, deck::Block const& block) {
  auto const& model = as<DeepBeliefNetwork const>(*s.model);
  auto const& data = *s.data;
  auto const o = block.as<BeliefOptions>();
  auto const annealing = block.as<AnnealingOptions>();
  auto const key = [&](std::uint64_t which) { return random::derived_key(s.key, random::Stream::annealing, which); };
  constexpr Index items_of_reference = 1000;
  model.top().reserve(1, pitch_quantum);
  model.top().set_reference(
      unit_moments(below_top(model, items(data, data::Split::train, items_of_reference), key(6)), model.top().dimension(), ranks_of(s)));
  auto [z, out] = annealed(s, model.top(), annealing, below_top(model, spread_over(data, annealing.chains), key(7)));
  for (auto const& [name, split] : splits) {
    if (data.size(split) == 0) continue;
    auto const found = dbn_likelihood(model, items(data, split, o.items), o.draws, ranks_of(s), key(3));
    auto const add = [&](Estimate const& value, double log_z, std::string const& kind, std::string const& how, std::string const& warning) {
      out.push_back(metric("log_likelihood_" + std::string(name) + kind, {value.value - log_z, value.error, value.degrees_of_freedom},
                           fmt::format("mean over {} items in nats: {}; error over items, that of the draws included", name, how),
                           warning));
    };
    std::string const draws = fmt::format("importance sampling with {} draws of the hidden layers, too low on average, with ", o.draws),
                      warning = doubt(found.importance, "use more estimator.draws");
    add(found.bound, z.lower(), "_bound_forward", "variational lower bound of log p(v), with log_z_lower of the top machine", {});
    add(found.bound, z.upper(), "_bound_conservative", "the same with log_z_upper", {});
    add(found.importance.value, z.lower(), "_importance_forward", draws + "log_z_lower: neither end of a bracket", warning);
    add(found.importance.value, z.upper(), "_importance_conservative", draws + "log_z_upper", {});
    out.push_back({fmt::format("log_likelihood_{}_sampling_error", name),
                   found.importance.sampling_error,
                   {},
                   "the part of the importance estimate's error that more draws reduce"});
    out.push_back({fmt::format("pareto_k_{}", name),
                   found.importance.tail_index,
                   {},
                   "tail index of the items' weights, on average; above 0.7 no error is known"});
  }
  return out;
}

// ---- Memory ----

void list_annealed(EstimatorListing const& l, GibbsModel const& model) {
  auto const o = l.block.as<AnnealingOptions>();
  list_log_z(l.arrays, model, {.betas = {}, .chains = o.chains, .rungs = o.rungs, .warmup = o.warmup}, o.number_of_temperatures(), l.ranks);
}

void list_of_items(EstimatorListing const& l) {
  if (l.data) list_item_energies(l.arrays, as<GibbsModel const>(*l.model));
}

void list_ais(EstimatorListing const& l) {
  list_annealed(l, as<GibbsModel const>(*l.model));
  list_of_items(l);
}

void list_belief_network(EstimatorListing const& l) {
  auto const& model = as<DeepBeliefNetwork const>(*l.model);
  auto const o = l.block.as<BeliefOptions>();
  list_annealed(l, model.top());
  Index const available = l.data ? l.data->rows : o.items;
  list_dbn_likelihood(l.arrays, model, o.items > 0 ? std::min(o.items, available) : available, o.draws);
}

// ---- Substitutes for a likelihood ----

Metrics free_energy_gap(Subject const& s, deck::Block const&) {
  Metrics out;
  add_free_energies(free_energies(s), out);
  return out;
}

Metrics pseudo_likelihood(Subject const& s, deck::Block const& block) {
  Index const most = block.as<PseudoLikelihoodOptions>().items;
  Metrics out;
  for (auto const& f : over_splits(s, most, [&](ItemTiles const& i) { return mean_pseudo_likelihood(model_of(s), i, ranks_of(s)); }))
    out.push_back(metric("log_pseudo_likelihood_" + f.split, f.value,
                         fmt::format("mean of sum_k log p(v_k | rest) over {} items, in nats; error over items", f.split)));
  return out;
}

std::vector<deck::Key> annealing_keys() {
  using A = AnnealingOptions;
  return {
      deck::key("chains", &A::chains, "number of chains of forward AIS, and of reverse AIS from each set of starting points").at_least(2),
      deck::key("temperatures", &A::temperatures,
                "number of equal steps of beta from 0 to 1; 0: the steps of schedule_ends and schedule_steps")
          .at_least(0)
          .at_most(double(most_temperatures))
          .excludes({"schedule_ends", "schedule_steps"}),
      deck::key("schedule_ends", &A::schedule_ends, "values of beta at which the parts of the schedule from 0 to 1 end, the last one 1")
          .above(0)
          .at_most(1),
      deck::key("schedule_steps", &A::schedule_steps, "step of beta in each part of the schedule").above(0),
      deck::key("rungs", &A::rungs,
                "number of temperatures of the replica exchange whose chains reverse AIS starts from, where the model cannot be enumerated")
          .at_least(2)
          .at_most(1000),
      deck::key("warmup", &A::warmup,
                "sweeps that the chains make before reverse AIS starts from them, those of replica exchange and those from items of [data]")
          .at_least(1)
          .formerly("burn_in")};
}

deck::Schema belief_schema() {
  using B = BeliefOptions;
  auto schema = deck::schema<B>(
      "dbn_likelihood",
      "lower bound of log p(v), and its estimate by importance sampling, for the items of [data] under a deep_belief_network",
      {deck::key("items", &B::items, "number of items of each split, from the first on; 0: all").at_least(0),
       deck::key("draws", &B::draws, "number of draws of the hidden layers for each item").at_least(1)});
  for (deck::Key& k : annealing_keys()) schema.keys.push_back(std::move(k));
  return schema;
}

void shows_items(Fit const& fit) {
  if (fit.data() && fit.model) fit.attempt([&] { require_width(*fit.data(), *fit.model); });
}
void has_free_energies(Fit const& fit) {
  shows_items(fit);
  if (given(fit.deck, "data")) fit.attempt_on<GibbsModel>(require_free_energies);
}
void can_be_annealed(Fit const& fit) {
  has_free_energies(fit);
  fit.attempt([&] { fit.own.as<AnnealingOptions>().number_of_temperatures(); });
}

void can_be_enumerated(Fit const& fit) {
  has_free_energies(fit);
  if (!fit.sizes) return;
  Index const most = Enumeration::most_units;
  bool const restricted = fit.can.has<Rbm>();
  Index const units = restricted ? fit.deck.at("model").as<RbmOptions>().hidden : fit.sizes->dimension;
  bool const by_visible = restricted && !fit.can.has<GaussianRbm>() && fit.sizes->visible <= most;
  if (units > most && !by_visible)
    fit.refuse(
        "",
        fmt::format(
            "estimator.type = \"exact_log_z\" sums over all states of {} units (at most {} binary units are possible, of an rbm in either "
            "layer); use estimator.type = \"ais\"",
            units, most));
}

Needs of_units() { return {Capabilities::only<GibbsModel>(), Capabilities::only<SoftmaxRbm>()}; }
Needs of_binary_units() {
  return {Capabilities::only<GibbsModel>(), Capabilities::only<SoftmaxRbm, GaussianRbm, GaussianMrf, AssociativeMemory>()};
}

}  // namespace

EstimatorEntry ais_estimator() {
  return {deck::schema<AnnealingOptions>(
              "ais",
              "log Z of a model of units by forward and reverse annealed importance sampling, Bennett's acceptance ratio between them, and "
              "the likelihoods of the items of [data]; the weights: estimates/log_likelihood.h5",
              annealing_keys()),
          annealed_log_z,
          LooksAt::model_or_data,
          of_units(),
          false,
          can_be_annealed,
          list_ais};
}
EstimatorEntry dbn_likelihood_estimator() {
  return {belief_schema(), belief_network, LooksAt::model_or_data, needs<DeepBeliefNetwork>(), true, can_be_annealed, list_belief_network};
}
EstimatorEntry exact_log_z_estimator() {
  return {{"exact_log_z",
           "log Z and the likelihoods of the items of [data] by enumeration: an rbm with up to 25 units in one layer, other "
           "machines with up to 25 units",
           {}},
          exact_log_z,
          LooksAt::model_or_data,
          Needs{Capabilities::only<GibbsModel>(), Capabilities::only<SoftmaxRbm, GaussianMrf, AssociativeMemory>()},
          false,
          can_be_enumerated,
          list_of_items};
}
EstimatorEntry pseudo_likelihood_estimator() {
  using P = PseudoLikelihoodOptions;
  return {deck::schema<P>(
              "pseudo_likelihood",
              "mean log pseudo-likelihood sum_k log p(v_k | all other units) of the items of [data] under a machine of binary units",
              {deck::key("items", &P::items, "number of items of each split, from the first on; 0: all").at_least(0)}),
          pseudo_likelihood,
          LooksAt::model_or_data,
          of_binary_units(),
          true,
          shows_items,
          list_of_items};
}
EstimatorEntry free_energy_gap_estimator() {
  return {{"free_energy_gap", "mean free energies of the items of [data], and the difference between training and held-out items", {}},
          free_energy_gap,
          LooksAt::model_or_data,
          of_units(),
          true,
          has_free_energies,
          list_of_items};
}

}  // namespace partita
