// The deck's estimators, applied to the samples of a run or to sample files.
#pragma once
#include "data/dataset.hpp"
#include "driver/task.hpp"
#include "models/model.hpp"
#include "samplers/sampler.hpp"

namespace partita {

// [input]: the points that the task "estimate" examines.
struct InputOptions {
  std::string path;
  std::string dataset;
};
deck::Section input_section();
deck::Section estimator_section();

// Warning for samples of a flow.
constexpr char weights_left_out[] =
    "the samples have importance weights (log_weight), which estimators of samples do not use: their numbers are the flow's, not its "
    "target's; use generator.type = \"flow_metropolis\", or the estimator \"flow\"";
// As many of so many chains as say whether all have converged, of a run that is not read back otherwise: a limit to time and memory.
Index chains_judged(Index chains, Index draws, Index dimension);

bool asks_for_convergence(deck::Document const&);
// Whether the deck has estimators of samples.
bool looks_at_samples(deck::Document const&);

// Runs the [[estimator]] blocks; each is given what it needs of these.
struct Evaluation {
  RunContext const& context;
  Model* model;                         // null: none
  Sampler const* sampler = nullptr;     // of the run, for stationary_covariance
  data::Dataset const* data = nullptr;  // of [data]

  // On the samples that this run has just written, whose chains have this tiling; the last `draws` draws, 0: all. Without samples only the
  // estimators that need none run. Collective.
  Results of_run(Tiling const&, Index draws = 0) const;
  // On the points of [input], if the deck has that.
  Results of_input() const;

 private:
  void add_warnings_of_data(Results&) const;
};

}  // namespace partita
