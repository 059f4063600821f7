#include "io/run_directory.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <climits>
#include <cstring>

#include "core/log.hpp"
#include "core/printable.hpp"
#include "io/together.hpp"

namespace partita {
namespace fs = std::filesystem;
namespace {

constexpr char mark_title[] = "partita run directory 1";
constexpr char mark_text[] =
    "partita run directory 1\nThis directory belongs to a run of Partita, which replaces and removes the files in it that have names of "
    "its own.\n";

// Names of the files that estimators write to estimates/, without extension.
constexpr std::array estimate_names{"energies",          "energy_grid",     "flow_histogram",   "hessian",
                                    "hopfield_capacity", "log_likelihood",  "modern_retrieval", "observed_data",
                                    "ratings",           "reconstructions", "relaxation",       "score_grid"};

// Names of files that are numbered: "step-0000000000400.h5".
struct Numbered {
  std::string_view prefix;
  int digits;
  std::string name(Index n, std::string_view extension) const { return fmt::format("{}{:0{}}{}", prefix, n, digits, extension); }
  // The number in a name of exactly this format; none for any other name.
  std::optional<Index> number(std::string const& name_of_file, std::string_view extension) const {
    if (!name_of_file.starts_with(prefix) || !name_of_file.ends_with(extension)) return {};
    Index n = -1;
    char const *const first = name_of_file.data() + prefix.size(), *const last = name_of_file.data() + name_of_file.size();
    std::from_chars(first, last, n);
    return n >= 0 && name_of_file == name(n, extension) ? std::optional(n) : std::nullopt;
  }
  std::vector<Index> numbers(Path const& folder, std::string_view extension) const {
    std::vector<Index> found;
    std::error_code absent;
    for (auto const& entry : fs::directory_iterator(folder, absent))
      if (auto const n = number(entry.path().filename().string(), extension)) found.push_back(*n);
    std::sort(found.begin(), found.end(), std::greater<>());
    return found;
  }
};
constexpr Numbered checkpoint_files{"step-", 13}, part_files{"part-", 6};

// If our longest file name did not fit, the first checkpoint would fail.
void require_short(Path const& root) {
  constexpr std::size_t longest_own_name = 64;  // "checkpoints/step-0000000000000.manifest.writing-00000000", with a margin
  std::error_code unknown;
  std::size_t const length = fs::absolute(root, unknown).native().size();
  require(length + longest_own_name < PATH_MAX, ExitCode::usage,
          "the path of the run directory has {} characters, but the system allows only {}; choose a shorter run.output", length,
          PATH_MAX - longest_own_name);
  for (Path const& part : root)
    require(part.native().size() <= NAME_MAX, ExitCode::usage,
            "a name in the path of the run directory has {} characters, but file systems allow only {}; choose a shorter run.output ({})",
            part.native().size(), NAME_MAX, root.string());
}

void make_folder(Path const& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  // create_directories reports no error where the last component is an existing file.
  if (!error && !fs::is_directory(folder)) error = std::make_error_code(std::errc::not_a_directory);
  require(!error, ExitCode::storage, "cannot make the run directory {} ({}), choose another run.output", folder.string(),
          storage_reason(folder, error.value()));
}

}  // namespace

void RunDirectory::require_possible() const {
  std::string const name = root_.string();
  require(!name.empty(), ExitCode::usage, "run.output is empty; name a directory");
  require(printable(name) == name, ExitCode::usage,
          "run.output = \"{}\" has control characters, which no message could show; choose another", printable(name));
  require_short(root_);
}

void RunDirectory::require_writable() const {
  std::error_code absent;
  Path there = fs::absolute(root_);
  while (!fs::exists(fs::symlink_status(there, absent)) && there.has_relative_path()) there = there.parent_path();
  require(fs::is_directory(there, absent), ExitCode::storage, "{} cannot be made: {} is not a directory; choose another run.output",
          root_.string(), there.string());
  require(::access(there.c_str(), W_OK | X_OK) == 0, ExitCode::storage, "{} cannot be written to: {} ({}); choose another run.output",
          root_.string(), there.string(), std::strerror(errno));
}

Path RunDirectory::checkpoint(Index step) const { return checkpoints() / checkpoint_files.name(step, ".h5"); }
Path RunDirectory::part(Index number) const { return samples() / part_files.name(number, ".h5"); }
Path RunDirectory::estimate(std::string const& name) const {
  require(std::find(estimate_names.begin(), estimate_names.end(), name) != estimate_names.end(), ExitCode::internal,
          "'{}' is missing in the list of the files in estimates/", name);
  return estimates() / (name + ".h5");
}
std::vector<Index> RunDirectory::checkpoint_steps(std::string const& extension) const {
  return checkpoint_files.numbers(checkpoints(), extension);
}
std::vector<Index> RunDirectory::part_numbers(std::string const& extension) const { return part_files.numbers(samples(), extension); }

bool RunDirectory::is_own_name(Path const& folder, std::string const& name) const {
  auto const numbered = [&](Numbered const& files) { return files.number(name, ".h5") || files.number(name, ".manifest"); };
  if (folder == checkpoints()) return numbered(checkpoint_files);
  if (folder == samples()) return numbered(part_files);
  if (folder == estimates())
    return std::any_of(estimate_names.begin(), estimate_names.end(), [&](char const* own) { return name == std::string(own) + ".h5"; });
  auto const own = {mark(),
                    deck(),
                    log(),
                    lock(),
                    alive(),
                    status(),
                    summary(),
                    finished_estimators(),
                    history(),
                    manifest_of(history()),
                    earlier_history(),
                    manifest_of(earlier_history()),
                    all_samples()};
  return std::find(own.begin(), own.end(), folder / name) != own.end();
}

std::vector<Path> RunDirectory::own_files(Path const& folder) const {
  std::vector<Path> found;
  std::error_code absent;
  for (auto const& entry : fs::directory_iterator(folder, absent))
    if (is_own_name(folder, entry.path().filename().string())) found.push_back(entry.path());
  std::sort(found.begin(), found.end());
  return found;
}

bool RunDirectory::marked() const {
  std::error_code absent;
  return fs::is_regular_file(mark(), absent) && read_text(mark()).starts_with(mark_title);
}

void RunDirectory::create(Communicator const& ranks) const {
  on_root(ranks, [&] {
    require_possible();
    make_folder(root_);
    std::vector<Path> others;
    for (Path const& folder : {root_, checkpoints(), samples(), estimates()})
      for (Path const& file : own_files(folder)) others.push_back(file);
    // Checked after the listing: another run that starts here at the same time writes the mark before any other file.
    if (!marked()) {
      require(
          others.empty(), ExitCode::usage,
          "{} is not a run directory ({} is missing), and a run would replace {}{}; choose another run.output, or move {} away (if this is "
          "a run's directory that has lost its mark, write the line \"{}\" to that file)",
          root_.string(), mark().string(), others.empty() ? "" : others.front().string(),
          others.size() > 1 ? fmt::format(" and {} more", others.size() - 1) : "", others.size() > 1 ? "them" : "it", mark_title);
      try {
        write_atomically(mark(), mark_text);
      } catch (Failure const&) {
        // A run that started here at the same time, and has the lock by now, takes an unfinished file for a dead run's: its mark serves
        // both.
        if (!marked()) throw;
      }
    }
    for (Path const& file : others)
      require(!fs::is_directory(file), ExitCode::usage,
              "{} is a directory, but a run writes a file of that name; move it away, or choose another run.output", file.string());
    for (Path const& folder : {checkpoints(), samples(), estimates()}) make_folder(folder);
  });
}

bool RunDirectory::has_run(Communicator const& ranks) const {
  bool mine = false;
  on_root(ranks, [&] { mine = marked() && !files_of_run().empty(); });
  return ranks.any(mine);
}

bool RunDirectory::has_results(Communicator const& ranks) const {
  bool mine = false;
  on_root(ranks, [&] {
    auto const files = files_of_run();
    mine = marked() && std::any_of(files.begin(), files.end(), [&](Path const& f) { return f != deck() && f != status() && f != log(); });
  });
  return ranks.any(mine);
}

std::vector<Path> RunDirectory::files_of_run() const {
  std::vector<Path> found;
  for (Path const& folder : {root_, checkpoints(), samples(), estimates()})
    for (Path const& file : own_files(folder))
      if (file != mark() && file != lock() && file != alive()) found.push_back(file);
  return found;
}

void RunDirectory::remove_unfinished(Communicator const& ranks) const {
  on_root(ranks, [&] {
    for (Path const& folder : {root_, checkpoints(), samples(), estimates()})
      for (auto const& entry : fs::directory_iterator(folder)) {
        auto const wanted = name_of_temporary(entry.path().filename().string());
        if (!wanted || !is_own_name(folder, *wanted)) continue;
        log::warning("removing {}, left unfinished by a run that was killed", entry.path().string());
        fs::remove(entry.path());
      }
  });
}

void RunDirectory::remove_run(Communicator const& ranks) const {
  on_root(ranks, [&] {
    auto const remove = [](Path const& file) {
      if (!fs::is_directory(fs::symlink_status(file))) fs::remove(file);
    };
    for (Path const& file : files_of_run())
      if (file != deck() && file != status()) remove(file);
    remove(deck());
  });
}

}  // namespace partita
