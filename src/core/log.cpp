#include "core/log.hpp"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string_view>

#include "core/printable.hpp"
#include "core/require.hpp"

namespace partita::log {
namespace {
struct Sink {
  int rank = 0, ranks = 1;
  int file = -1;               // descriptor; -1: none
  std::string path;            // of the file
  bool progress_open = false;  // the cursor stands at the end of a progress line
};
Sink sink;

// Text quoted in a message may contain line breaks. Continuation lines are indented, so that none looks like a new message.
std::string indented(std::string const& text) {
  std::string out;
  for (char c : printable(text, Lines::several)) out += c == '\n' ? "\n  " : std::string(1, c);
  return out;
}
void end_progress() {
  if (sink.progress_open) std::fputc('\n', stdout);
  sink.progress_open = false;
}
// Launchers such as mpirun give rank 0 a terminal of its own, wherever their output goes: /proc tells where that is.
bool launcher_redirects() {
  std::string const output = "/proc/" + std::to_string(getppid()) + "/fd/1";
  char target[256];
  ssize_t const length = readlink(output.c_str(), target, sizeof target);
  if (length <= 0) return false;
  std::string_view const name(target, length);
  return !name.starts_with("/dev/pts/") && !name.starts_with("/dev/tty") && !name.starts_with("/dev/console");
}
// Width of the terminal. A progress line that is longer wraps, and overwriting it would leave part of it on the screen.
std::size_t columns() {
  winsize size{};
  return ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1 ? size.ws_col - 1u : 1000u;
}
void close_file() {
  if (sink.file >= 0) ::close(sink.file);
  sink.file = -1;
}
bool to_file(std::string const& text) {
  if (sink.file < 0) return true;
  std::string const line = text + '\n';
  for (std::string_view left = line; !left.empty();) {
    ssize_t const n = ::write(sink.file, left.data(), left.size());
    if (n <= 0) return false;
    left.remove_prefix(n);
  }
  return true;
}
void to_file_or_fail(std::string const& text) {
  if (to_file(text)) return;
  int const error = errno;
  close_file();
  fail(ExitCode::storage, fmt::format("cannot write {} ({})", sink.path, std::strerror(error)));
}
}  // namespace

void set_rank(int rank, int ranks) {
  sink.rank = rank;
  sink.ranks = ranks;
}
void open_file(std::string const& path) {
  close_file();
  if (sink.rank != 0 || path.empty()) return;
  sink.path = path;
  // Not through a symbolic link, and without blocking should there be a pipe in its place.
  sink.file = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0666);
  if (sink.file < 0) warning("cannot write {}: messages go to the terminal only", path);
}
bool on_terminal() {
  static bool const there = isatty(STDOUT_FILENO) && !launcher_redirects();
  return there;
}

void line(std::string const& message) {
  if (sink.rank != 0) return;
  std::string const text = printable(message, Lines::several);
  end_progress();
  std::fprintf(stdout, "%s\n", text.c_str());
  std::fflush(stdout);
  to_file_or_fail(text);
}
void warning_line(std::string const& message) {
  if (sink.rank != 0) return;
  std::string const text = indented(message);
  end_progress();
  std::fprintf(stderr, "warning: %s\n", text.c_str());
  to_file_or_fail("warning: " + text);
}
void error_line(std::string const& message) {
  std::string const text = indented(message);
  end_progress();
  std::string const who = sink.ranks > 1 ? fmt::format("error [rank {}]: ", sink.rank) : "error: ";
  std::fprintf(stderr, "%s%s\n", who.c_str(), text.c_str());
  to_file(who + text);
}
void progress_line(std::string const& message) {
  if (sink.rank != 0) return;
  std::string const text = printable(message);
  if (on_terminal()) {
    std::fprintf(stdout, "\r\033[K%s", text.substr(0, columns()).c_str());
    sink.progress_open = true;
  } else {
    std::fprintf(stdout, "%s\n", text.c_str());
  }
  std::fflush(stdout);
  to_file_or_fail(text);
}

}  // namespace partita::log
