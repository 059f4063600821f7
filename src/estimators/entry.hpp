// What an estimator's `type` in a deck stands for, and what it is given.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/arrays.hpp"
#include "data/dataset.hpp"
#include "data/load.hpp"
#include "deck/entry.hpp"
#include "estimators/sample_set.hpp"
#include "io/provenance.hpp"
#include "io/run_directory.hpp"
#include "models/fit.hpp"
#include "samplers/sampler.hpp"

namespace partita {

using Metrics = std::vector<Metric>;

// The input of an estimator. Its ranks are those of the samples, all of the run's.
struct Subject {
  deck::Document const& deck;
  random::Key key;
  SampleSet const& samples;                                           // without chains where there are none
  Model* model;                                                       // null: none
  Sampler const* sampler;                                             // of the run, for stationary_covariance; null: none
  data::Dataset const* data;                                          // of [data]; null: none
  std::function<std::unique_ptr<DifferentiableModel>()> make_target;  // the energy of [target]; collective
  RunDirectory const& directory;                                      // where its files go
  Provenance const& provenance;                                       // which they bear
};

// An estimator's arrays on a rank, from the deck alone.
struct EstimatorListing {
  deck::Block const& block;
  Model const* model;      // null: none
  data::Size const* data;  // of [data]; null: none, or not known
  Index ranks;
  Arrays arrays;
  // Entries of a point.
  Index dimension() const { return data ? data->entries : model ? model->dimension() : 0; }
};

enum class LooksAt { samples, model_or_data };

struct EstimatorEntry {
  deck::Schema schema;
  std::function<Metrics(Subject const&, deck::Block const&)> compute;  // collective
  LooksAt looks_at = LooksAt::samples;
  Needs needs = {};         // of the model; none: it needs none, or takes any
  bool needs_data = false;  // [data]
  Rule rule = {};
  // Lists what it holds beside the samples; none: little.
  std::function<void(EstimatorListing const&)> list = {};
};

// estimates/<name>.h5 of the run, with its provenance, written by the root. Collective.
void write_estimate(Subject const&, std::string const& name, std::function<void(hdf5::File const&)> const& content);

// Adds the reason why metrics have no error to the first such metric of an estimator.
Metrics with_reason(Metrics, std::string const& reason);

// Entries, beside their numerics.
EstimatorEntry moments_estimator();
EstimatorEntry probability_estimator();
EstimatorEntry covariance_estimator();
EstimatorEntry convergence_estimator();
EstimatorEntry energy_distance_estimator();
EstimatorEntry sliced_wasserstein_estimator();
EstimatorEntry energies_estimator();
EstimatorEntry energy_grid_estimator();
EstimatorEntry score_grid_estimator();
EstimatorEntry observed_data_estimator();
EstimatorEntry flow_estimator();
EstimatorEntry log_likelihood_estimator();
EstimatorEntry reconstruction_estimator();
EstimatorEntry hee_hessian_estimator();
EstimatorEntry hee_relaxation_estimator();
EstimatorEntry magnetisation_estimator();
EstimatorEntry ais_estimator();
EstimatorEntry dbn_likelihood_estimator();
EstimatorEntry exact_log_z_estimator();
EstimatorEntry pseudo_likelihood_estimator();
EstimatorEntry free_energy_gap_estimator();
EstimatorEntry hopfield_capacity_estimator();
EstimatorEntry modern_retrieval_estimator();
EstimatorEntry ratings_estimator();

}  // namespace partita
