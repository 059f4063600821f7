#include "driver/registry.hpp"

#include "core/require.hpp"
#include "data/load.hpp"
#include "driver/clamp.hpp"
#include "driver/estimator.hpp"
#include "driver/fitting.hpp"
#include "driver/settings.hpp"
#include "driver/warm_start.hpp"
#include "models/analytic_model.hpp"
#include "models/boltzmann_machine.hpp"
#include "models/deep_belief_network.hpp"
#include "models/gaussian_mrf.hpp"
#include "models/hee.hpp"
#include "models/hopfield.hpp"
#include "models/mlp_energy.hpp"
#include "models/mlp_score.hpp"
#include "models/modern_hopfield.hpp"
#include "models/nice.hpp"
#include "models/rbm.hpp"
#include "models/softmax_rbm.hpp"
#include "objectives/contrastive_divergence.hpp"
#include "objectives/denoising_score_matching.hpp"
#include "objectives/exact_likelihood.hpp"
#include "objectives/greedy_cd.hpp"
#include "objectives/hee_local.hpp"
#include "objectives/pseudo_likelihood.hpp"
#include "objectives/reverse_kl.hpp"
#include "optimizers/adam.hpp"
#include "optimizers/sgd.hpp"
#include "samplers/annealed_langevin.hpp"
#include "samplers/dbn_generator.hpp"
#include "samplers/flow_generator.hpp"
#include "samplers/gibbs.hpp"
#include "samplers/hee_generator.hpp"
#include "samplers/hmc.hpp"
#include "samplers/langevin_gibbs.hpp"
#include "samplers/leimkuhler_matthews.hpp"
#include "samplers/mala.hpp"
#include "samplers/replica_exchange.hpp"
#include "samplers/trajectory_tempering.hpp"
#include "samplers/ula.hpp"
#include "samplers/underdamped.hpp"

