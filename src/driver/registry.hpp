// THE table of what a deck's `type` can name: models, samplers, objectives, optimizers, estimators. A new one is a line here.
#pragma once
#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/require.hpp"
#include "data/batches.hpp"
#include "deck/document.hpp"
#include "driver/task.hpp"
#include "models/model.hpp"
#include "objectives/objective.hpp"
#include "optimizers/optimizer.hpp"
#include "samplers/generator.hpp"
#include "samplers/sampler.hpp"

namespace partita {

// What a model is: which samplers, objectives and generators can work with it. What works with a score works with an energy, too; `units`
// are drawn from their conditional laws, as are those of `ratings`, of which each item of the data shows others; the energy of `real_units`
// can be followed by Langevin samplers as well.
enum class Family { energy, score, units, real_units, ratings, belief, hee, flow };

template <class... Arguments>
struct Entry {
  deck::Schema schema;
  std::function<Arguments...> make;
};

struct ModelEntry : Entry<std::unique_ptr<Model>(deck::Block const&, random::Key)> {
  std::vector<Family> families = {Family::energy};
  bool learns = false;                                                      // has parameters that objectives of its families train
  std::function<std::vector<Family>(deck::Block const&)> families_of = {};  // where they depend on the block's keys
  bool is(Family what) const { return std::find(families.begin(), families.end(), what) != families.end(); }
};
// Dynamics that belong to one model have no `make`: the objectives and generators of that model make them.
struct SamplerEntry : Entry<std::unique_ptr<Sampler>(deck::Block const&)> {
  std::vector<Family> families = {Family::energy};  // any of which it moves
};

struct ObjectiveContext {
  RunContext const& run;
  Model& model;
  Sampler* sampler;              // null where the deck has none, or it has no `make`
  data::Batches const* batches;  // null where the objective needs no data and the deck has none
};
struct ObjectiveEntry : Entry<std::unique_ptr<Objective>(ObjectiveContext const&)> {
  std::vector<Family> families = {Family::energy};  // any of which it trains
  bool needs_sampler = true, needs_data = true;
  std::function<bool(deck::Block const&)> has_schedule = {};  // whether an update depends on train.schedule_updates
};
struct GeneratorContext {
  RunContext const& run;
  Model& model;
  data::Dataset const* data;  // null where the deck has none
};
struct GeneratorEntry : Entry<std::unique_ptr<Generator>(GeneratorContext const&)> {
  Family family = Family::energy;
  bool needs_sampler = true;
};
using OptimizerEntry = Entry<std::unique_ptr<Optimizer>(deck::Block const&, Index parameters)>;

std::vector<ModelEntry> const& models();
std::vector<SamplerEntry> const& samplers();
std::vector<ObjectiveEntry> const& objectives();
std::vector<GeneratorEntry> const& generators();
std::vector<OptimizerEntry> const& optimizers();

// The entry of this type; the deck's reader has made sure that there is one.
template <class Entries>
auto const& named(Entries const& entries, std::string const& type) {
  for (auto const& e : entries)
    if (e.schema.type == type) return e;
  fail(ExitCode::internal, "no registry entry named " + type);
}

std::unique_ptr<Model> make_model(deck::Block const&, random::Key);
std::unique_ptr<Sampler> make_sampler(deck::Block const&);  // null where its entry has no `make`
std::unique_ptr<Objective> make_objective(ObjectiveContext const&);
std::unique_ptr<Generator> make_generator(GeneratorContext const&);
std::unique_ptr<Optimizer> make_optimizer(deck::Block const&, Index parameters);
// The energy of [target], with its learnt parameters; Failure(usage) unless it has this dimension, a flow's. Collective.
std::unique_ptr<DifferentiableModel> make_target(RunContext const&, Index dimension);

// Every section of a deck, in the order of the reference deck.
deck::Catalogue const& catalogue();
// Reads a deck with the catalogue and refuses what does not fit together, a sampler that cannot move the model say, naming what fits.
deck::Document read_deck(std::string const& text, std::string const& source, std::vector<std::string> const& overrides);

// Updates over which learning rates, annealing or layers are laid out; none where a training has nothing of the kind.
std::optional<Index> schedule_length(deck::Document const&);

// The names and one-line descriptions of a kind ("models", "samplers", ...), or of all kinds where it is empty; for `partita list`.
std::string list(std::string const& kind);

}  // namespace partita
