#include "driver/fitting.hpp"

#include "driver/clamp.hpp"
#include "driver/estimator.hpp"
#include "driver/registry.hpp"

namespace partita {
namespace {

// What works with a score works with that of an energy, too.
bool works_with(ModelEntry const& model, Family what) { return model.is(what) || (what == Family::score && model.is(Family::energy)); }
bool works_with(ModelEntry const& model, std::vector<Family> const& any) {
  return std::any_of(any.begin(), any.end(), [&](Family f) { return works_with(model, f); });
}

template <class Entries, class Fits>
std::string those_that(Entries const& entries, Fits const& fit) {
  std::vector<std::string> names;
  for (auto const& e : entries)
    if (fit(e)) names.push_back(e.schema.type);
  return names.empty() ? "there is none" : "what does: " + deck::alternatives(names);
}

deck::Position position(deck::Block const& b) { return b.type_given_at.value_or(b.at); }

deck::Block const* given(deck::Document const& d, std::string const& section) {
  deck::Block const* block = d.find(section);
  return block && block->given ? block : nullptr;
}

void check_estimators(deck::Document const& d, std::vector<deck::Problem>& problems) {
  deck::Block const* model = given(d, "model");
  for (deck::Block const* b : d.all("estimator")) {
    EstimatorEntry const& entry = estimator_named(b->type);
    auto const refuse = [&](std::string const& why) {
      problems.push_back({position(*b), fmt::format("estimator.type = \"{}\" {}", b->type, why)});
    };
    if (entry.needs_data && !given(d, "data")) refuse("looks at items of [data], and there is none; add it");
    if (!entry.of_family || (model && works_with(named(models(), model->type), *entry.of_family))) continue;
    std::string const takes = those_that(models(), [&](auto const& m) { return works_with(m, *entry.of_family); });
    if (model) refuse(fmt::format("cannot look at model.type = \"{}\"; {}", model->type, takes));
    else refuse("needs a [model]; " + takes);
  }
}

void check_clamp(deck::Document const& d, std::vector<deck::Problem>& problems) {
  deck::Block const* clamp = given(d, "clamp");
  if (clamp && clamp->as<ClampOptions>().values.empty() && !given(d, "data"))
    problems.push_back({position(*clamp), "[clamp] shows items of [data], and there is none; add it, or give clamp.values"});
}

// The entry of the block's model, with the families that it has with these keys.
ModelEntry entry_of(deck::Block const& model) {
  ModelEntry entry = named(models(), model.type);
  if (entry.families_of) entry.families = entry.families_of(model);
  return entry;
}

// The blocks that work on the deck's model.
class AgainstModel {
 public:
  AgainstModel(deck::Document const& d, deck::Block const& model, std::vector<deck::Problem>& problems)
      : deck_(d), block_(model), model_(entry_of(model)), sampler_(given(d, "sampler")), problems_(problems) {}

  void check() const {
    check_target();
    if (deck_.task == "train") check_objective();
    if (deck_.task == "generate") check_generator();
    if (sampler_ && deck_.task != "estimate") check_sampler(*sampler_);
  }

 private:
  bool fits(GeneratorEntry const& e) const { return works_with(model_, e.family); }
  bool fits(ObjectiveEntry const& e) const { return works_with(model_, e.families); }
  bool fits(SamplerEntry const& e) const { return works_with(model_, e.families); }
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
  std::string reason(std::vector<Family> const& needed, char const* of_energies, char const* otherwise) const {
    return model_.is(Family::score) && needed.front() == Family::energy ? of_energies : otherwise;
  }

  void check_target() const {
    deck::Block const* target = given(deck_, "target");
    bool const is_flow = model_.is(Family::flow);
    if (is_flow && !target) say(block_, "needs a [target], the energy whose samples it makes; add one");
    if (!is_flow && target) refuse(*target, "is of no use to", those_that(models(), [](auto const& m) { return m.is(Family::flow); }));
  }
  void check_objective() const {
    deck::Block const& objective = deck_.at("objective");
    ObjectiveEntry const& entry = named(objectives(), objective.type);
    if (!model_.learns) refuse(objective, "has no parameters to learn in", those_that(models(), [](auto const& m) { return m.learns; }));
    else if (!fits(entry))
      refuse(objective, reason(entry.families, "learns an energy, and there is none in", "cannot train"), those_that_fit(objectives()));
    else if (!entry.needs_sampler && sampler_)
      problems_.push_back(
          {position(*sampler_), fmt::format("objective.type = \"{}\" has no use for a [sampler]; remove it", objective.type)});
    else require_sampler(objective, entry.needs_sampler);
    if (entry.needs_data && !given(deck_, "data")) say(objective, "needs a [data] section: what the model learns from");
  }
  void check_generator() const {
    deck::Block const& generator = deck_.at("generator");
    GeneratorEntry const& entry = named(generators(), generator.type);
    if (!fits(entry)) refuse(generator, "cannot make samples of", those_that_fit(generators()));
    else require_sampler(generator, entry.needs_sampler);
  }
  void check_sampler(deck::Block const& sampler) const {
    SamplerEntry const& entry = named(samplers(), sampler.type);
    // What it moves: of a flow its target.
    static ModelEntry const energy{};
    ModelEntry const& moved = model_.is(Family::flow) && deck_.task == "generate" ? energy : model_;
    if (!works_with(moved, entry.families))
      refuse(sampler, reason(entry.families, "accepts and rejects by an energy, and there is none in", "cannot move"),
             those_that(samplers(), [&](auto const& e) { return works_with(moved, e.families); }));
    else if (deck_.task == "sample" && !entry.make) refuse(sampler, "is not run by task \"sample\" on", "use task = \"generate\"");
    else if (deck_.task == "sample" && model_.is(Family::ratings)) refuse(sampler, "has no rated items to draw in", "use task = \"train\"");
  }

  deck::Document const& deck_;
  deck::Block const& block_;
  ModelEntry const model_;
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
