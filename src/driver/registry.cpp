#include "driver/registry.hpp"

#include "core/require.hpp"
#include "data/load.hpp"
#include "driver/evaluation.hpp"
#include "driver/settings.hpp"
#include "driver/warm_start.hpp"
#include "models/analytic_model.hpp"
#include "models/mlp_energy.hpp"
#include "objectives/contrastive_divergence.hpp"
#include "optimizers/adam.hpp"
#include "optimizers/sgd.hpp"
#include "samplers/hmc.hpp"
#include "samplers/leimkuhler_matthews.hpp"
#include "samplers/mala.hpp"
#include "samplers/ula.hpp"
#include "samplers/underdamped.hpp"

namespace partita {
namespace {

template <class Options, class Energy>
ModelEntry analytic(deck::Schema schema, Energy (*make)(Options const&)) {
  return {std::move(schema), [make](deck::Block const& b, random::Key) { return std::make_unique<AnalyticModel>(make(b.as<Options>())); }};
}

ModelEntry mlp() {
  return {mlp_schema(), [](deck::Block const& b, random::Key key) {
            auto model = std::make_unique<MlpEnergy>(b.as<MlpOptions>());
            model->initialise([key](Index i) {
              auto const w = random::words(key, static_cast<std::uint64_t>(i), random::Stream::parameters, 0, 0);
              return random::normal_pair(w.w[0], w.w[1], double()).a;
            });
            return model;
          }};
}

template <class Class, class Options>
SamplerEntry sampler(deck::Schema schema) {
  return {std::move(schema), [](deck::Block const& b) { return std::make_unique<Class>(b.as<Options>()); }};
}

template <class Class, class Options>
OptimizerEntry optimizer(deck::Schema schema) {
  return {std::move(schema), [](deck::Block const& b, Index parameters) { return std::make_unique<Class>(b.as<Options>(), parameters); }};
}

template <class Entries>
auto const& find(Entries const& entries, std::string const& type) {
  for (auto const& e : entries)
    if (e.schema.type == type) return e;
  fail(ExitCode::internal, "no registry entry named " + type);
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
          .common = {deck::key("from", &O::from, "run directory or checkpoint whose learnt parameters to start from; empty: none")},
          .types = schemas(models()),
          .required_for = {"sample", "train"}};
}

deck::Section objective_section() {
  return {.name = "objective",
          .doc = "what training minimises",
          .common = contrastive_keys(),
          .types = {contrastive_divergence_schema(), persistent_cd_schema()},
          .tasks = {"train"},
          .required_for = {"train"}};
}

deck::Section sampler_section() {
  return {.name = "sampler",
          .doc = "how chains move",
          .common = chain_keys(),
          .types = schemas(samplers()),
          .tasks = {"sample", "train"},
          .required_for = {"sample", "train"}};
}

deck::Section optimizer_section() {
  return {.name = "optimizer",
          .doc = "from gradients to parameters",
          .common = optimizer_keys(),
          .types = schemas(optimizers()),
          .default_type = "adam",
          .tasks = {"train"}};
}

deck::Section data_section() {
  deck::Section s = data::section();
  s.tasks = {"train"};
  s.required_for = {"train"};
  return s;
}

}  // namespace

std::vector<ModelEntry> const& models() {
  static std::vector<ModelEntry> const table = {
      {gaussian_schema(), [](deck::Block const& b, random::Key) { return make_gaussian(b.as<GaussianOptions>()); }},
      analytic(double_well_schema(), make_double_well),
      analytic(gaussian_mixture_schema(), make_gaussian_mixture),
      analytic(many_well_schema(), make_many_well),
      analytic(mueller_brown_schema(), make_mueller_brown),
      analytic(funnel_schema(), make_funnel),
      analytic(banana_schema(), make_banana),
      analytic(phi4_schema(), make_phi4),
      mlp(),
  };
  return table;
}

std::vector<SamplerEntry> const& samplers() {
  static std::vector<SamplerEntry> const table = {
      sampler<Ula, UlaOptions>(ula_schema()),
      sampler<LeimkuhlerMatthews, LeimkuhlerMatthewsOptions>(leimkuhler_matthews_schema()),
      sampler<Mala, MalaOptions>(mala_schema()),
      sampler<Underdamped, UnderdampedOptions>(underdamped_schema()),
      sampler<Hmc, HmcOptions>(hmc_schema()),
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

std::unique_ptr<DifferentiableModel> make_model(deck::Block const& block, random::Key key) { return find(models(), block.type).make(block, key); }
std::unique_ptr<Sampler> make_sampler(deck::Block const& block) { return find(samplers(), block.type).make(block); }
std::unique_ptr<Optimizer> make_optimizer(deck::Block const& block, Index parameters) { return find(optimizers(), block.type).make(block, parameters); }

deck::Catalogue const& catalogue() {
  static deck::Catalogue const all{{run_section(), data_section(), model_section(), objective_section(), sampler_section(), optimizer_section(), train_section(),
                                    input_section(), estimator_section(), output_section(), checkpoint_section()}};
  return all;
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
