// The table of everything that a deck's `type` can name: models, samplers, objectives, generators, optimizers, estimators.
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
#include "estimators/entry.hpp"
#include "generators/entry.hpp"
#include "models/entry.hpp"
#include "objectives/entry.hpp"
#include "optimizers/entry.hpp"
#include "samplers/entry.hpp"

namespace partita {

std::vector<ModelEntry> const& models();
std::vector<SamplerEntry> const& samplers();
std::vector<ObjectiveEntry> const& objectives();
std::vector<GeneratorEntry> const& generators();
std::vector<OptimizerEntry> const& optimizers();
std::vector<EstimatorEntry> const& estimators();

// The entry of this type; the deck's reader has ensured that there is one.
template <class Entries>
auto const& named(Entries const& entries, std::string const& type) {
  for (auto const& e : entries)
    if (e.schema.type == type) return e;
  fail(ExitCode::internal, "no registry entry named " + type);
}

std::unique_ptr<Model> make_model(deck::Block const&, random::Key, Arrays = {});
std::unique_ptr<Sampler> make_sampler(deck::Block const&);  // null where its entry has no `make`
// `sampler` is null where the deck has none, or it has no `make`; `batches` and `data` where the deck has no data.
std::unique_ptr<Objective> make_objective(RunContext const&, Model&, Sampler* sampler, data::Batches const* batches);
std::unique_ptr<Generator> make_generator(RunContext const&, Model&, data::Dataset const* data);
std::unique_ptr<Optimizer> make_optimizer(deck::Block const&, Index parameters, Arrays = {});
// Lists the arrays of the deck's objective or generator on one of so many ranks, before there is any.
ObjectiveEntry::Laid list_objective(deck::Document const&, int rank, int ranks, Model const&, Arrays);
GeneratorEntry::Laid list_generator(deck::Document const&, int rank, int ranks, Model const&, Arrays held, Arrays at_end);
// The energy of [target], with its learnt parameters. Collective.
std::unique_ptr<DifferentiableModel> make_target(RunContext const&);

// Every section of a deck, in the order of the reference deck.
deck::Catalogue const& catalogue();

// Number of updates over which learning rates, annealing or layers are scheduled; none where nothing in the training is.
std::optional<Index> schedule_length(deck::Document const&);

// The names and one-line descriptions of a kind ("models", "samplers", ...), or of all kinds where it is empty; for `partita list`.
std::string list(std::string const& kind);

}  // namespace partita
