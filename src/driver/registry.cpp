#include "driver/registry.hpp"

#include "core/require.hpp"
#include "data/load.hpp"
#include "driver/evaluation.hpp"
#include "driver/settings.hpp"
#include "energies/banana.hpp"
#include "energies/double_well.hpp"
#include "energies/funnel.hpp"
#include "energies/gaussian.hpp"
#include "energies/gaussian_mixture.hpp"
#include "energies/many_well.hpp"
#include "energies/mueller_brown.hpp"
#include "energies/phi4.hpp"
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
#include "models/warm_start.hpp"
#include "objectives/denoising_score_matching.hpp"
#include "objectives/train_options.hpp"
#include "optimizers/adam.hpp"
#include "optimizers/sgd.hpp"
#include "samplers/annealed_langevin.hpp"
#include "samplers/barker.hpp"
#include "samplers/chain_options.hpp"
#include "samplers/clamp.hpp"
#include "samplers/hmc.hpp"
#include "samplers/langevin_gibbs.hpp"
#include "samplers/leimkuhler_matthews.hpp"
#include "samplers/mala.hpp"
#include "samplers/ula.hpp"
#include "samplers/underdamped.hpp"

namespace partita {
namespace {

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
          .common = {deck::key("from", &O::from,
                               "run directory, checkpoint or HDF5 file of arrays whose parameters the model starts with; empty: none")
                         .free_on_restart()},
          .types = schemas(models()),
          .required_for = {"sample", "train", "generate"}};
}

deck::Section target_section() {
  using O = WarmStart;
  deck::Section s{
      .name = "target",
      .doc = "the energy U(x) that a flow learns to sample; p(x) = exp(-U(x)) / C",
      .common = {deck::key("from", &O::from,
                           "run directory, checkpoint or HDF5 file of arrays with the learnt parameters of the target; empty: none")
                     .free_on_restart()},
      .tasks = {"train", "generate", "estimate"}};
  for (auto const& m : models())
    if (m.can.has<DifferentiableModel>() && !m.can.has<Rbm>()) s.types.push_back(m.schema);
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
          .doc = "the model's own generator of samples",
          .common = generator_keys(),
          .types = schemas(generators()),
          .tasks = {"generate"},
          .required_for = {"generate"}};
}

deck::Section optimizer_section() {
  return {.name = "optimizer",
          .doc = "how an update changes the parameters along the gradient",
          .common = optimizer_keys(),
          .types = schemas(optimizers()),
          .default_type = "adam",
          .tasks = {"train"}};
}

}  // namespace

std::vector<ModelEntry> const& models() {
  static std::vector<ModelEntry> const table = {
      analytic_entry(gaussian_schema(), make_gaussian),
      analytic_entry(double_well_schema(), make_double_well),
      analytic_entry(gaussian_mixture_schema(), make_gaussian_mixture),
      analytic_entry(many_well_schema(), make_many_well),
      analytic_entry(mueller_brown_schema(), make_mueller_brown),
      analytic_entry(funnel_schema(), make_funnel),
      analytic_entry(banana_schema(), make_banana),
      analytic_entry(phi4_schema(), make_phi4),
      network_entry<MlpEnergy, MlpOptions>(mlp_schema()),
      network_entry<MlpScore, MlpOptions>(mlp_score_schema()),
      gaussian_mrf_model(),
      rbm_model(),
      network_entry<SoftmaxRbm, SoftmaxRbmOptions>(softmax_rbm_schema()),
      network_entry<BoltzmannMachine, BoltzmannMachineOptions>(boltzmann_machine_schema()),
      ising_lattice_model(),
      network_entry<DeepBeliefNetwork, DbnOptions>(dbn_schema()),
      memory_entry(hopfield_schema(), make_hopfield),
      memory_entry(modern_hopfield_schema(), make_modern_hopfield),
      hee_model(),
      network_entry<Nice, NiceOptions>(nice_schema()),
  };
  return table;
}

std::vector<SamplerEntry> const& samplers() {
  static std::vector<SamplerEntry> const table = {
      sampler_entry<Ula, UlaOptions>(ula_schema(), needs<ScoreModel>()),
      sampler_entry<LeimkuhlerMatthews, LeimkuhlerMatthewsOptions>(leimkuhler_matthews_schema(), needs<ScoreModel>()),
      sampler_entry<Mala, MalaOptions>(mala_schema(), needs<DifferentiableModel>()),
      sampler_entry<Barker, BarkerOptions>(barker_schema(), needs<DifferentiableModel>()),
      sampler_entry<Underdamped, UnderdampedOptions>(underdamped_schema(), needs<ScoreModel>()),
      sampler_entry<Hmc, HmcOptions>(hmc_schema(), needs<DifferentiableModel>()),
      mclmc_sampler(),
      mams_sampler(),
      sampler_entry<AnnealedLangevin, AnnealedLangevinOptions>(annealed_langevin_schema(), needs<MlpModel>()),
      gibbs_sampler(),
      replica_exchange_sampler(),
      trajectory_tempering_sampler(),
      sampler_entry<LangevinGibbs, LangevinGibbsOptions>(langevin_gibbs_schema(), needs<GaussianRbm>()),
      hee_langevin_sampler(),
  };
  return table;
}

