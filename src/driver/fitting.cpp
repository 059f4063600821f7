#include "driver/fitting.hpp"

#include "driver/registry.hpp"
#include "driver/settings.hpp"
#include "estimators/entry.hpp"
#include "io/run_directory.hpp"
#include "models/items.hpp"
#include "objectives/train_options.hpp"
#include "samplers/chain_options.hpp"
#include "samplers/clamp.hpp"

namespace partita {
namespace {

template <class Entries, class Fits>
std::string those_that(Entries const& entries, Fits const& fit) {
  std::vector<std::string> names;
  for (auto const& e : entries)
    if (fit(e)) names.push_back(e.schema.type);
  return names.empty() ? "there is none" : "use " + deck::alternatives(names);
}

Capabilities capabilities_of(deck::Block const& model) {
  ModelEntry const& entry = named(models(), model.type);
  return entry.can_with ? entry.can_with(model) : entry.can;
}

// Keys that do not make a model are a problem, which is reported once, where `problems` is given.
ModelTraits traits_of(deck::Block const& model, std::vector<deck::Problem>* problems = nullptr) {
  ModelTraits traits{capabilities_of(model)};
  try {
    traits.sizes = named(models(), model.type).sizes(model);
  } catch (Failure const& failure) {
    if (failure.code() != ExitCode::usage) throw;
    if (problems) problems->push_back({place_of(model), failure.what()});
  }
  return traits;
}

void check_estimators(deck::Document const& d, Loaded const* loaded, std::vector<deck::Problem>& problems) {
  deck::Block const* model = given(d, "model");
  ModelTraits const traits = model ? traits_of(*model) : ModelTraits{};
  for (deck::Block const* b : d.all("estimator")) {
    EstimatorEntry const& entry = named(estimators(), b->type);
    Fit const fit(d, *b, traits, loaded ? loaded->model.get() : nullptr, loaded, problems);
    auto const refuse = [&](std::string const& why) { fit.refuse("", fmt::format("estimator.type = \"{}\" {}", b->type, why)); };
    if (entry.needs_data && !given(d, "data")) refuse("uses items of [data], but there is none; add it");
    bool const fits = entry.needs.nothing() || (model && entry.needs.met_by(model->type, traits.can));
    std::string const takes = those_that(models(), [&](auto const& m) { return entry.needs.met_by(m.schema.type, m.can); });
    if (fits && entry.rule) entry.rule(fit);
    else if (!fits && model)
      refuse(fmt::format(
          "cannot be used with model.type = \"{}\"; {}; for this model {}, or an estimator of samples, such as moments or convergence",
          model->type, takes,
          those_that(estimators(), [&](auto const& e) { return !e.needs.nothing() && e.needs.met_by(model->type, traits.can); })));
    else if (!fits) refuse("needs a [model]; " + takes);
  }
}

// Checks the blocks that work on the deck's model.
class ModelCompatibility {
 public:
  ModelCompatibility(deck::Document const& d, deck::Block const& model, Loaded const* loaded, std::vector<deck::Problem>& problems)
      : deck_(d),
        loaded_(loaded),
        block_(model),
        model_(named(models(), model.type)),
        traits_(traits_of(model, &problems)),
        can_(traits_.can),
        sampler_(given(d, "sampler")),
        problems_(problems) {}

  void check() const {
    follow_rule(model_, block_);
    check_target();
    check_clamp();
    check_input();
    if (deck_.task == "train") check_objective(), check_training();
    if (deck_.task == "generate") check_generator();
    if (sampler_ && deck_.task != "estimate") check_sampler(*sampler_);
    if (deck_.task == "sample") check_sampling();
  }

 private:
  template <class Entry>
  bool fits(Entry const& e) const {
    return e.needs.met_by(block_.type, can_);
  }
  template <class Entries>
  std::string compatible_types(Entries const& entries) const {
    return those_that(entries, [this](auto const& e) { return fits(e); });
  }
  void refuse(deck::Block const& b, std::string const& why, std::string const& instead) const {
    problems_.push_back(
        {place_of(b), fmt::format("{}.type = \"{}\" {} model.type = \"{}\"; {}", b.section, b.type, why, block_.type, instead)});
  }
  void say(deck::Block const& b, std::string const& what) const {
    problems_.push_back({place_of(b), fmt::format("{}.type = \"{}\" {}", b.section, b.type, what)});
  }
  void require_sampler(deck::Block const& b, bool needed) const {
    if (needed && !sampler_) say(b, "needs a [sampler]; " + compatible_types(samplers()));
  }
  bool lacks_energy() const { return can_.has<ScoreModel>() && !can_.has<EnergyModel>(); }
  Fit fit_of(deck::Block const& b) const { return {deck_, b, traits_, loaded_ ? loaded_->model.get() : nullptr, loaded_, problems_}; }
  template <class Entry>
  void follow_rule(Entry const& entry, deck::Block const& b) const {
    if (entry.rule) entry.rule(fit_of(b));
  }

