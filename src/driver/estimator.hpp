// The entries of the table of estimators; each group of estimators has its own file.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "driver/evaluation.hpp"
#include "driver/registry.hpp"
#include "estimators/sample_set.hpp"

namespace partita {

// The input of an estimator.
struct Subject {
  Evaluation const& evaluation;
  SampleSet const& samples;
};

enum class LooksAt { samples, model_or_data };

struct EstimatorEntry {
  deck::Schema schema;
  std::function<std::vector<Metric>(Subject const&, deck::Block const&)> compute;  // collective
  LooksAt looks_at = LooksAt::samples;
  Needs needs = {};         // of the model; none: it needs none, or takes any
  bool needs_data = false;  // [data]
  Rule rule = {};
};

std::vector<EstimatorEntry> sample_estimators();
std::vector<EstimatorEntry> model_estimators();
std::vector<EstimatorEntry> flow_estimators();
std::vector<EstimatorEntry> hee_item_estimators();
std::vector<EstimatorEntry> hee_model_estimators();
std::vector<EstimatorEntry> machine_estimators();
std::vector<EstimatorEntry> likelihood_estimators();
std::vector<EstimatorEntry> hopfield_estimators();
std::vector<EstimatorEntry> ratings_estimators();

std::vector<EstimatorEntry> const& estimators();  // all of them
EstimatorEntry const& estimator_named(std::string const& type);

// Warnings about the chains' convergence from the energy and the first coordinates, as by the estimator "convergence"; `copies`: how many
// chains each one here represents. `model`: what was sampled, null where it is not known. Collective.
std::vector<std::string> convergence_warnings(SampleSet const&, Model const* model, double copies);

// A warning where rounding hides the variation of the energy or of a coordinate, which is only a few steps of single precision; empty:
// none. Collective.
std::string rounding_warning(SampleSet const&);

// estimates/<name>.h5 of the run, with its provenance, written by the root. Collective.
void write_estimate(Subject const&, std::string const& name, std::function<void(hdf5::File const&)> const& content);

// E(x) at points (point, dimension), a tile at a time on this rank.
std::vector<double> energies(EnergyModel&, std::vector<double> const& points);

}  // namespace partita