std::vector<OptimizerEntry> const& optimizers() {
  static std::vector<OptimizerEntry> const table = {
      optimizer_entry<Adam, AdamOptions>(adam_schema()),
      optimizer_entry<Sgd, SgdOptions>(sgd_schema()),
  };
  return table;
}

std::vector<ObjectiveEntry> const& objectives() {
  static std::vector<ObjectiveEntry> const table = {
      contrastive_divergence_objective(),
      persistent_cd_objective(),
      score_matching_entry<ExactScoreMatching>(exact_score_matching_schema()),
      score_matching_entry<SlicedScoreMatching, SlicedOptions>(sliced_score_matching_schema()),
      score_matching_entry<DenoisingScoreMatching, DenoisingOptions>(denoising_score_matching_schema()),
      pseudo_likelihood_objective(),
      exact_likelihood_objective(),
      greedy_cd_objective(),
      hee_local_objective(),
      reverse_kl_objective(),
  };
  return table;
}

std::vector<GeneratorEntry> const& generators() {
  static std::vector<GeneratorEntry> const table = {
      hee_joint_generator(),    hee_marginal_generator(), hee_posterior_generator(),   hee_ancestral_generator(),
      dbn_top_down_generator(), flow_generator(),         flow_metropolis_generator(),
  };
  return table;
}

std::vector<EstimatorEntry> const& estimators() {
  static std::vector<EstimatorEntry> const table = {
      moments_estimator(),
      probability_estimator(),
      covariance_estimator(),
      convergence_estimator(),
      energy_distance_estimator(),
      sliced_wasserstein_estimator(),
      energies_estimator(),
      energy_grid_estimator(),
      score_grid_estimator(),
      observed_data_estimator(),
      flow_estimator(),
      log_likelihood_estimator(),
      reconstruction_estimator(),
      hee_hessian_estimator(),
      hee_relaxation_estimator(),
      magnetisation_estimator(),
      ais_estimator(),
      dbn_likelihood_estimator(),
      exact_log_z_estimator(),
      pseudo_likelihood_estimator(),
      free_energy_gap_estimator(),
      hopfield_capacity_estimator(),
      modern_retrieval_estimator(),
      ratings_estimator(),
  };
  return table;
}

std::unique_ptr<Model> make_model(deck::Block const& block, random::Key key, Arrays arrays) {
  return named(models(), block.type).make(block, key, arrays);
}
std::unique_ptr<Sampler> make_sampler(deck::Block const& block) {
  auto const& entry = named(samplers(), block.type);
  return entry.make ? entry.make(block) : nullptr;
}
std::unique_ptr<Objective> make_objective(RunContext const& c, Model& model, Sampler* sampler, data::Batches const* batches) {
  return named(objectives(), c.deck.at("objective").type)
      .make({c.deck, c.ranks, c.options.summation(), c.key, [&c] { return make_target(c); }, model, sampler, batches});
}
std::unique_ptr<Generator> make_generator(RunContext const& c, Model& model, data::Dataset const* data) {
  return named(generators(), c.deck.at("generator").type)
      .make({c.deck, c.ranks, c.key, [&c] { return make_target(c); }, [&c] { return make_sampler(c.deck.at("sampler")); }, model, data});
}
std::unique_ptr<Optimizer> make_optimizer(deck::Block const& block, Index parameters, Arrays arrays) {
  return named(optimizers(), block.type).make(block, parameters, arrays);
}

ObjectiveEntry::Laid list_objective(deck::Document const& deck, int rank, int ranks, Model const& model, Arrays arrays) {
  auto const list_target = [&deck](Arrays of_target) { return make_model(deck.at("target"), {}, of_target); };
  return named(objectives(), deck.at("objective").type)
      .list({deck, rank, ranks, deck.at("run").as<RunOptions>().summation(), list_target, model, arrays});
}
GeneratorEntry::Laid list_generator(deck::Document const& deck, int rank, int ranks, Model const& model, Arrays held, Arrays at_end) {
  auto const list_target = [&deck](Arrays of_target) { return make_model(deck.at("target"), {}, of_target); };
  auto const sampler = [&deck] { return make_sampler(deck.at("sampler")); };
  return named(generators(), deck.at("generator").type).list({deck, rank, ranks, list_target, sampler, model, held, at_end});
}

std::unique_ptr<DifferentiableModel> make_target(RunContext const& c) {
  deck::Block const& block = c.deck.at("target");
  auto model = make_model(block, c.key);
  warm_start(*model, block, c.ranks, c.inputs);
  return std::unique_ptr<DifferentiableModel>(&as<DifferentiableModel>(*model.release()));
}

deck::Catalogue const& catalogue() {
  static deck::Catalogue const all{{run_section(), data::section(), model_section(), target_section(), objective_section(),
                                    sampler_section(), clamp_section(), generator_section(), optimizer_section(), train_section(),
                                    input_section(), estimator_section(), output_section(), checkpoint_section()}};
  return all;
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
    if (!kind.empty() && kind != name && kind != section.name) continue;
    out += fmt::format("{}\n", name);
    for (deck::Schema const& s : section.types) out += fmt::format("  {:<24} {}\n", s.type, s.doc);
  }
  require_all(!out.empty(), ExitCode::usage, "'partita list {}': unknown; use one of {}", kind, kinds);
  return out;
}

}  // namespace partita
