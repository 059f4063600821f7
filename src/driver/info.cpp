#include "driver/info.hpp"

#include <filesystem>

#include "core/printable.hpp"
#include "driver/settings.hpp"
#include "io/hdf5.hpp"
#include "io/run_status.hpp"

namespace partita {
namespace {

std::string describe_hdf5(std::string const& path) {
  hdf5::File const file = hdf5::File::open(path);
  std::string out = path + "\n";
  for (char const* name : {"created_at", "code_version", "machine"})
    if (file.has_attribute(name)) out += fmt::format("  {:<36} {}\n", name, printable(file.text_attribute(name)));
  constexpr std::size_t most = 10000;
  auto const datasets = file.datasets(most);
  for (std::string const& name : datasets) out += fmt::format("  {:<36} {}\n", printable(name), file.dataset(name).description());
  if (datasets.size() == most) out += "  ...\n";
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

std::string describe_deck(deck::Document const& deck) {
  std::string out = deck.title.empty() ? "" : printable(deck.title) + "\n";
  auto const add = [&out](std::string const& what, std::string const& is) { out += fmt::format("  {:<36} {}\n", what, is); };
  auto const run = deck.at("run").as<RunOptions>();
  add("task", run.task);
  for (deck::Block const& b : deck.blocks)
    if (b.given && !b.type.empty()) add(b.section, b.type);
  RunDirectory const directory(run.output);
  auto const status = true_status(directory);
  add("run directory", printable(run.output) + (status ? " (" + status->status + ")" : " (no run yet)"));
  return out;
}

}  // namespace partita
