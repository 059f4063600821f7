// The sections of a deck that belong to the run itself rather than to a registry entry.
#pragma once
#include <optional>

#include "comm/tile_sums.hpp"
#include "deck/document.hpp"
#include "samplers/chains.hpp"

namespace partita {

struct RunOptions {
  std::string task;
  std::uint64_t seed = 0;
  std::string output;
  bool reproducible = false;
  std::string walltime;
  std::string watchdog = "10min";
  Summation summation() const { return reproducible ? Summation::reproducible : Summation::fast; }
};
deck::Section run_section();

// Keys that all samplers share.
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

// Keys that all generators share.
struct GeneratorOptions {
  Index samples = 1024;
  Index tile_width = 0;
};
std::vector<deck::Key> generator_keys();

// Lanes of a tile of an hee: `asked`, or for 0 a default. Its products with W need wide tiles for any size of the state.
Index hee_width(Index asked, Index chains);
// The same for a flow.
Index flow_width(Index asked, Index samples);

struct TrainOptions {
  Index batch = 256;
  Index updates = 10000;
  Index schedule_updates = 0;
  double average_decay = 0.999;
  std::string on_divergence = "stop";
  Index rollbacks = 5;
  std::string keep_best = "never";
  Index validate_every = 500;
  Index validation_points = 1000;
  // Number of updates over which learning rates, annealing and layers are scheduled, for any length of the run.
  Index schedule_length() const { return schedule_updates > 0 ? schedule_updates : updates; }
};
deck::Section train_section();

struct OutputOptions {
  Index history_every = 0;
  Index samples_every = 0;
  Index draws_per_part = 0;
  std::string progress = "10s";
};
deck::Section output_section();

struct CheckpointOptions {
  std::string every = "5min";
  int keep = 2;
  // `every` is "1000 steps" or a duration: exactly one of the two is set.
  std::optional<Index> every_steps() const;
  std::optional<double> every_seconds() const;
};
deck::Section checkpoint_section();

}  // namespace partita
