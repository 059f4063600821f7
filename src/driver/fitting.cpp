#include "driver/fitting.hpp"

#include "driver/clamp.hpp"
#include "driver/estimator.hpp"
#include "driver/registry.hpp"

namespace partita {
namespace {

template <class Entries, class Fits>
std::string those_that(Entries const& entries, Fits const& fit) {
  std::vector<std::string> names;
  for (auto const& e : entries)
    if (fit(e)) names.push_back(e.schema.type);
  return names.empty() ? "there is none" : "what does: " + deck::alternatives(names);
}

deck::Position position(deck::Block const& b) { return b.type_given_at.value_or(b.at); }

Capabilities capabilities_of(deck::Block const& model) {
  ModelEntry const& entry = named(models(), model.type);
  return entry.can_with ? entry.can_with(model) : entry.can;
}

// Keys that make no model are a problem that is said once, where `problems` are given.
ModelTraits traits_of(deck::Block const& model, std::vector<deck::Problem>* problems = nullptr) {
  ModelTraits traits{capabilities_of(model)};
  try {
    traits.sizes = named(models(), model.type).sizes(model);
  } catch (Failure const& failure) {
    if (failure.code() != ExitCode::usage) throw;
    if (problems) problems->push_back({position(model), failure.what()});
  }
  return traits;
}

void check_estimators(deck::Document const& d, std::vector<deck::Problem>& problems) {
  deck::Block const* model = given(d, "model");
  ModelTraits const traits = model ? traits_of(*model) : ModelTraits{};
  for (deck::Block const* b : d.all("estimator")) {
    EstimatorEntry const& entry = estimator_named(b->type);
    Fit const fit(d, *b, traits, problems);
    auto const refuse = [&](std::string const& why) { fit.refuse("", fmt::format("estimator.type = \"{}\" {}", b->type, why)); };
    if (entry.needs_data && !given(d, "data")) refuse("looks at items of [data], and there is none; add it");
    bool const fits = entry.needs.nothing() || (model && entry.needs.met_by(model->type, traits.can));
    std::string const takes = those_that(models(), [&](auto const& m) { return entry.needs.met_by(m.schema.type, m.can); });
    if (fits && entry.rule) entry.rule(fit);
    else if (!fits && model) refuse(fmt::format("cannot look at model.type = \"{}\"; {}", model->type, takes));
    else if (!fits) refuse("needs a [model]; " + takes);
  }
}

void check_clamp(deck::Document const& d, std::vector<deck::Problem>& problems) {
  deck::Block const* clamp = given(d, "clamp");
  if (clamp && clamp->as<ClampOptions>().values.empty() && !given(d, "data"))
    problems.push_back({position(*clamp), "[clamp] shows items of [data], and there is none; add it, or give clamp.values"});
}

// The blocks that work on the deck's model.
class AgainstModel {
 public:
  AgainstModel(deck::Document const& d, deck::Block const& model, std::vector<deck::Problem>& problems)
      : deck_(d),
        block_(model),
        model_(named(models(), model.type)),
        traits_(traits_of(model, &problems)),
        can_(traits_.can),
        sampler_(given(d, "sampler")),
        problems_(problems) {}

  void check() const {
    follow_rule(model_, block_, traits_);
    check_target();
    if (deck_.task == "train") check_objective();
    if (deck_.task == "generate") check_generator();
    if (sampler_ && deck_.task != "estimate") check_sampler(*sampler_);
  }

 private:
  template <class Entry>
  bool fits(Entry const& e) const {
    return e.needs.met_by(block_.type, can_);
  }
  template <class Entries>
  std::string those_that_fit(Entries const& entries) const {
    return those_that(entries, [this](auto const& e) { return fits(e); });
  }
  void refuse(deck::Block const& b, std::string const& why, std::string const& instead) const {
    problems_.push_back(
        {position(b), fmt::format("{}.type = \"{}\" {} model.type = \"{}\"; {}", b.section, b.type, why, block_.type, instead)});
  }
  void say(deck::Block const& b, std::string const& what) const {
    problems_.push_back({position(b), fmt::format("{}.type = \"{}\" {}", b.section, b.type, what)});
  }
  void require_sampler(deck::Block const& b, bool needed) const {
    if (needed && !sampler_) say(b, "needs a [sampler]; " + those_that_fit(samplers()));
  }
  bool lacks_energy() const { return can_.has<ScoreModel>() && !can_.has<EnergyModel>(); }
  template <class Entry>
  void follow_rule(Entry const& entry, deck::Block const& b, ModelTraits const& model) const {
    if (entry.rule) entry.rule(Fit(deck_, b, model, problems_));
  }

  void check_target() const {
    deck::Block const* target = given(deck_, "target");
    bool const is_flow = can_.has<Nice>();
    if (is_flow && !target) say(block_, "needs a [target], the energy whose samples it makes; add one");
    if (!is_flow && target)
      refuse(*target, "is of no use to", those_that(models(), [](auto const& m) { return m.can.template has<Nice>(); }));
  }
  void check_objective() const {
    deck::Block const& objective = deck_.at("objective");
    ObjectiveEntry const& entry = named(objectives(), objective.type);
    if (!model_.learns) refuse(objective, "has no parameters to learn in", those_that(models(), [](auto const& m) { return m.learns; }));
    else if (!fits(entry))
      refuse(objective, lacks_energy() ? "learns an energy, and there is none in" : "cannot train", those_that_fit(objectives()));
    else if (follow_rule(entry, objective, traits_); !entry.needs_sampler && sampler_)
      problems_.push_back(
          {position(*sampler_), fmt::format("objective.type = \"{}\" has no use for a [sampler]; remove it", objective.type)});
    else require_sampler(objective, entry.needs_sampler);
    if (entry.needs_data && !given(deck_, "data")) say(objective, "needs a [data] section: what the model learns from");
  }
  void check_generator() const {
    deck::Block const& generator = deck_.at("generator");
    GeneratorEntry const& entry = named(generators(), generator.type);
    if (!fits(entry)) refuse(generator, "cannot make samples of", those_that_fit(generators()));
    else follow_rule(entry, generator, traits_), require_sampler(generator, entry.needs_sampler);
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
    else follow_rule(entry, sampler, traits);
  }

  deck::Document const& deck_;
  deck::Block const& block_;
  ModelEntry const& model_;
  ModelTraits const traits_;
  Capabilities const& can_;
  deck::Block const* sampler_;
  std::vector<deck::Problem>& problems_;
};

}  // namespace

std::vector<deck::Problem> misfits(deck::Document const& d) {
  std::vector<deck::Problem> problems;
  check_estimators(d, problems);
  check_clamp(d, problems);
  if (deck::Block const* model = given(d, "model")) AgainstModel(d, *model, problems).check();
  return problems;
}

}  // namespace partita
