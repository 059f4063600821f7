// THE table of what a deck's `type` can name: models, samplers, objectives, optimizers, estimators. A new one is a line here.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "deck/document.hpp"
#include "models/model.hpp"
#include "optimizers/optimizer.hpp"
#include "samplers/sampler.hpp"

namespace partita {

template <class... Arguments>
struct Entry {
  deck::Schema schema;
  std::function<Arguments...> make;
};

using ModelEntry = Entry<std::unique_ptr<DifferentiableModel>(deck::Block const&, random::Key)>;
using SamplerEntry = Entry<std::unique_ptr<Sampler>(deck::Block const&)>;
using OptimizerEntry = Entry<std::unique_ptr<Optimizer>(deck::Block const&, Index parameters)>;

std::vector<ModelEntry> const& models();
std::vector<SamplerEntry> const& samplers();
std::vector<OptimizerEntry> const& optimizers();

std::unique_ptr<DifferentiableModel> make_model(deck::Block const&, random::Key);
std::unique_ptr<Sampler> make_sampler(deck::Block const&);
std::unique_ptr<Optimizer> make_optimizer(deck::Block const&, Index parameters);

// Every section of a deck, in the order of the reference deck.
deck::Catalogue const& catalogue();

// The names and one-line descriptions of a kind ("models", "samplers", ...), or of all kinds where it is empty; for `partita list`.
std::string list(std::string const& kind);

}  // namespace partita
