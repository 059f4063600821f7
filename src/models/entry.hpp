// What a model's `type` in a deck stands for.
#pragma once
#include <memory>

#include "core/arrays.hpp"
#include "deck/entry.hpp"
#include "models/fit.hpp"

namespace partita {

struct ModelEntry : deck::Entry<std::unique_ptr<Model>(deck::Block const&, random::Key, Arrays)> {
  Capabilities can;                                               // interfaces, for some values of its keys
  std::function<Sizes(deck::Block const&)> sizes;                 // Failure(usage) for keys that do not make a model
  std::function<Capabilities(deck::Block const&)> can_with = {};  // interfaces, where they depend on the block's keys
  bool learns = can.meets(Capabilities::only<TrainableEnergy, TrainableScore, DeepBeliefNetwork, Hee, Nice>());
  Rule rule = {};
};

template <class Class, class Options>
Sizes sizes_by_options(deck::Block const& b) {
  return Class::sizes(b.as<Options>());
}

// Analytic energies; those with arrays of their own take an Arrays, too.
template <class Options, class... More>
ModelEntry analytic_entry(deck::Schema schema, std::unique_ptr<DifferentiableModel> (*make)(Options const&, More...)) {
  auto const with = [make](deck::Block const& b, Arrays const& arrays) {
    if constexpr (sizeof...(More) > 0) return make(b.as<Options>(), arrays);
    else return make(b.as<Options>());
  };
  return {{std::move(schema), [with](deck::Block const& b, random::Key, Arrays arrays) { return with(b, arrays); }},
          Capabilities::of<DifferentiableModel>(),
          [with](deck::Block const& b) {
            ArrayList unused;
            auto const model = with(b, Arrays(unused));
            return Sizes{model->visible_dimension(), model->dimension()};
          }};
}

// The standard normals from which a model's parameters are initialised.
std::function<double(Index)> normals(random::Key);

// Models whose parameters are initialised from them.
template <class Network, class Options>
ModelEntry network_entry(deck::Schema schema) {
  return {{std::move(schema),
           [](deck::Block const& b, random::Key key, Arrays arrays) {
             auto model = std::make_unique<Network>(b.as<Options>(), arrays);
             if (arrays.makes()) model->initialise(normals(key));
             return model;
           }},
          Capabilities::of<Network>(),
          sizes_by_options<Network, Options>};
}

// Checks that patterns are random ones, or that there are items.
template <class Options>
void has_patterns(Fit const& fit) {
  if (fit.own.as<Options>().patterns > 0) return;
  if (fit.own.section == "target")
    fit.refuse("patterns", "target.patterns = 0 stands for training items, which a target cannot use; give a number of random patterns");
  else if (!given(fit.deck, "data"))
    fit.refuse(
        "patterns",
        "model.patterns = 0 stands for the training items of [data], but there is none; add it, or give a number of random patterns");
}

// Networks that store patterns.
template <class Network, class Options>
ModelEntry memory_entry(deck::Schema schema, std::unique_ptr<Network> (*make)(Options const&, random::Key, Arrays)) {
  return {{std::move(schema), [make](deck::Block const& b, random::Key key, Arrays arrays) { return make(b.as<Options>(), key, arrays); }},
          Capabilities::of<Network>(),
          sizes_by_options<Network, Options>,
          {},
          false,
          has_patterns<Options>};
}

// Entries beside their classes.
ModelEntry gaussian_mrf_model();
ModelEntry rbm_model();
ModelEntry ising_lattice_model();
ModelEntry hee_model();

}  // namespace partita
