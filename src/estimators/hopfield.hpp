// How well Hopfield networks recall the patterns that they store.
#pragma once
#include <vector>

#include "comm/communicator.hpp"
#include "estimators/sample_set.hpp"
#include "models/modern_hopfield.hpp"

namespace partita {

struct RecallOptions {
  Index units = 3000, patterns = 0;
  Index networks = 5, sweeps = 50;
};
// The overlap (1/N) xi . s of a stored pattern with the state after 0, 1, ..., `sweeps` parallel sweeps at T = 0 that start at the pattern:
// mean over the patterns of a network and then over networks of independent random patterns, numbered from first_network; the standard
// error is from the spread of the networks. Collective; the same bits on any number of ranks.
std::vector<Estimate> recall_overlaps(RecallOptions const&, random::Key, Index first_network, Communicator const&);

struct RetrievalOptions {
  double beta = 1;
  Index queries = 10000;  // patterns shown, in order, starting over where there are fewer
  double noise = 0.5;
};
// Results of one update from noisy patterns, x_i + noise N(0, I), for each query.
struct Retrieval {
  std::vector<double> overlap;   // cosine of the angle between result and pattern
  std::vector<double> distance;  // |result - pattern| / |pattern|
};
// Collective; all queries on every rank, the same bits on any number of ranks. The model's work memory is reserved here.
Retrieval retrieve(ModernHopfield&, RetrievalOptions const&, random::Key, Communicator const&);

}  // namespace partita
