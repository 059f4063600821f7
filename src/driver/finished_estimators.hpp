// What the estimators of a run had found when it was stopped among them: a run that goes on takes it over, and computes the rest.
#pragma once
#include <optional>
#include <vector>

#include "driver/task.hpp"
#include "estimators/metric.hpp"

namespace partita {

// Kept in RunDirectory::finished_estimators(), for the same deck, inputs and version, all of whose numbers are the same bits again.
class FinishedEstimators {
 public:
  // Collective.
  explicit FinishedEstimators(RunContext const&);
  // Of the estimator at this place in the deck; none where it has not finished.
  std::optional<std::vector<Metric>> find(std::size_t place) const;
  // Collective.
  void add(std::size_t place, std::vector<Metric> const&);

 private:
  struct Finished {
    std::size_t place;
    std::vector<Metric> metrics;
  };
  RunContext const& run_;
  std::string of_;  // what the numbers depend on
  std::vector<Finished> finished_;
};

}  // namespace partita
