#include "estimators/entry.hpp"

#include <algorithm>
#include <cmath>

#include "io/collective_file.hpp"
#include "io/together.hpp"

namespace partita {

void write_estimate(Subject const& s, std::string const& name, std::function<void(hdf5::File const&)> const& content) {
  on_root(s.samples.ranks, [&] {
    write_alone(s.directory.estimate(name), [&](hdf5::File const& file) {
      describe(file, s.provenance);
      content(file);
    });
  });
}

Metrics with_reason(Metrics metrics, std::string const& reason) {
  auto const unknown = [](Metric const& m) { return m.error && std::isnan(*m.error); };
  auto const first = std::find_if(metrics.begin(), metrics.end(), unknown);
  if (first == metrics.end()) return metrics;
  auto const others = std::count_if(first + 1, metrics.end(), unknown);
  first->warning = fmt::format("its error is not known{}: {}", others ? fmt::format(", nor are those of {} more", others) : "", reason);
  return metrics;
}

}  // namespace partita
