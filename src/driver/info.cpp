#include "driver/info.hpp"

#include <filesystem>

#include "core/printable.hpp"
#include "io/hdf5.hpp"
#include "io/run_status.hpp"

namespace partita {
namespace {

void describe_group(hdf5::Group const& group, std::string const& prefix, std::string& out) {
  for (std::string const& name : group.names()) {
    if (group.is_dataset(name)) out += fmt::format("  {:<36} {}\n", prefix + printable(name), group.dataset(name).description());
    else describe_group(group.group(name), prefix + printable(name) + "/", out);
  }
}

std::string describe_hdf5(std::string const& path) {
  hdf5::File const file = hdf5::File::open(path);
  std::string out = path + "\n";
  for (char const* name : {"created_at", "code_version", "machine"})
    if (file.has_attribute(name)) out += fmt::format("  {:<36} {}\n", name, printable(file.text_attribute(name)));
  describe_group(file, "", out);
  return out;
}

std::string describe_run(RunDirectory const& run) {
  std::string out = run.root().string() + "\n";
  if (auto const status = true_status(run)) out += status->json().text();
  for (Path const& folder : {run.checkpoints(), run.samples(), run.estimates()})
    if (std::filesystem::is_directory(folder))
      for (auto const& entry : std::filesystem::directory_iterator(folder))
        out += fmt::format("  {}\n", printable(std::filesystem::relative(entry.path(), run.root()).string()));
  return out;
}

}  // namespace

std::string describe_file(std::string const& path) {
  require_all(std::filesystem::exists(path), ExitCode::data, "{} does not exist; give an HDF5 file or a run directory", path);
  return std::filesystem::is_directory(path) ? describe_run(RunDirectory(path)) : describe_hdf5(path);
}

}  // namespace partita
