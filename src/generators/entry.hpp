// What a generator's `type` in a deck stands for.
#pragma once
#include <memory>
#include <vector>

#include "comm/communicator.hpp"
#include "core/arrays.hpp"
#include "deck/entry.hpp"
#include "generators/generator.hpp"
#include "models/fit.hpp"
#include "samplers/sampler.hpp"

namespace partita {

// Keys that all generators share.
struct GeneratorOptions {
  Index samples = 1024;
  Index tile_width = 0;
};
std::vector<deck::Key> generator_keys();

struct GeneratorContext {
  deck::Document const& deck;
  Communicator const& ranks;
  random::Key key;
  std::function<std::unique_ptr<DifferentiableModel>()> make_target;  // the energy of [target]; collective
  std::function<std::unique_ptr<Sampler>()> make_sampler;             // of [sampler], which the deck has
  Model& model;
  data::Dataset const* data;  // null where the deck has none
};
// A generator's arrays on one of so many ranks, before there is any: those that it has all the time, and those of the end.
struct GeneratorListing {
  deck::Document const& deck;
  int rank, ranks;
  std::function<std::unique_ptr<Model>(Arrays)> list_target;  // the energy of [target], which lists its arrays
  std::function<std::unique_ptr<Sampler>()> make_sampler;     // of [sampler], which the deck has
  Model const& model;
  Arrays held, at_end;
  Share share(Tiling const& tiling) const { return {tiling, rank, ranks}; }
};
struct GeneratorEntry : deck::Entry<std::unique_ptr<Generator>(GeneratorContext const&)> {
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

// Entries beside their classes.
GeneratorEntry hee_joint_generator();
GeneratorEntry hee_marginal_generator();
GeneratorEntry hee_posterior_generator();
GeneratorEntry hee_ancestral_generator();
GeneratorEntry dbn_top_down_generator();
GeneratorEntry flow_generator();
GeneratorEntry flow_metropolis_generator();

}  // namespace partita
