// What an objective's `type` in a deck stands for.
#pragma once
#include <memory>

#include "comm/tile_sums.hpp"
#include "data/batches.hpp"
#include "deck/entry.hpp"
#include "models/fit.hpp"
#include "objectives/objective.hpp"
#include "objectives/score_matching.hpp"
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
struct ObjectiveEntry : deck::Entry<std::unique_ptr<Objective>(ObjectiveContext const&)> {
  Needs needs;  // of the model that it trains
  bool needs_sampler = true, needs_data = true;
  Rule rule = {};
  std::function<bool(deck::Block const&)> has_schedule = {};  // whether an update depends on train.schedule_updates
  bool starts_chains_anew = false;                            // while it trains, which samplers with velocities cannot
};

// Of objectives that match scores.
template <class Class, class... Options>
ObjectiveEntry score_matching_entry(deck::Schema schema) {
  return {{std::move(schema),
           [](ObjectiveContext const& c) {
             auto const& block = c.deck.at("objective");
             return std::make_unique<Class>(as<TrainableScore>(c.model), *c.batches, c.ranks, c.summation, c.key,
                                            block.as<ScoreMatchingOptions>(), block.as<Options>()...);
           }},
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
