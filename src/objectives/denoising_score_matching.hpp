// Denoising score matching (Vincent 2011): with x~ = x + sigma z, z ~ N(0, I), the minimum of
//
//     J = lambda(sigma) E[ 1/2 |s(x~) + z / sigma|^2 ],    lambda = sigma^2,
//
// is attained by the score of the data with that noise. The gradient of J is that of v.g with v = lambda (g - z/sigma) held fixed, g = -s.
#pragma once
#include "objectives/score_matching.hpp"

namespace partita {

struct DenoisingOptions {
  std::vector<double> sigma = {};
};
deck::Schema denoising_score_matching_schema();

class DenoisingScoreMatching : public ScoreMatching {
 public:
  // Failure(usage) for a model without directional derivatives, and unless exactly one of the model's noise levels and options.sigma is
  // given.
  static void require_fit(TrainableScore const&, DenoisingOptions const&);
  // A model conditioned on noise learns all of its levels, one drawn for each item and update.
  DenoisingScoreMatching(TrainableScore&, data::Batches const&, Communicator, Summation, random::Key, ScoreMatchingOptions,
                         DenoisingOptions);
  static void list(Arrays, TrainableScore const&, Share const&, Summation, DenoisingOptions const&);

 private:
  struct NoiseMemory {
    TileStorage noise, noisy;   // (1, dimension, pitch)
    TileScalarStorage of_lane;  // (1, pitch): sigma
    DeviceVector<Real> levels;  // of the model
    NoiseMemory(Arrays, TrainableScore const&, Tiling const&);
  };

  void add(Points const&, Vector sum) override;
  std::string group_name(Index) const override;
  void set_sigma(Points const&);
  static Derivatives derivatives() { return {1, true}; }

  std::vector<double> sigma_, levels_;  // one per epoch; those of the model
  NoiseMemory noise_memory_;
};

}  // namespace partita
