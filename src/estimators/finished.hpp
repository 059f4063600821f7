// Results of the estimators that had finished when a run was stopped: a continued run takes them over and computes the rest.
#pragma once
#include <optional>
#include <vector>

#include "core/metric.hpp"
#include "deck/document.hpp"
#include "io/inputs.hpp"
#include "io/provenance.hpp"
#include "io/run_directory.hpp"

namespace partita {

// Kept in RunDirectory::finished_estimators(), with a hash of what the results depend on: the deck without keys that change no results, the
// inputs and the version.
class FinishedEstimators {
 public:
  // Collective.
  FinishedEstimators(Communicator, RunDirectory const&, deck::Document const&, Inputs const&, Provenance const&);
  // The metrics of the estimator in this section; none where it has not finished.
  std::optional<std::vector<Metric>> find(deck::Block const&) const;
  // Collective.
  void add(deck::Block const&, std::vector<Metric> const&);

 private:
  struct Finished {
    std::string estimator;  // its section
    std::vector<Metric> metrics;
  };
  Communicator ranks_;
  Path file_;
  std::string of_;  // a hash of what the results depend on apart from the estimator's own section
  std::vector<Finished> finished_;
};

}  // namespace partita
