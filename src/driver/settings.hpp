// The sections of a deck that belong to the run itself, not to a registry entry.
#pragma once
#include <optional>

#include "deck/document.hpp"
#include "samplers/chains.hpp"

namespace partita {

struct RunOptions {
  std::string task;
  std::uint64_t seed = 0;
  std::string output;
  bool reproducible = false;
  std::string walltime;
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
  InitialDistribution distribution() const;
  // The deck's width, or the default for this many chains of this dimension; Failure(usage) where it is no multiple of lane_quantum.
  Index width(Index of_chains, Index dimension, Index rows_per_dimension) const;
};
std::vector<deck::Key> chain_keys();

struct TrainOptions {
  Index batch = 256;
  Index updates = 10000;
  double average = 0.999;
  std::string keep_best = "never";
  Index validate_every = 500;
  Index validation_points = 1000;
  double divergence_bound = 1e4;
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
