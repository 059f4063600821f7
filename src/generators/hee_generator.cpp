#include "generators/hee_generator.hpp"

#include <cmath>
#include <limits>

#include "core/require.hpp"
#include "generators/entry.hpp"
#include "models/hee_joint.hpp"
#include "models/items.hpp"
#include "samplers/chain_options.hpp"
#include "samplers/finite_chains.hpp"

namespace partita {
namespace {

template <class O>
std::vector<deck::Key> duration_keys() {
  return {
      deck::key("duration", &O::duration, "time that the chains run").above(0).in("tau"),
      deck::key("average_over", &O::average_over, "last part of the duration, over which x is averaged")
          .above(0)
          .only_with("output", {"average"})
          .in("tau"),
      deck::key(
          "output", &O::output,
          "average: each chain's mean over the end of the run (near the mean of the model where that is unimodal); last: its last state")
          .one_of({"average", "last"})};
}

// Storage of all layers, (tile, n_l, pitch).
std::vector<TileStorage> make_layers(Arrays const& arrays, char const* name, Hee const& model, TileRange mine, Index pitch) {
  std::vector<TileStorage> out;
  for (Index l = 0; l <= model.layers(); l++) out.push_back(arrays.make<TileStorage>(name, mine.count, model.width(l), pitch));
  return out;
}
constexpr char samples_name[] = "samples of a layer", sums_name[] = "sums of a layer";

// Of chains of which `group` share a sample.
Tiling tiling_of_chains(Tiling const& samples, Index group) { return {samples.chains * group, samples.width * group}; }

// to(tile, i, s) = scale * from(tile, i, s * group), or += where `add`.
void gather(TileStorage const& to, TileStorage const& from, Index group, Real scale, bool add) {
  auto const n = [](std::size_t e) { return std::int64_t(e); };
  std::int64_t const lanes = std::min(n(to.extent(2)), n(from.extent(2)) / group);
  Kokkos::parallel_for(
      "partita::hee_gather", Kokkos::MDRangePolicy<Execution, Kokkos::Rank<3>>({0, 0, 0}, {n(to.extent(0)), n(to.extent(1)), lanes}),
      KOKKOS_LAMBDA(std::int64_t t, std::int64_t i, std::int64_t s) {
        to(t, i, s) = (add ? to(t, i, s) : Real(0)) + scale * from(t, i, s * group);
      });
}

}  // namespace

std::vector<Generator::Variable> layers_of(Hee const& model) {
  std::vector<Generator::Variable> out{{"x", model.dimension()}};
  for (Index l = 1; l <= model.layers(); l++) out.push_back({fmt::format("layer{}", l), model.width(l)});
  return out;
}

deck::Schema hee_joint_schema() {
  return deck::schema<HeeJointOptions>("hee_joint", "all layers of an hee move together: samples of p(x_0:L)",
                                       duration_keys<HeeJointOptions>());
}

deck::Schema hee_marginal_schema() {
  using O = HeeMarginalOptions;
  auto keys = duration_keys<O>();
  keys.push_back(deck::key("latent_chains", &O::latent_chains,
                           "number of latent chains for each image, which moves by the mean of their eta_0: 1, 2, 4, 8 or 16; with more "
                           "than one p(x_0) is too narrow by O(tau / tau_0), unless sampler.tau_0 is far above tau")
                     .at_least(1)
                     .at_most(lane_quantum));
  return deck::schema<O>("hee_marginal", "Langevin dynamics of an hee's p(x_0), its gradient averaged over latent chains", std::move(keys));
}

deck::Schema hee_ancestral_schema() { return {"hee_ancestral", "x_L ~ p(x_L) of an hee, then downwards layer by layer: exact", {}}; }

deck::Schema hee_posterior_schema() {
  return deck::schema<HeePosteriorOptions>(
      "hee_posterior", "latent layers of an hee given the held-out items of [data] (training items where there are none)",
      duration_keys<HeePosteriorOptions>());
}

HeeRun joint_run(HeeJointOptions const& o) { return {Visible::free, 1, o.duration, o.average_over, o.output == "average"}; }
HeeRun marginal_run(HeeMarginalOptions const& o) {
  return {Visible::shared, o.latent_chains, o.duration, o.average_over, o.output == "average"};
}
HeeRun posterior_run(HeePosteriorOptions const& o) { return {Visible::clamped, 1, o.duration, o.average_over, o.output == "average"}; }

Index steps_in(double duration, double step_size) {
  double const steps = duration / step_size;
  return steps < 0x1p62 ? Index(std::llround(steps)) : std::numeric_limits<Index>::max();
}

void HeeDynamicsGenerator::require_fit(HeeRun const& run, double step_size) {
  require_all(lane_quantum % run.group == 0, ExitCode::usage,
              "generator.latent_chains = {} does not divide {} (chains that share an image are neighbouring lanes); use 1, 2, 4, 8 or 16",
              run.group, lane_quantum);
  if (!run.keeps_average) return;
  require_all(run.average_over <= run.duration, ExitCode::usage,
              "generator.average_over = {} is longer than generator.duration = {}; shorten it", run.average_over, run.duration);
  require_all(steps_in(run.average_over, step_size) >= average_every, ExitCode::usage,
              "generator.average_over = {} is less than {} steps of sampler.step_size = {} (states are averaged every {} steps); use a "
              "longer one, or output = \"last\"",
              run.average_over, average_every, step_size, average_every);
}

HeeDynamicsGenerator::HeeDynamicsGenerator(Hee const& model, HeeLangevinOptions const& dynamics, HeeRun const& run, Tiling const& samples,
                                           Communicator communicator, random::Key key, InitialDistribution const& initial)
    : dynamics_(dynamics, model),
      run_(run),
      samples_(samples),
      communicator_(communicator),
      key_(key),
      chains_(dynamics_.make_chains(tiling_of_chains(samples, run.group),
                                    share_of_tiles(samples.tiles(), communicator.rank(), communicator.ranks()))),
      steps_(steps_in(run.duration, dynamics.step_size)) {
  require_fit(run, dynamics.step_size);
  if (run.keeps_average) sums_ = make_layers({}, sums_name, model, chains_.mine, samples.pitch());
  dynamics_.initialise(chains_, key, 0, initial, run.visible, run.group);
}

void HeeDynamicsGenerator::list(Arrays held, Arrays at_end, Hee const& model, HeeLangevinOptions const& options, HeeRun const& run,
                                Share const& samples) {
  HeeLangevin const dynamics(options, model);
  Tiling const chains = tiling_of_chains(samples.tiling, run.group);
  dynamics.make_chains(chains, samples.mine(), held);
  dynamics.list_work(held, samples.mine().count, chains.width, false);
  if (run.keeps_average) make_layers(held, sums_name, model, samples.mine(), samples.tiling.pitch());
  make_layers(at_end, samples_name, model, samples.mine(), samples.tiling.pitch());
}

Index HeeDynamicsGenerator::first_averaged() const {
  return run_.keeps_average ? steps_ - steps_in(run_.average_over, dynamics_.options().step_size) : steps_;
}

Index HeeDynamicsGenerator::next_boundary(Index step) const {
  Index const first = first_averaged();
  return step < first ? first : std::min(steps_, first + ((step - first) / average_every + 1) * average_every);
}

void HeeDynamicsGenerator::advance(Index step, Index steps) {
  dynamics_.advance(chains_, key_, {0, chains_.mine.count}, step, steps, run_.visible, run_.group);
  Index const since = step + steps - first_averaged();
  if (since <= 0 || since % average_every != 0) return;
  for (std::size_t l = 0; l < sums_.size(); l++) gather(sums_[l], chains_.x[l], run_.group, 1, true);
  summed_++;
}

void HeeDynamicsGenerator::require_finite(Index step) const {
  require_finite_chains(communicator_, chains_.tiling, chains_.mine, chains_.x, step, std::numeric_limits<double>::quiet_NaN());
}

void HeeDynamicsGenerator::describe_state(State& state) {
  chains_.describe_state(state, "chains");
  for (std::size_t l = 0; l < sums_.size(); l++)
    state.add_by_tile(fmt::format("generator/sum{}", l), sums_[l], chains_.mine, chains_.tiling.tiles());
  state.add_scalar("generator/summed", summed_);
}

std::vector<Generator::Variable> HeeDynamicsGenerator::variables() const { return layers_of(dynamics_.model()); }

std::vector<TileStorage> HeeDynamicsGenerator::samples() {
  auto out = make_layers({}, samples_name, dynamics_.model(), chains_.mine, samples_.pitch());
  for (std::size_t l = 0; l < out.size(); l++)
    if (run_.keeps_average) gather(out[l], sums_[l], 1, Real(1) / Real(summed_), false);
    else gather(out[l], chains_.x[l], run_.group, 1, false);
  return out;
}

HeeAncestralGenerator::HeeAncestralGenerator(Hee const& model, Tiling const& samples, Communicator communicator, random::Key key)
    : model_(model), samples_(samples), mine_(share_of_tiles(samples.tiles(), communicator.rank(), communicator.ranks())), key_(key) {}

std::vector<Generator::Variable> HeeAncestralGenerator::variables() const { return layers_of(model_); }

void HeeAncestralGenerator::list(Arrays at_end, Hee const& model, Share const& share) {
  make_layers(at_end, samples_name, model, share.mine(), share.tiling.pitch());
  list_inverse_couplings(at_end, model);
}

std::vector<TileStorage> HeeAncestralGenerator::samples() {
  auto out = make_layers({}, samples_name, model_, mine_, samples_.pitch());
  sample_ancestral(model_, key_, samples_, mine_, out, 0);
  return out;
}

namespace {

// Writes held-out items, or training items where there are none, to the visible layer, starting over when there are too few.
void show_items(data::Dataset const& data, HeeChains const& chains) {
  data::Split const split = data.size(data::Split::test) > 0         ? data::Split::test
                            : data.size(data::Split::validation) > 0 ? data::Split::validation
                                                                     : data::Split::train;
  data.fill(chains.x[0], chains.tiling, chains.mine, [&](Index chain) { return data.item(split, chain % data.size(split)); });
}

Tiling hee_tiling(deck::Document const& deck) {
  auto const common = deck.at("generator").as<GeneratorOptions>();
  return {common.samples, hee_width(common.tile_width, common.samples)};
}

template <class Options>
GeneratorEntry hee_dynamics(deck::Schema schema, HeeRun (*run)(Options const&)) {
  return {{std::move(schema),
           [run](GeneratorContext const& c) {
             auto const& sampler_block = c.deck.at("sampler");
             auto const& block = c.deck.at("generator");
             HeeRun const wanted = run(block.as<Options>());
             Tiling const tiling = hee_tiling(c.deck);
             auto generator =
                 std::make_unique<HeeDynamicsGenerator>(as<Hee>(c.model), sampler_block.as<HeeLangevinOptions>(), wanted, tiling, c.ranks,
                                                        c.key, sampler_block.as<ChainOptions>().distribution());
             if (wanted.visible == Visible::clamped) show_items(*c.data, generator->chains());
             return generator;
           }},
          [run](GeneratorListing const& l) {
            auto const& model = as<Hee const>(l.model);
            Tiling const tiling = hee_tiling(l.deck);
            HeeDynamicsGenerator::list(l.held, l.at_end, model, l.deck.at("sampler").as<HeeLangevinOptions>(),
                                       run(l.deck.at("generator").as<Options>()), l.share(tiling));
            return GeneratorEntry::Laid{tiling, layers_of(model)};
          },
          needs<Hee>(),
          true,
          [run](Fit const& fit) {
            HeeRun const wanted = run(fit.own.as<Options>());
            if (wanted.visible == Visible::clamped && !given(fit.deck, "data"))
              fit.refuse("", fmt::format("generator.type = \"{}\" needs the items of a [data] section; add it", fit.own.type));
            if (wanted.visible == Visible::clamped && fit.data() && fit.model) fit.attempt([&] { require_width(*fit.data(), *fit.model); });
            auto const* const sampler = given(fit.deck, "sampler");
            if (!sampler || sampler->type != "hee_langevin") return;
            auto const dynamics = sampler->as<HeeLangevinOptions>();
            fit.attempt([&] { HeeDynamicsGenerator::require_fit(wanted, dynamics.step_size); });
            Index const samples = fit.own.as<GeneratorOptions>().samples;
            fit.attempt(
                [&] { random::check_budget(product_or_most(samples, wanted.group), steps_in(wanted.duration, dynamics.step_size), 0); });
          }};
}

}  // namespace

GeneratorEntry hee_joint_generator() { return hee_dynamics(hee_joint_schema(), joint_run); }
GeneratorEntry hee_marginal_generator() { return hee_dynamics(hee_marginal_schema(), marginal_run); }
GeneratorEntry hee_posterior_generator() { return hee_dynamics(hee_posterior_schema(), posterior_run); }
GeneratorEntry hee_ancestral_generator() {
  return {{hee_ancestral_schema(),
           [](GeneratorContext const& c) {
             return std::make_unique<HeeAncestralGenerator>(as<Hee>(c.model), hee_tiling(c.deck), c.ranks, c.key);
           }},
          [](GeneratorListing const& l) {
            auto const& model = as<Hee const>(l.model);
            Tiling const tiling = hee_tiling(l.deck);
            HeeAncestralGenerator::list(l.at_end, model, l.share(tiling));
            return GeneratorEntry::Laid{tiling, layers_of(model)};
          },
          needs<Hee>(),
          false};
}

}  // namespace partita
