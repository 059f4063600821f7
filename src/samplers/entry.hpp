// What a sampler's `type` in a deck stands for.
#pragma once
#include <memory>

#include "deck/entry.hpp"
#include "models/fit.hpp"
#include "samplers/sampler.hpp"

namespace partita {

// Dynamics that belong to one model have no `make`: the objectives and generators of that model make them.
struct SamplerEntry : deck::Entry<std::unique_ptr<Sampler>(deck::Block const&)> {
  Needs needs;  // of the model that it moves
  Rule rule = {};
  bool keeps_velocity = false;
};

template <class Class, class Options>
SamplerEntry sampler_entry(deck::Schema schema, Needs const& needed, Rule rule = {}) {
  SamplerEntry entry{
      {std::move(schema), [](deck::Block const& b) { return std::make_unique<Class>(b.as<Options>()); }}, needed, std::move(rule)};
  if constexpr (requires { typename Class::Scheme; }) entry.keeps_velocity = Class::Scheme::keeps_velocity;
  return entry;
}

// Entries beside their classes.
SamplerEntry mclmc_sampler();
SamplerEntry mams_sampler();
SamplerEntry gibbs_sampler();
SamplerEntry replica_exchange_sampler();
SamplerEntry trajectory_tempering_sampler();
SamplerEntry hee_langevin_sampler();

}  // namespace partita
