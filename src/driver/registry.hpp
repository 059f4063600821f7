// The table of everything that a deck's `type` can name: models, samplers, objectives, optimizers, estimators. A new one is a line here.
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
#include "driver/fit.hpp"
#include "driver/task.hpp"
#include "models/model.hpp"
#include "objectives/objective.hpp"
#include "optimizers/optimizer.hpp"
#include "samplers/generator.hpp"
#include "samplers/sampler.hpp"

namespace partita {

template <class... Arguments>
struct Entry {
  deck::Schema schema;
  std::function<Arguments...> make;
};

struct ModelEntry : Entry<std::unique_ptr<Model>(deck::Block const&, random::Key, Arrays)> {
  Capabilities can;                                               // interfaces, for some values of its keys
  std::function<Sizes(deck::Block const&)> sizes;                 // Failure(usage) for keys that do not make a model
  std::function<Capabilities(deck::Block const&)> can_with = {};  // interfaces, where they depend on the block's keys
  bool learns = can.meets(Capabilities::only<LearnableEnergy, TrainableScore, DeepBeliefNetwork, Hee, Nice>());
  Rule rule = {};
};
// Dynamics that belong to one model have no `make`: the objectives and generators of that model make them.
struct SamplerEntry : Entry<std::unique_ptr<Sampler>(deck::Block const&)> {
  Needs needs;  // of the model that it moves
  Rule rule = {};
  bool keeps_velocity = false;
};

struct ObjectiveContext {
  RunContext const& run;
  Model& model;
  Sampler* sampler;              // null where the deck has none, or it has no `make`
  data::Batches const* batches;  // null where the objective needs no data and the deck has none
};
// An objective's arrays on one of so many ranks, before there is any.
struct ObjectiveListing {
  deck::Document const& deck;
  Model const& model;
  int rank, ranks;
  Arrays arrays;
};
struct ObjectiveEntry : Entry<std::unique_ptr<Objective>(ObjectiveContext const&)> {
  // Lists them, and tells how a batch is tiled and how many generations of chains like it updates leave behind.
  struct Laid {
    Tiling tiling;
    Index generations = 0;
  };
  std::function<Laid(ObjectiveListing const&)> list;
  Needs needs;  // of the model that it trains
  bool needs_sampler = true, needs_data = true;
  Rule rule = {};
  std::function<bool(deck::Block const&)> has_schedule = {};  // whether an update depends on train.schedule_updates
};
struct GeneratorContext {
  RunContext const& run;
  Model& model;
  data::Dataset const* data;  // null where the deck has none
};
// A generator's arrays on one of so many ranks, before there is any: those that it has all the time, and those of the end.
struct GeneratorListing {
  deck::Document const& deck;
  Model const& model;
  int rank, ranks;
  Arrays held, at_end;
};
struct GeneratorEntry : Entry<std::unique_ptr<Generator>(GeneratorContext const&)> {
  // Lists them, and tells how the samples are tiled, what they consist of and how many further numbers each has.
  struct Laid {
    Tiling tiling;
    std::vector<Generator::Variable> variables;
    Index statistics = 0;
  };
  std::function<Laid(GeneratorListing const&)> list;
  Needs needs;  // of the model whose samples it makes
  bool needs_sampler = true;
  Rule rule = {};
};
using OptimizerEntry = Entry<std::unique_ptr<Optimizer>(deck::Block const&, Index parameters, Arrays)>;

std::vector<ModelEntry> const& models();
std::vector<SamplerEntry> const& samplers();
std::vector<ObjectiveEntry> const& objectives();
std::vector<GeneratorEntry> const& generators();
std::vector<OptimizerEntry> const& optimizers();

// The entry of this type; the deck's reader has ensured that there is one.
template <class Entries>
auto const& named(Entries const& entries, std::string const& type) {
  for (auto const& e : entries)
    if (e.schema.type == type) return e;
  fail(ExitCode::internal, "no registry entry named " + type);
}

std::unique_ptr<Model> make_model(deck::Block const&, random::Key, Arrays = {});
std::unique_ptr<Sampler> make_sampler(deck::Block const&);  // null where its entry has no `make`
std::unique_ptr<Objective> make_objective(ObjectiveContext const&);
std::unique_ptr<Generator> make_generator(GeneratorContext const&);
std::unique_ptr<Optimizer> make_optimizer(deck::Block const&, Index parameters, Arrays = {});
// The energy of [target], with its learnt parameters. Collective.
std::unique_ptr<DifferentiableModel> make_target(RunContext const&);

// Every section of a deck, in the order of the reference deck.
deck::Catalogue const& catalogue();

// Number of updates over which learning rates, annealing or layers are scheduled; none where nothing in the training is.
std::optional<Index> schedule_length(deck::Document const&);

// The names and one-line descriptions of a kind ("models", "samplers", ...), or of all kinds where it is empty; for `partita list`.
std::string list(std::string const& kind);

}  // namespace partita
