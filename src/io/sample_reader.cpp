#include "io/sample_reader.hpp"

#include "io/run_directory.hpp"

namespace partita {
namespace fs = std::filesystem;
namespace {

constexpr char posterior[] = "posterior/";

Path sample_file(Path const& path) {
  std::error_code absent;
  if (!fs::is_directory(path, absent)) return path;
  Path const file = RunDirectory(path).all_samples();
  require(
      fs::exists(file, absent), ExitCode::data,
      "{} holds no samples.h5 (no samples have been written yet, or it is not a run directory); name a run that has samples, or an HDF5 "
      "file of points",
      path.string());
  return file;
}
hdf5::Dataset choose(hdf5::File const& file, std::string const& name) {
  if (!name.empty()) return file.dataset(name);
  if (file.has("posterior/x")) return file.dataset("posterior/x");
  std::vector<std::string> datasets;
  for (std::string const& n : file.names())
    if (file.is_dataset(n)) datasets.push_back(n);
  require(datasets.size() == 1, ExitCode::data, "{}: no posterior/x, but {} other datasets ({}): name one of them", file.where(),
          datasets.size(), fmt::join(datasets, ", "));
  return file.dataset(datasets[0]);
}

}  // namespace

SampleReader::SampleReader(Path const& path, std::string const& name)
    : file_(hdf5::File::open(sample_file(path))), dataset_(choose(file_, name)) {
  hdf5::Extents const extents = dataset_.extents();
  bool const of_run = file_.has("posterior/draw") && dataset_.name().starts_with(posterior);
  require(!extents.empty() && (!of_run || extents.size() == 3) && dataset_.size() > 0, ExitCode::data,
          "{}: found {}, wanted {}; name another dataset", dataset_.where(), dataset_.description(),
          of_run ? "(chain, draw, dimension), not empty" : "points by row, not empty");
  chains_ = extents[0];
  if (of_run) {
    draws_ = extents[1];
    draw_labels_ = file_.dataset("posterior/draw").read<Index>();
  }
  dimension_ = dataset_.size() / (chains_ * draws_);
  for (std::string const& part : dataset_.sources())
    require(fs::exists(fs::path(file_.where()).parent_path() / part), ExitCode::data,
            "{}: its part {} is missing; copy it there, or the whole run", file_.where(), part);
}

void SampleReader::refuse(Index number, double value) const {
  Index const point = number / dimension_;
  fail(ExitCode::data,
       fmt::format("{}: {}, entry {} is {} when read; points must be finite in single precision", dataset_.where(),
                   draws_ == 1 ? fmt::format("point {}", point) : fmt::format("chain {}, draw {}", point / draws_, point % draws_),
                   number % dimension_, value));
}

bool SampleReader::has_statistic(std::string const& name) const { return !draw_labels_.empty() && file_.has("sample_stats/" + name); }

std::vector<double> SampleReader::read_statistic(std::string const& name, Index first, Index count) const {
  auto const dataset = file_.dataset("sample_stats/" + name);
  require(dataset.extents() == hdf5::Extents{chains_, draws_}, ExitCode::data, "{}: found {}, wanted ({}, {})", dataset.where(),
          dataset.description(), chains_, draws_);
  std::vector<double> values(count * draws_);
  dataset.read_rows(first, count, hdf5::native_type<double>(), values.data());
  return values;
}

}  // namespace partita