  void check_target() const {
    deck::Block const* target = given(deck_, "target");
    bool const is_flow = can_.has<Nice>();
    if (is_flow && !target) say(block_, "needs a [target], the energy that it samples; add one");
    if (!is_flow && target)
      refuse(*target, "cannot be used by", those_that(models(), [](auto const& m) { return m.can.template has<Nice>(); }));
    if (target)
      if (auto const& rule = named(models(), target->type).rule) rule(fit_of(*target));
    auto const sizes = is_flow && target ? traits_of(*target, &problems_).sizes : std::nullopt;
    if (sizes && traits_.sizes && sizes->dimension != traits_.sizes->dimension)
      problems_.push_back(
          {place_of(block_, "dimension"), fmt::format("model.dimension = {}, but the [target] {} has {}; set model.dimension to that",
                                                      traits_.sizes->dimension, target->type, sizes->dimension)});
  }
  void check_clamp() const {
    deck::Block const* const clamp = given(deck_, "clamp");
    if (!clamp || !loaded_ || !loaded_->model) return;
    if (!loaded_->files && given(deck_, "data")) return;
    fit_of(*clamp).attempt([&] { require_clampable(*loaded_->model, loaded_->data.get(), clamp->as<ClampOptions>()); });
  }
  void check_objective() const {
    deck::Block const& objective = deck_.at("objective");
    ObjectiveEntry const& entry = named(objectives(), objective.type);
    if (!model_.learns)
      refuse(objective, "has no parameters to learn in",
             those_that(models(), [&](auto const& m) { return m.learns && entry.needs.met_by(m.schema.type, m.can); }));
    else if (!fits(entry))
      refuse(objective, lacks_energy() ? "learns an energy, and there is none in" : "cannot train", compatible_types(objectives()));
    else if (check_restarts(entry, objective), follow_rule(entry, objective); !entry.needs_sampler && sampler_)
      problems_.push_back(
          {place_of(*sampler_), fmt::format("objective.type = \"{}\" has no use for a [sampler]; remove it", objective.type)});
    else require_sampler(objective, entry.needs_sampler);
    if (entry.needs_data && !given(deck_, "data")) say(objective, "needs a [data] section: what the model learns from");
  }
  void check_restarts(ObjectiveEntry const& entry, deck::Block const& objective) const {
    if (entry.starts_chains_anew && sampler_ && named(samplers(), sampler_->type).keeps_velocity)
      say(objective, fmt::format("restarts chains without velocities, but sampler.type = \"{}\" needs them; use ula, "
                                 "leimkuhler_matthews, mala or hmc",
                                 sampler_->type));
  }
  void check_input() const {
    deck::Block const* const input = given(deck_, "input");
    if (!input || !loaded_ || !loaded_->input || !traits_.sizes || loaded_->input->dimension == traits_.sizes->dimension) return;
    problems_.push_back({place_of(*input, "path"),
                         fmt::format("{}: points of dimension {}, but the model has dimension {}; name points of that dimension in "
                                     "input.path or input.dataset, or set the sizes of [model] to theirs",
                                     loaded_->input->where, loaded_->input->dimension, traits_.sizes->dimension),
                         ExitCode::data});
  }
  // Checks what updates need for any objective.
  void check_training() const {
    deck::Block const& train = deck_.at("train");
    auto const o = train.as<TrainOptions>();
    Fit const fit = fit_of(train);
    bool const validates = o.keep_best == "validation";
    if (validates && !given(deck_, "data"))
      fit.refuse("keep_best",
                 "train.keep_best = \"validation\" compares with validation items, but the deck has no [data]; add it, or use keep_best = "
                 "\"never\"");
    if (auto const& objective = deck_.at("objective"); validates && !named(objectives(), objective.type).has_chains)
      fit.refuse("keep_best", fmt::format("train.keep_best = \"validation\" compares validation items with the chains of the training, and "
                                          "objective.type = \"{}\" has none; use keep_best = \"never\", or for the objective {}",
                                          objective.type, those_that(objectives(), [](auto const& e) { return e.has_chains; })));
    data::Dataset const* const data = fit.data();
    if (!data || !fit.model) return;
    fit.attempt([&] { require_width(*data, *fit.model); });
    fit.attempt([&] { data::Batches(*data, o.batch, {}); });
    if (Index const held = data->size(data::Split::validation); validates && held < 2)
      fit.refuse(
          "keep_best",
          fmt::format("train.keep_best = \"validation\" needs validation items, but there are {}; set data.validation_fraction", held));
  }
  void check_generator() const {
    deck::Block const& generator = deck_.at("generator");
    GeneratorEntry const& entry = named(generators(), generator.type);
    if (!fits(entry)) refuse(generator, "cannot make samples of", compatible_types(generators()));
    else follow_rule(entry, generator), require_sampler(generator, entry.needs_sampler);
  }
  void check_sampler(deck::Block const& sampler) const {
    SamplerEntry const& entry = named(samplers(), sampler.type);
    deck::Block const* const target = given(deck_, "target");
    deck::Block const& moved = can_.has<Nice>() && deck_.task == "generate" && target ? *target : block_;
    ModelTraits const traits = &moved == &block_ ? traits_ : traits_of(moved, &problems_);
    Capabilities const& can = traits.can;
    auto const moves = [&](SamplerEntry const& e) { return e.needs.met_by(moved.type, can); };
    if (!moves(entry))
      refuse(sampler, lacks_energy() ? "accepts and rejects by an energy, and there is none in" : "cannot move",
             those_that(samplers(), moves));
    else if (deck_.task == "sample" && !entry.make) refuse(sampler, "is not run by task \"sample\" on", "use task = \"generate\"");
    else if (deck_.task == "sample" && can.has<SoftmaxRbm>()) refuse(sampler, "has no rated items to draw in", "use task = \"train\"");
    else check_sampler_made(entry, Fit(deck_, sampler, traits, model_moved(moved), loaded_, problems_));
  }
  void check_sampler_made(SamplerEntry const& entry, Fit const& fit) const {
    if (entry.rule) entry.rule(fit);
    if (!entry.make) return;
    fit.attempt([&] {
      auto const made = entry.make(fit.own);
      if (fit.model) made->require_fit(*fit.model);
      if (deck_.task == "sample" && made->rungs() > 1 && fit.own.as<ChainOptions>().on_nonfinite == "reinitialize")
        fit.refuse("on_nonfinite",
                   fmt::format("sampler.on_nonfinite = \"reinitialize\" restarts chains, but sampler.type = \"{}\" has further chains at "
                               "other temperatures; use on_nonfinite = \"stop\"",
                               fit.own.type));
    });
  }
  Model* model_moved(deck::Block const& moved) const {
    if (!loaded_) return nullptr;
    return &moved == &block_ ? loaded_->model.get() : loaded_->target.get();
  }
  // Checks the chains of a sampling run: their widths, numbers and starts.
  void check_sampling() const {
    if (!traits_.sizes || !sampler_) return;
    auto const o = sampler_->as<ChainOptions>();
    Index const d = traits_.sizes->dimension;
    if (o.steps - o.warmup < o.thin)
      fit_of(*sampler_).refuse("steps", fmt::format("sampler.steps = {} with warmup = {} and thin = {} keeps no draw; use more steps, a "
                                                    "shorter warmup or a smaller thin",
                                                    o.steps, o.warmup, o.thin));
    fit_of(*sampler_).attempt([&] { random::check_budget(round_up(o.chains, o.width(o.chains, d, 1)), o.steps, divide_up(d, 4)); });
  }

