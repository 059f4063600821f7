#include "driver/info.hpp"

#include <filesystem>

#include "io/hdf5.hpp"
#include "io/run_directory.hpp"

namespace partita {
namespace {

std::string describe_hdf5(std::string const& path) {
  hdf5::File const file = hdf5::File::open(path);
  std::string out = path + "\n";
  for (char const* name : {"created_at", "code_version", "machine"})
    if (file.has_attribute(name)) out += fmt::format("  {:<36} {}\n", name, file.text_attribute(name));
  constexpr std::size_t most = 10000;
  auto const datasets = file.datasets(most);
  for (std::string const& path : datasets) out += fmt::format("  {:<36} {}\n", path, file.dataset(path).description());
  if (datasets.size() == most) out += "  ...\n";
  return out;
}

std::string describe_run(RunDirectory const& run) {
  std::string out = run.root().string() + "\n";
  if (std::filesystem::exists(run.status())) out += read_text(run.status());
  for (Path const& folder : {run.checkpoints(), run.samples(), run.estimates()})
    if (std::filesystem::is_directory(folder))
      for (auto const& entry : std::filesystem::directory_iterator(folder))
        out += fmt::format("  {}\n", std::filesystem::relative(entry.path(), run.root()).string());
  return out;
}

}  // namespace

std::string describe_file(std::string const& path) {
  try {
    require_all(std::filesystem::exists(path), ExitCode::data, "{} does not exist; give an HDF5 file or a run directory", path);
    return std::filesystem::is_directory(path) ? describe_run(RunDirectory(path)) : describe_hdf5(path);
  } catch (std::filesystem::filesystem_error const& error) {
    fail(ExitCode::data, fmt::format("{}: cannot be looked at ({})", path, error.code().message()), FailedOn::all_ranks);
  }
}

}  // namespace partita
