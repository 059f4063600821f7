#include "driver/info.hpp"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>

#include "core/printable.hpp"
#include "core/regular_file.hpp"
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

// HDF5 crashes on some damaged files and hangs on others. So a separate process reads the file; its answer is a digit, 1 for a failure, and
// a text.
std::string read_in_child_process(std::string const& path, std::string (*read)(std::string const&)) {
  constexpr unsigned patience = 10;  // seconds
  int ends[2];
  require_all(::pipe(ends) == 0, ExitCode::storage, "{}: cannot be read apart ({})", path, std::strerror(errno));
  ::pid_t const child = ::fork();
  require_all(child >= 0, ExitCode::storage, "{}: cannot be read apart ({})", path, std::strerror(errno));
  if (child == 0) {
    for (int s : {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGALRM}) ::signal(s, SIG_DFL);
    sigset_t none;
    ::sigemptyset(&none), ::sigprocmask(SIG_SETMASK, &none, nullptr);
    ::alarm(patience);
    std::string answer;
    try {
      answer = fmt::format("0{}", read(path));
    } catch (std::exception const& e) {
      answer = std::string("1") + e.what();
    }
    for (ssize_t done = 1; !answer.empty() && done > 0; answer.erase(0, std::max<ssize_t>(done, 0)))
      done = ::write(ends[1], answer.data(), answer.size());
    ::_exit(0);
  }
  ::close(ends[1]);
  std::string answer;
  char block[65536];
  for (ssize_t got; (got = ::read(ends[0], block, sizeof block)) > 0;) answer.append(block, got);
  ::close(ends[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  require_all(WIFEXITED(status) && !answer.empty(), ExitCode::data, "{}: {}", path,
              WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM ? "reading it does not end; the file is probably damaged"
                                                                 : "damaged; HDF5 crashes when it reads the file");
  require_all(answer[0] == '0', ExitCode::data, "{}", answer.substr(1));
  return answer.substr(1);
}

std::string describe_run(RunDirectory const& run) {
  std::string out = printable(run.root().string()) + "\n";
  auto const status = true_status(run);
  std::error_code absent;
  out += status ? status->json().text()
                : fmt::format("  {}: there is no readable {}\n",
                              std::filesystem::exists(run.mark(), absent) ? "a run that has not begun, or whose status is damaged"
                                                                          : "not a run of Partita",
                              run.status().filename().string());
  std::vector<std::string> files;
  for (Path const& folder : {run.checkpoints(), run.samples(), run.estimates()})
    if (std::filesystem::is_directory(folder))
      for (auto const& entry : std::filesystem::directory_iterator(folder))
        files.push_back(printable(std::filesystem::relative(entry.path(), run.root()).string()));
  std::sort(files.begin(), files.end());
  for (std::string const& file : files) out += "  " + file + "\n";
  return out;
}

// The first lines of a text file: a run's log, its summary, a manifest. None for other files.
std::optional<std::string> describe_text(std::string const& path) {
  constexpr std::size_t most = 1 << 16;
  require_regular_file(path, ExitCode::data, FailedOn::all_ranks);
  std::string text(most, '\0');
  std::ifstream file(path, std::ios::binary);
  file.read(text.data(), static_cast<std::streamsize>(most));
  text.resize(file.gcount());
  bool const more = text.size() == most;
  if (more) text.resize(text.rfind('\n') + 1);
  if (text.empty() || printable(text, Lines::several) != text) return {};
  return printable(path) + "\n" + text + (more ? "...\n" : "");
}

}  // namespace

std::string describe_file(std::string const& path) {
  try {
    require_all(std::filesystem::exists(path), ExitCode::data, "{} does not exist; give an HDF5 file or a run directory", path);
    if (std::filesystem::is_directory(path)) return describe_run(RunDirectory(path));
    return read_in_child_process(path, [](std::string const& file) {
      auto const text = describe_text(file);
      return text ? *text : describe_hdf5(file);
    });
  } catch (std::filesystem::filesystem_error const& error) {
    fail(ExitCode::data, fmt::format("{}: cannot be examined ({})", path, error.code().message()), FailedOn::all_ranks);
  }
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
