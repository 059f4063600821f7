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
  // Of the error: (value - truth) / error follows about Student's law with so many.
  double degrees_of_freedom = std::numeric_limits<double>::infinity();
};

// What is not known is NaN, null in summary.json, and `warning` says why.
struct Metric {
  std::string name;
  double value = 0;
  std::optional<double> error = {};  // standard error, where the value is an estimate
  std::string definition = {};       // one line
  std::string warning = {};          // what is wrong with this number, and what to do; a sentence without its full stop; empty: nothing
  double degrees_of_freedom = std::numeric_limits<double>::infinity();  // of the error, whose quantiles are Student's
};

// A value that is not known has no error either.
inline Metric metric(std::string name, Estimate const& e, std::string definition, std::string warning = {}) {
  return {std::move(name),     e.value, std::isnan(e.value) ? e.value : e.error, std::move(definition), std::move(warning),
          e.degrees_of_freedom};
}

// What a run ends with.
struct Results {
  std::vector<Metric> metrics;
  std::vector<std::string> warnings;      // about the whole, in the form of Metric::warning
  std::vector<std::string> not_examined;  // what could be wrong and nothing here would show, in the same form

  // What a sampler or generator says of itself comes before the estimators' numbers.
  template <class Result>
  void put_first(std::vector<Result> const& results) {
    std::vector<Metric> first;
    for (Result const& r : results) first.push_back({r.name, r.value, {}, r.definition, r.warning});
    metrics.insert(metrics.begin(), first.begin(), first.end());
  }
};

}  // namespace partita
