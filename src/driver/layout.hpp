// How a task lays out its chains, draws and parameters in memory, from its options alone.
#pragma once
#include "core/arrays.hpp"
#include "driver/settings.hpp"
#include "io/samples.hpp"
#include "models/model.hpp"
#include "samplers/chain_options.hpp"
#include "samplers/sampler.hpp"

namespace partita {

Tiling sampling_tiling(ChainOptions const&, Model const&, Sampler const&);

// What the draws of chains consist of: x, and these numbers of each.
std::vector<SampleStatistic> sampling_statistics(bool has_energy);
std::vector<SampleStatistic> training_statistics();
SampleFormat chains_format(OutputOptions const&, Share const&, Index dimension, std::vector<SampleStatistic>);

// A number of each chain, (tile, pitch).
struct SamplingScalars {
  TileScalarStorage energy, acceptance, diverging;
  SamplingScalars(Arrays, Share const&);
};
// Beside a model's own parameters: their running mean, and those of samples and estimates.
struct TrainingParameters {
  Vector average, estimate;
  TrainingParameters(Arrays, Index count);
};

}  // namespace partita
