// The sections of a deck that belong to the run itself rather than to a registry entry.
#pragma once
#include <optional>

#include "comm/tile_sums.hpp"
#include "deck/document.hpp"

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
