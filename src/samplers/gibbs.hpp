// Gibbs sampling (Geman and Geman 1984): a step is one sweep over all blocks of units, each drawn given all others.
#pragma once
#include "models/gibbs_model.hpp"
#include "samplers/sampler.hpp"

namespace partita {

struct GibbsOptions {};
deck::Schema gibbs_schema();

class Gibbs : public Sampler {
 public:
  // Samples p_beta of the model's path.
  explicit Gibbs(GibbsOptions const& = {}, double beta = 1) : Sampler(0, 1 / beta) {}
  void prepare(Model const&, Chains&, random::Key) override;
  using Sampler::advance;
  void advance(Model const&, Chains&, random::Key, TileRange local, Index first_step, Index steps) override;
  Index work_rows(Index) const override { return 0; }
  void list(Arrays, Model const&, Share const&) const override {}
  void describe_state(State&) override {}
};

// The model as a GibbsModel; Failure(usage) where it is none.
GibbsModel const& units_of(Model const&);

}  // namespace partita
