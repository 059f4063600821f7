#include "io/history.hpp"

#include <algorithm>
#include <limits>

#include "core/log.hpp"
#include "io/collective_file.hpp"
#include "io/manifest.hpp"
#include "io/together.hpp"

namespace partita {
namespace {
constexpr double missing = std::numeric_limits<double>::quiet_NaN();
constexpr char step_name[] = "step";
}  // namespace

History::History(RunDirectory run, Communicator ranks, Provenance provenance)
    : run_(std::move(run)), ranks_(std::move(ranks)), provenance_(std::move(provenance)) {}

void History::define(std::string const& name, std::string const& doc, SeriesKind kind, std::string const& former_name) {
  if (!ranks_.is_root()) return;
  require(name != step_name && name.find('/') == std::string::npos, ExitCode::internal,
          "'{}' is not allowed as the name of a history series", name);
  series_[name].doc = doc;
  series_[name].kind = kind;
  series_[name].former_name = former_name;
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

void History::write(hdf5::File const& file) const {
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
}

void History::flush() const {
  Path const file = run_.history(), earlier = run_.earlier_history();
  auto const seal = with_manifest(file, ranks_, {.code_version = provenance_.code_version});
  write_alone(
      file, ranks_, [&](hdf5::File const& to) { write(to); },
      [&](Path const& temporary) {
        on_root(ranks_, [&] {
          keep_second_name(file, earlier);
          keep_second_name(manifest_of(file), manifest_of(earlier));
        });
        seal(temporary);
      });
}

std::string History::present_name(std::string const& in_file) const {
  auto const renamed = std::find_if(series_.begin(), series_.end(), [&](auto const& s) { return s.second.former_name == in_file; });
  return renamed == series_.end() ? in_file : renamed->first;
}

void History::read(Path const& path, Index last_step) {
  auto const file = hdf5::File::open(path);
  steps_ = file.dataset(step_name).read<Index>();
  auto const rows = std::upper_bound(steps_.begin(), steps_.end(), last_step) - steps_.begin();
  steps_.resize(rows);
  for (std::string const& in_file : file.names()) {
    if (in_file == step_name) continue;
    auto const dataset = file.dataset(in_file);
    std::string const name = present_name(in_file);
    if (!series_.contains(name))
      define(name, dataset.text_attribute("doc"), dataset.attribute<std::int32_t>("timing") ? SeriesKind::timing : SeriesKind::result);
    auto values = dataset.read<double>();
    values.resize(rows, missing);
    series_[name].values = std::move(values);
  }
}

void History::restore(Index last_step) {
  for (Path const& path : {run_.history(), run_.earlier_history()}) try {
      verify(path, ranks_);
      on_root(ranks_, [&] { read(path, last_step); });
      if (path != run_.history()) log::warning("the history is restored from {}: rows of later steps are lost", path.string());
      return;
    } catch (Failure const& failure) {
      if (failure.code() != ExitCode::data) throw;
      log::warning("skipping a history that cannot be read: {}", failure.what());
    }
  log::warning("the rows of {} before step {} are lost; nothing else is", run_.history().string(), last_step);
  steps_.clear();
  for (auto& [name, series] : series_) series.values.clear();
}

}  // namespace partita
