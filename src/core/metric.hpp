// Numbers with their errors, and their names in summary.json.
#pragma once
#include <cmath>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace partita {

struct Estimate {
  double value = 0;
  double error = 0;  // standard error; NaN where it is not known
  // Of the error: (value - truth) / error approximately follows Student's t distribution with this number.
  double degrees_of_freedom = std::numeric_limits<double>::infinity();
};

// An unknown value or error is NaN, null in summary.json, and `warning` says why.
struct Metric {
  std::string name;
  double value = 0;
  std::optional<double> error = {};  // standard error, where the value is an estimate
  std::string definition = {};       // one line
  std::string warning = {};          // what is wrong with this number, and what to do; a sentence without a full stop; empty: nothing
  double degrees_of_freedom = std::numeric_limits<double>::infinity();  // of the error, as in Estimate
};

// The error is left out where the value is not known.
inline Metric metric(std::string name, Estimate const& e, std::string definition, std::string warning = {}) {
  return {std::move(name),     e.value, std::isnan(e.value) ? e.value : e.error, std::move(definition), std::move(warning),
          e.degrees_of_freedom};
}

// The results of a run.
struct Results {
  std::vector<Metric> metrics;
  std::vector<std::string> warnings;      // about the run as a whole, in the form of Metric::warning
  std::vector<std::string> not_examined;  // what could be wrong without being noticed here, in the same form

  // Puts the results of a sampler or generator before the estimators' metrics.
  void put_first(std::vector<Metric> const& first) { metrics.insert(metrics.begin(), first.begin(), first.end()); }
};

}  // namespace partita
