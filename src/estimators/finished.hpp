// What the estimators of a run had found when it was stopped among them: a run that goes on takes it over, and computes the rest.
#pragma once
#include <optional>
#include <vector>

#include "deck/document.hpp"
#include "estimators/metric.hpp"
#include "io/inputs.hpp"
#include "io/provenance.hpp"
#include "io/run_directory.hpp"

namespace partita {

// Kept in RunDirectory::finished_estimators(), for what the numbers depend on: the deck but for keys that change no results, the inputs and
// the version.
class FinishedEstimators {
 public:
  // Collective.
  FinishedEstimators(Communicator, RunDirectory const&, deck::Document const&, Inputs const&, Provenance const&);
  // Of the estimator of this section; none where it has not finished.
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
  std::string of_;  // a hash of what the numbers depend on beside their own section
  std::vector<Finished> finished_;
};

}  // namespace partita
