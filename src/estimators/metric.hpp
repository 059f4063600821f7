// A named number of a run, as in summary.json.
#pragma once
#include <optional>
#include <string>

namespace partita {

struct Metric {
  std::string name;
  double value = 0;
  std::optional<double> error = {};  // standard error, where the value is an estimate
  std::string definition = {};       // one line
};

}  // namespace partita