  deck::Document const& deck_;
  Loaded const* loaded_;  // null in the first check
  deck::Block const& block_;
  ModelEntry const& model_;
  ModelTraits const traits_;
  Capabilities const& can_;
  deck::Block const* sampler_;
  std::vector<deck::Problem>& problems_;
};

}  // namespace

deck::Document without_mistakes(deck::Reading reading, LookAt look, Communicator const& ranks) {
  deck::Document& deck = reading.document;
  Inputs unused;
  if (!reading.problems.empty()) {
    // Blocks with wrong keys are left out, so that the others cannot be checked against them; files can.
    load(deck, look, ranks, unused, reading.problems);
    deck::refuse(std::move(reading.problems));
  }
  if (!incompatibilities(deck).empty()) load_and_check(deck, look, ranks, unused);
  return std::move(deck);
}

Loaded load_and_check(deck::Document const& d, LookAt look, Communicator const& ranks, Inputs& inputs) {
  std::vector<deck::Problem> problems;
  Loaded loaded = load(d, look, ranks, inputs, problems);
  for (deck::Problem& p : incompatibilities(d, &loaded)) {
    auto const said = [&p](deck::Problem const& earlier) { return earlier.text == p.text; };  // by another block that meets it, too
    if (std::none_of(problems.begin(), problems.end(), said)) problems.push_back(std::move(p));
  }
  if (!problems.empty()) deck::refuse(std::move(problems));
  return loaded;
}

std::vector<deck::Problem> incompatibilities(deck::Document const& d, Loaded const* loaded) {
  std::vector<deck::Problem> problems = deck::unused_keys(d);
  check_estimators(d, loaded, problems);
  attempt(d, d.at("run"), "output", problems, [&] { RunDirectory(d.at("run").as<RunOptions>().output).require_possible(); });
  if (deck::Block const* model = given(d, "model")) ModelCompatibility(d, *model, loaded, problems).check();
  return problems;
}

}  // namespace partita
