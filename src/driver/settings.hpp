// The sections of a deck that belong to the run itself, not to a registry entry.
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

// What samplers share, whatever their type.
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

// What generators share, whatever their type.
struct GeneratorOptions {
  Index samples = 1024;
  Index tile_width = 0;
};
std::vector<deck::Key> generator_keys();

// Lanes of a tile of an hee, whose products with W want wide tiles whatever the state's size: `asked`, or 0: a default.
Index hee_width(Index asked, Index chains);
// The same of a flow.
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
  // Over which learning rates, annealing and layers are laid out, whatever the length of the run.
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
  // "1000 steps" or a duration; one of the two is set.
  std::optional<Index> every_steps() const;
  std::optional<double> every_seconds() const;
};
deck::Section checkpoint_section();

}  // namespace partita