namespace partita {
namespace {

template <class Options, class Energy>
ModelEntry analytic(deck::Schema schema, Energy (*make)(Options const&)) {
  return {
      {std::move(schema), [make](deck::Block const& b, random::Key) { return std::make_unique<AnalyticModel>(make(b.as<Options>())); }}};
}

// The standard normals that a model's parameters start from.
std::function<double(Index)> normals(random::Key key) {
  return [key](Index i) {
    auto const w = random::words(key, static_cast<std::uint64_t>(i), random::Stream::parameters, 0, 0);
    return random::normal_pair(w.w[0], w.w[1], double()).a;
  };
}

template <class Network, class Options>
ModelEntry network(deck::Schema schema, Family family) {
  return {{std::move(schema),
           [](deck::Block const& b, random::Key key) {
             auto model = std::make_unique<Network>(b.as<Options>());
             model->initialise(normals(key));
             return model;
           }},
          {family},
          true};
}

ModelEntry hee() {
  return {{hee_schema(), [](deck::Block const& b, random::Key key) { return std::make_unique<Hee>(b.as<HeeOptions>(), key); }},
          {Family::hee},
          true};
}

// Restricted machines by the kind of their visible units.
ModelEntry rbm() {
  return {
      {rbm_schema(),
       [](deck::Block const& b, random::Key key) {
         auto model = make_rbm(b.as<RbmOptions>());
         model->initialise(normals(key));
         return model;
       }},
      {Family::units, Family::real_units},
      true,
      [](deck::Block const& b) {
        return b.as<RbmOptions>().visible_units == "gaussian" ? std::vector{Family::units, Family::real_units} : std::vector{Family::units};
      }};
}

ModelEntry boltzmann_machine() {
  return {{boltzmann_machine_schema(),
           [](deck::Block const& b, random::Key key) {
             auto model = std::make_unique<BoltzmannMachine>(b.as<BoltzmannMachineOptions>());
             model->initialise(normals(key));
             return model;
           }},
          {Family::units},
          true};
}

ModelEntry ising_lattice() {
  return {{ising_lattice_schema(), [](deck::Block const& b, random::Key) { return make_ising_lattice(b.as<IsingLatticeOptions>()); }},
          {Family::units}};
}

ModelEntry gaussian_mrf() {
  return {
      {gaussian_mrf_schema(), [](deck::Block const& b, random::Key) { return std::make_unique<GaussianMrf>(b.as<GaussianMrfOptions>()); }},
      {Family::energy, Family::units}};
}

ModelEntry dbn() {
  return {{dbn_schema(),
           [](deck::Block const& b, random::Key key) {
             auto model = std::make_unique<DeepBeliefNetwork>(b.as<DbnOptions>());
             model->initialise(normals(key));
             return model;
           }},
          {Family::belief},
          true};
}

// Networks that remember patterns.
template <class Network, class Options>
ModelEntry memory(deck::Schema schema, std::unique_ptr<Network> (*make)(Options const&, random::Key), Family family) {
  return {{std::move(schema), [make](deck::Block const& b, random::Key key) { return make(b.as<Options>(), key); }}, {family}};
}

template <class Class, class Options>
SamplerEntry sampler(deck::Schema schema, std::vector<Family> families) {
  return {{std::move(schema), [](deck::Block const& b) { return std::make_unique<Class>(b.as<Options>()); }}, std::move(families)};
}

SamplerEntry replica_exchange() {
  return {{replica_exchange_schema(),
           [](deck::Block const& b) {
             return std::make_unique<ReplicaExchange>(b.as<ReplicaExchangeOptions>(), b.as<LadderOptions>(), Communicator::world());
           }},
          {Family::energy, Family::units}};
}

SamplerEntry trajectory_tempering() {
  return {{trajectory_tempering_schema(),
           [](deck::Block const& b) {
             auto const options = b.as<TrajectoryTemperingOptions>();
             auto const ranks = Communicator::world();
             TrajectoryTempering::Load load;
             if (!options.trajectory.empty()) load = [from = options.trajectory, ranks] { return kept_parameters(from, ranks); };
             return std::make_unique<TrajectoryTempering>(options, b.as<LadderOptions>(), ranks, load);
           }},
          {Family::units}};
}

ObjectiveEntry contrastive(deck::Schema schema, ChainStart start) {
  return {{std::move(schema),
           [start](ObjectiveContext const& c) {
             auto const chains = c.run.deck.at("sampler").as<ChainOptions>();
             auto const& block = c.run.deck.at("objective");
             auto const options = block.as<ContrastiveOptions>();
             auto const persistent = block.as<PersistentOptions>();
             Index const batch = c.batches->batch(), d = c.model.dimension();
             require_all(
                 !c.sampler->keeps_velocity(), ExitCode::usage,
                 "sampler.type = \"{}\" keeps velocities, which chains that restart have not; use ula, leimkuhler_matthews, mala or hmc",
                 c.run.deck.at("sampler").type);
             Index const updates = c.run.deck.at("train").as<TrainOptions>().updates;
             random::check_budget(2 * (start == ChainStart::persistent ? persistent.chains : batch), updates * options.sampler_steps,
                                  divide_up(d, 4));
             return std::make_unique<ContrastiveDivergence>(dynamic_cast<LearnableEnergy&>(c.model), *c.sampler, *c.batches, c.run.ranks,
                                                            c.run.options.summation(), c.run.key, chains.width(batch, d, 4), start, options,
                                                            persistent, chains.distribution());
           }},
          start == ChainStart::at_data ? std::vector{Family::energy, Family::units, Family::ratings}
                                       : std::vector{Family::energy, Family::units}};
}

template <class Class, class... Options>
ObjectiveEntry score_matching(deck::Schema schema) {
  return {{std::move(schema),
           [](ObjectiveContext const& c) {
             auto const& block = c.run.deck.at("objective");
             return std::make_unique<Class>(dynamic_cast<TrainableScore&>(c.model), *c.batches, c.run.ranks, c.run.options.summation(),
                                            c.run.key, block.as<ScoreMatchingOptions>(), block.as<Options>()...);
           }},
          {Family::score},
          false};
}

ObjectiveEntry exact_likelihood() {
  return {{exact_likelihood_schema(),
           [](ObjectiveContext const& c) {
             return std::make_unique<ExactLikelihood>(dynamic_cast<BoltzmannModel&>(c.model), *c.batches, c.run.ranks,
                                                      c.run.options.summation(), c.run.deck.at("objective").as<ExactLikelihoodOptions>());
           }},
          {Family::units},
          false};
}

ObjectiveEntry greedy_cd() {
  return {{greedy_cd_schema(),
           [](ObjectiveContext const& c) {
             auto const& block = c.run.deck.at("objective");
             auto& model = dynamic_cast<DeepBeliefNetwork&>(c.model);
             Index widest = 0;
             for (Index k = 0; k < model.machines(); k++) widest = std::max(widest, model.machine(k).unit_count());
             Index const width = c.run.deck.at("sampler").as<ChainOptions>().width(c.batches->batch(), widest, 2);
             return std::make_unique<GreedyCd>(model, *c.sampler, *c.batches, c.run.deck.at("train").as<TrainOptions>().schedule_length(),
                                               c.run.ranks, c.run.options.summation(), c.run.key, width, block.as<ContrastiveOptions>(),
                                               block.as<PersistentOptions>());
           }},
          {Family::belief},
          true,
          true,
          [](deck::Block const&) { return true; }};
}

ObjectiveEntry pseudo_likelihood() {
  return {{pseudo_likelihood_schema(),
           [](ObjectiveContext const& c) {
             auto* const machine = dynamic_cast<BoltzmannMachine*>(&c.model);
             require_all(
                 machine != nullptr, ExitCode::usage,
                 "objective.type = \"pseudo_likelihood\" needs a fully visible machine (p(x_k | rest) of every unit in closed form, "
                 "weights between visible units), and model.type = \"{}\" is none; use boltzmann_machine, or persistent_cd",
                 c.run.deck.at("model").type);
             return std::make_unique<PseudoLikelihood>(*machine, *c.batches, c.run.ranks, c.run.options.summation(),
                                                       c.run.deck.at("objective").as<PseudoLikelihoodOptions>());
           }},
          {Family::units},
          false};
}

ObjectiveEntry hee_local() {
  return {{hee_local_schema(),
           [](ObjectiveContext const& c) {
             auto const& sampler_block = c.run.deck.at("sampler");
             auto const chains = sampler_block.as<ChainOptions>();
             return std::make_unique<HeeLocal>(dynamic_cast<Hee&>(c.model), sampler_block.as<HeeLangevinOptions>(),
                                               c.run.deck.at("objective").as<HeeLocalOptions>(), *c.batches, c.run.ranks,
                                               c.run.options.summation(), c.run.key, hee_width(chains.tile_width, c.batches->batch()),
                                               chains.distribution());
           }},
          {Family::hee}};
}

ObjectiveEntry reverse_kl() {
  return {{reverse_kl_schema(),
           [](ObjectiveContext const& c) {
             auto const options = c.run.deck.at("objective").as<ReverseKlOptions>();
             auto const train = c.run.deck.at("train").as<TrainOptions>();
             auto& model = dynamic_cast<Nice&>(c.model);
             random::check_budget(train.batch, train.updates, divide_up(model.latent_dimension(), 4));
             return std::make_unique<ReverseKl>(model, make_target(c.run, model.dimension()), options,
                                                Tiling{train.batch, flow_width(options.tile_width, train.batch)}, train.schedule_length(),
                                                c.run.ranks, c.run.options.summation(), c.run.key);
           }},
          {Family::flow},
          false,
          false,
          [](deck::Block const& b) {
            auto const o = b.as<ReverseKlOptions>();
            return o.beta_start < 1 && o.annealed_share > 0;
          }};
}

// Puts held-out items, or training items where there are none, on the visible layer, the first again when they run out.
void show_items(data::Dataset const& data, HeeChains const& chains) {
  data::Split const split = data.size(data::Split::test) > 0         ? data::Split::test
                            : data.size(data::Split::validation) > 0 ? data::Split::validation
                                                                     : data::Split::train;
  data.fill(chains.x[0], chains.tiling, chains.mine, [&](Index chain) { return data.item(split, chain % data.size(split)); });
}

template <class Options>
GeneratorEntry hee_dynamics(deck::Schema schema, HeeRun (*run)(Options const&)) {
  return {{std::move(schema),
           [run](GeneratorContext const& c) {
             auto const& sampler_block = c.run.deck.at("sampler");
             auto const& block = c.run.deck.at("generator");
             auto const common = block.as<GeneratorOptions>();
             HeeRun const wanted = run(block.as<Options>());
             Tiling const tiling{common.samples, hee_width(common.tile_width, common.samples)};
             auto generator =
                 std::make_unique<HeeDynamicsGenerator>(dynamic_cast<Hee&>(c.model), sampler_block.as<HeeLangevinOptions>(), wanted, tiling,
                                                        c.run.ranks, c.run.key, sampler_block.as<ChainOptions>().distribution());
             if (wanted.visible == Visible::clamped) {
               require_all(c.data != nullptr, ExitCode::usage, "generator.type = \"{}\" needs the items of a [data] section; add it",
                           block.type);
               show_items(*c.data, generator->chains());
             }
             return generator;
           }},
          Family::hee};
}

GeneratorEntry hee_ancestral() {
  return {{hee_ancestral_schema(),
           [](GeneratorContext const& c) {
             auto const common = c.run.deck.at("generator").as<GeneratorOptions>();
             return std::make_unique<HeeAncestralGenerator>(
                 dynamic_cast<Hee&>(c.model), Tiling{common.samples, hee_width(common.tile_width, common.samples)}, c.run.ranks, c.run.key);
           }},
          Family::hee,
          false};
}

GeneratorEntry dbn_top_down() {
  return {{dbn_generator_schema(),
           [](GeneratorContext const& c) {
             auto const& model = dynamic_cast<DeepBeliefNetwork const&>(c.model);
             auto const& block = c.run.deck.at("generator");
             auto const common = block.as<GeneratorOptions>();
             Index const width = ChainOptions{.tile_width = common.tile_width}.width(common.samples, model.top().unit_count(), 2);
             return std::make_unique<DbnGenerator>(model, block.as<DbnGeneratorOptions>(), Tiling{common.samples, width}, c.run.ranks,
                                                   c.run.key);
           }},
          Family::belief,
          false};
}

Tiling flow_tiling(deck::Document const& d) {
  auto const common = d.at("generator").as<GeneratorOptions>();
  return {common.samples, flow_width(common.tile_width, common.samples)};
}

GeneratorEntry flow() {
  return {{flow_schema(),
           [](GeneratorContext const& c) {
             auto& model = dynamic_cast<Nice&>(c.model);
             return std::make_unique<FlowGenerator>(model, make_target(c.run, model.dimension()), flow_tiling(c.run.deck), c.run.ranks,
                                                    c.run.key);
           }},
          Family::flow,
          false};
}

GeneratorEntry flow_metropolis() {
  return {{flow_metropolis_schema(),
           [](GeneratorContext const& c) {
             auto& model = dynamic_cast<Nice&>(c.model);
             auto const options = c.run.deck.at("generator").as<FlowMetropolisOptions>();
             auto const* block = c.run.deck.find("sampler");
             bool const has_sampler = block && block->given;
             require_all(has_sampler || options.sampler_steps == 0, ExitCode::usage,
                         "generator.sampler_steps = {} needs a [sampler]; add one, mala say", options.sampler_steps);
             return std::make_unique<FlowMetropolis>(model, make_target(c.run, model.dimension()),
                                                     has_sampler ? make_sampler(*block) : nullptr, options, flow_tiling(c.run.deck),
                                                     c.run.ranks, c.run.key);
           }},
          Family::flow,
          false};
}

template <class Class, class Options>
OptimizerEntry optimizer(deck::Schema schema) {
  return {std::move(schema), [](deck::Block const& b, Index parameters) { return std::make_unique<Class>(b.as<Options>(), parameters); }};
}

template <class Entries>
std::vector<deck::Schema> schemas(Entries const& entries) {
  std::vector<deck::Schema> out;
  for (auto const& e : entries) out.push_back(e.schema);
  return out;
}

deck::Section model_section() {
  using O = WarmStart;
  return {.name = "model",
          .doc = "the energy E(x); p(x) = exp(-E(x)) / Z",
          .common = {deck::key("from", &O::from, "run, checkpoint, or HDF5 file of arrays, whose parameters to start from; empty: none")
                         .free_on_restart()},
          .types = schemas(models()),
          .required_for = {"sample", "train", "generate"}};
}

deck::Section target_section() {
  using O = WarmStart;
  deck::Section s{.name = "target",
                  .doc = "the energy U(x) that a flow learns to sample; p(x) = exp(-U(x)) / C",
                  .common = {deck::key("from", &O::from, "run, checkpoint, or HDF5 file of arrays, with its learnt parameters; empty: none")
                                 .free_on_restart()},
                  .tasks = {"train", "generate", "estimate"}};
  for (auto const& m : models())
    if (m.is(Family::energy)) s.types.push_back(m.schema);
  return s;
}

deck::Section objective_section() {
  return {
      .name = "objective", .doc = "what training minimises", .types = schemas(objectives()), .tasks = {"train"}, .required_for = {"train"}};
}

deck::Section sampler_section() {
  return {.name = "sampler",
          .doc = "how chains move",
          .common = chain_keys(),
          .types = schemas(samplers()),
          .tasks = {"sample", "train", "generate"},
          .required_for = {"sample"}};
}

deck::Section generator_section() {
  return {.name = "generator",
          .doc = "how a model makes samples of its own",
          .common = generator_keys(),
          .types = schemas(generators()),
          .tasks = {"generate"},
          .required_for = {"generate"}};
}

deck::Section optimizer_section() {
  return {.name = "optimizer",
          .doc = "from gradients to parameters",
          .common = optimizer_keys(),
          .types = schemas(optimizers()),
          .default_type = "adam",
          .tasks = {"train"}};
}

}  // namespace

std::vector<ModelEntry> const& models() {
  static std::vector<ModelEntry> const table = {
      {{gaussian_schema(), [](deck::Block const& b, random::Key) { return make_gaussian(b.as<GaussianOptions>()); }}},
      analytic(double_well_schema(), make_double_well),
      analytic(gaussian_mixture_schema(), make_gaussian_mixture),
      analytic(many_well_schema(), make_many_well),
      analytic(mueller_brown_schema(), make_mueller_brown),
      analytic(funnel_schema(), make_funnel),
      analytic(banana_schema(), make_banana),
      analytic(phi4_schema(), make_phi4),
      network<MlpEnergy, MlpOptions>(mlp_schema(), Family::energy),
      network<MlpScore, MlpOptions>(mlp_score_schema(), Family::score),
      gaussian_mrf(),
      rbm(),
      network<SoftmaxRbm, SoftmaxRbmOptions>(softmax_rbm_schema(), Family::ratings),
      boltzmann_machine(),
      ising_lattice(),
      dbn(),
      memory(hopfield_schema(), make_hopfield, Family::units),
      memory(modern_hopfield_schema(), make_modern_hopfield, Family::energy),
      hee(),
      network<Nice, NiceOptions>(nice_schema(), Family::flow),
  };
  return table;
}

std::vector<SamplerEntry> const& samplers() {
  static std::vector<SamplerEntry> const table = {
      sampler<Ula, UlaOptions>(ula_schema(), {Family::score, Family::real_units}),
      sampler<LeimkuhlerMatthews, LeimkuhlerMatthewsOptions>(leimkuhler_matthews_schema(), {Family::score, Family::real_units}),
      sampler<Mala, MalaOptions>(mala_schema(), {Family::energy, Family::real_units}),
      sampler<Underdamped, UnderdampedOptions>(underdamped_schema(), {Family::score, Family::real_units}),
      sampler<Hmc, HmcOptions>(hmc_schema(), {Family::energy, Family::real_units}),
      sampler<AnnealedLangevin, AnnealedLangevinOptions>(annealed_langevin_schema(), {Family::score}),
      sampler<Gibbs, GibbsOptions>(gibbs_schema(), {Family::units, Family::ratings, Family::belief}),
      replica_exchange(),
      trajectory_tempering(),
      sampler<LangevinGibbs, LangevinGibbsOptions>(langevin_gibbs_schema(), {Family::real_units}),
      {{hee_langevin_schema(), nullptr}, {Family::hee}},
  };
  return table;
}

std::vector<OptimizerEntry> const& optimizers() {
  static std::vector<OptimizerEntry> const table = {
      optimizer<Adam, AdamOptions>(adam_schema()),
      optimizer<Sgd, SgdOptions>(sgd_schema()),
  };
  return table;
}

std::vector<ObjectiveEntry> const& objectives() {
  static std::vector<ObjectiveEntry> const table = {
      contrastive(contrastive_divergence_schema(), ChainStart::at_data),
      contrastive(persistent_cd_schema(), ChainStart::persistent),
      score_matching<ExactScoreMatching>(exact_score_matching_schema()),
      score_matching<SlicedScoreMatching, SlicedOptions>(sliced_score_matching_schema()),
      score_matching<DenoisingScoreMatching, DenoisingOptions>(denoising_score_matching_schema()),
      pseudo_likelihood(),
      exact_likelihood(),
      greedy_cd(),
      hee_local(),
      reverse_kl(),
  };
  return table;
}

std::vector<GeneratorEntry> const& generators() {
  static std::vector<GeneratorEntry> const table = {
      hee_dynamics(hee_joint_schema(), joint_run),
      hee_dynamics(hee_marginal_schema(), marginal_run),
      hee_dynamics(hee_posterior_schema(), posterior_run),
      hee_ancestral(),
      dbn_top_down(),
      flow(),
      flow_metropolis(),
  };
  return table;
}

std::unique_ptr<Model> make_model(deck::Block const& block, random::Key key) { return named(models(), block.type).make(block, key); }
std::unique_ptr<Sampler> make_sampler(deck::Block const& block) {
  auto const& entry = named(samplers(), block.type);
  return entry.make ? entry.make(block) : nullptr;
}
std::unique_ptr<Objective> make_objective(ObjectiveContext const& c) {
  return named(objectives(), c.run.deck.at("objective").type).make(c);
}
std::unique_ptr<Generator> make_generator(GeneratorContext const& c) {
  return named(generators(), c.run.deck.at("generator").type).make(c);
}
std::unique_ptr<Optimizer> make_optimizer(deck::Block const& block, Index parameters) {
  return named(optimizers(), block.type).make(block, parameters);
}

std::unique_ptr<DifferentiableModel> make_target(RunContext const& c, Index dimension) {
  deck::Block const& block = c.deck.at("target");
  auto model = make_model(block, c.key);
  require_all(model->dimension() == dimension, ExitCode::usage,
              "model.dimension = {}, and the [target] {} has {}; set model.dimension to that", dimension, block.type, model->dimension());
  warm_start(*model, block, c);
  return std::unique_ptr<DifferentiableModel>(&dynamic_cast<DifferentiableModel&>(*model.release()));
}

deck::Catalogue const& catalogue() {
  static deck::Catalogue const all{{run_section(), data::section(), model_section(), target_section(), objective_section(),
                                    sampler_section(), clamp_section(), generator_section(), optimizer_section(), train_section(),
                                    input_section(), estimator_section(), output_section(), checkpoint_section()}};
  return all;
}

deck::Document read_deck(std::string const& text, std::string const& source, std::vector<std::string> const& overrides) {
  deck::Document document = deck::read(text, source, catalogue(), overrides);
  auto const problems = misfits(document);
  if (!problems.empty()) deck::refuse(problems);
  return document;
}

std::optional<Index> schedule_length(deck::Document const& deck) {
  deck::Block const *const train = deck.find("train"), *const objective = deck.find("objective"), *const optimizer = deck.find("optimizer");
  if (!train || !objective || !optimizer || !train->given) return {};
  auto const& has_schedule = named(objectives(), objective->type).has_schedule;
  bool const follows = optimizer->as<OptimizerOptions>().schedule != "constant" || (has_schedule && has_schedule(*objective));
  return follows ? std::optional(train->as<TrainOptions>().schedule_length()) : std::nullopt;
}

std::string list(std::string const& kind) {
  std::string out, kinds;
  for (deck::Section const& section : catalogue().sections) {
    if (section.types.empty()) continue;
    std::string const name = section.name == "data" ? "data" : section.name + "s";
    kinds += (kinds.empty() ? "" : ", ") + name;
    if (!kind.empty() && kind != name) continue;
    out += fmt::format("{}\n", name);
    for (deck::Schema const& s : section.types) out += fmt::format("  {:<24} {}\n", s.type, s.doc);
  }
  require_all(!out.empty(), ExitCode::usage, "'partita list {}': nothing of that name; there are {}", kind, kinds);
  return out;
}

}  // namespace partita
