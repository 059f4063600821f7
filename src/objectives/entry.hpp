// What an objective's `type` in a deck stands for.
#pragma once
#include <memory>

#include "comm/tile_sums.hpp"
#include "core/arrays.hpp"
#include "data/batches.hpp"
#include "deck/entry.hpp"
#include "models/fit.hpp"
#include "objectives/objective.hpp"
#include "objectives/score_matching.hpp"
#include "objectives/train_options.hpp"
#include "samplers/sampler.hpp"

namespace partita {

struct ObjectiveContext {
  deck::Document const& deck;
  Communicator const& ranks;
  Summation summation;
  random::Key key;
  std::function<std::unique_ptr<DifferentiableModel>()> make_target;  // the energy of [target]; collective
  Model& model;
  Sampler* sampler;              // null where the deck has none, or it has no `make`
  data::Batches const* batches;  // null where the objective needs no data and the deck has none
};
// An objective's arrays on one of so many ranks, before there is any.
struct ObjectiveListing {
  deck::Document const& deck;
  int rank, ranks;
  Summation summation;
  std::function<std::unique_ptr<Model>(Arrays)> list_target;  // the energy of [target], which lists its arrays
  Model const& model;
  Arrays arrays;
  Share share(Tiling const& tiling) const { return {tiling, rank, ranks}; }
};
struct ObjectiveEntry : deck::Entry<std::unique_ptr<Objective>(ObjectiveContext const&)> {
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
  bool starts_chains_anew = false;                            // while it trains, which samplers with velocities cannot
  bool has_chains = false;  // that updates leave behind: samples of the model, which validation compares with items
};

// Objectives that match scores.
template <class Class, class... Options>
ObjectiveEntry score_matching_entry(deck::Schema schema) {
  return {{std::move(schema),
           [](ObjectiveContext const& c) {
             auto const& block = c.deck.at("objective");
             return std::make_unique<Class>(as<TrainableScore>(c.model), *c.batches, c.ranks, c.summation, c.key,
                                            block.as<ScoreMatchingOptions>(), block.as<Options>()...);
           }},
          [](ObjectiveListing const& l) {
            auto const& block = l.deck.at("objective");
            Tiling const tiling = ScoreMatching::tiling(block.as<ScoreMatchingOptions>(), batch_of(l.deck));
            Class::list(l.arrays, as<TrainableScore const>(l.model), l.share(tiling), l.summation, block.as<Options>()...);
            return ObjectiveEntry::Laid{tiling};
          },
          needs<TrainableScore>(),
          false,
          true,
          [](Fit const& fit) {
            fit.attempt_on<TrainableScore>([&](TrainableScore const& model) { Class::require_fit(model, fit.own.as<Options>()...); });
          }};
}

// Entries beside their classes.
ObjectiveEntry contrastive_divergence_objective();
ObjectiveEntry persistent_cd_objective();
ObjectiveEntry pseudo_likelihood_objective();
ObjectiveEntry exact_likelihood_objective();
ObjectiveEntry greedy_cd_objective();
ObjectiveEntry hee_local_objective();
ObjectiveEntry reverse_kl_objective();

}  // namespace partita
