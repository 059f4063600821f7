#include "io/history.hpp"

#include <algorithm>
#include <limits>

#include "io/collective_file.hpp"
#include "io/together.hpp"

namespace partita {
namespace {
constexpr double missing = std::numeric_limits<double>::quiet_NaN();
constexpr char step_name[] = "step";
}  // namespace

History::History(RunDirectory run, Communicator ranks, Provenance provenance)
    : run_(std::move(run)), ranks_(std::move(ranks)), provenance_(std::move(provenance)) {}

void History::define(std::string const& name, std::string const& doc, SeriesKind kind) {
  if (!ranks_.is_root()) return;
  require(name != step_name && name.find('/') == std::string::npos, ExitCode::internal, "'{}' is no name for a series of the history",
          name);
  series_[name].doc = doc;
  series_[name].kind = kind;
}

void History::record(Index step, std::vector<std::pair<std::string, double>> const& values) {
  if (!ranks_.is_root()) return;
  Index const last = steps_.empty() ? -1 : steps_.back();
  require(step >= last && step >= 0, ExitCode::internal, "history row of step {} after that of step {}", step, last);
  if (step > last) {
    steps_.push_back(step);
    for (auto& [name, series] : series_) series.values.resize(steps_.size(), missing);
  }
  for (auto const& [name, value] : values) {
    if (!series_.contains(name)) define(name, "");
    auto& column = series_[name].values;
    column.resize(steps_.size(), missing);
    column.back() = value;
  }
}

void History::flush() const {
  on_root(ranks_, [&] {
    write_alone(run_.history(), [&](hdf5::File const& file) {
      describe(file, provenance_);
      auto const step = file.write(step_name, steps_);
      step.make_scale(step_name);
      for (auto const& [name, series] : series_) {
        std::vector<double> values = series.values;
        values.resize(steps_.size(), missing);
        auto const dataset = file.write(name, values);
        dataset.attach_scales({&step});
        dataset.set_attribute("doc", series.doc);
        dataset.set_attribute("timing", std::int32_t{series.kind == SeriesKind::timing});
      }
    });
  });
}

void History::restore(Index last_step) {
  on_root(ranks_, [&] {
    auto const file = hdf5::File::open(run_.history());
    steps_ = file.dataset(step_name).read<Index>();
    auto const rows = std::upper_bound(steps_.begin(), steps_.end(), last_step) - steps_.begin();
    steps_.resize(static_cast<std::size_t>(rows));
    for (std::string const& name : file.names()) {
      if (name == step_name) continue;
      auto const dataset = file.dataset(name);
      if (!series_.contains(name))
        define(name, dataset.text_attribute("doc"), dataset.attribute<std::int32_t>("timing") ? SeriesKind::timing : SeriesKind::result);
      auto values = dataset.read<double>();
      values.resize(static_cast<std::size_t>(rows), missing);
      series_[name].values = std::move(values);
    }
  });
}

}  // namespace partita
