// The keys of [sampler] that all samplers share.
#pragma once
#include <string>
#include <vector>

#include "deck/schema.hpp"
#include "samplers/chains.hpp"

namespace partita {

// Bounds for large keys: products with a model's dimension stay within 64 bits, and random numbers suffice.
constexpr double most_chains = 4294967296, most_steps = 1099511627776;
// The product of two counts, or the largest Index if that is smaller.
Index product_or_most(Index, Index);

struct ChainOptions {
  Index chains = 1024;
  Index steps = 10000;
  Index warmup = 1000;
  Index thin = 100;
  Index tile_width = 0;
  std::string initial = "normal";
  double initial_scale = 1;
  double initial_centre = 0;
  std::string on_nonfinite = "stop";
  InitialDistribution distribution() const;
  // The deck's width, or the default for this many chains of this dimension.
  Index width(Index of_chains, Index dimension, Index rows_per_dimension) const;
};
std::vector<deck::Key> chain_keys();

}  // namespace partita
