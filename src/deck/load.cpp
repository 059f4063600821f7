#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>

#include "core/require.hpp"
#include "deck/document.hpp"

namespace partita::deck {

namespace {

constexpr std::size_t largest_deck = std::size_t{64} << 20;

std::string did_you_mean(std::filesystem::path const& path) {
  if (path.string().starts_with("/dev/fd/") || path.string().starts_with("/proc/self/fd/"))
    return "a pipe of the shell, <(...), that the launcher does not pass on; write the deck into a file";
  std::vector<std::string> names;
  std::error_code ignored;  // an unreadable directory only costs the hint
  auto const folder = path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
  for (auto const& entry : std::filesystem::directory_iterator(folder, ignored)) names.push_back(entry.path().filename().string());
  std::string const name = nearest(path.filename().string(), names);
  return name.empty() ? "check the path" : fmt::format("did you mean \"{}\"?", (path.parent_path() / name).string());
}

// What comes through a pipe, as in run <(make_deck); a plain read would wait for ever where nobody writes to it.
std::string from_pipe(std::string const& path, std::size_t most) {
  int const pipe = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  require(pipe >= 0, ExitCode::usage, "{}: cannot be opened ({}); check its permissions", path, std::generic_category().message(errno));
  std::string text;
  char block[4096];
  while (text.size() < most) {
    ssize_t const n = ::read(pipe, block, sizeof block);
    if (n > 0) text.append(block, n);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) break;
    pollfd next{pipe, POLLIN, 0};
    if (n < 0) ::poll(&next, 1, -1);
  }
  ::close(pipe);
  require(!text.empty(), ExitCode::usage, "{}: a pipe to which nobody writes; name a file, or use <(...) of the shell", path);
  return text;
}

std::string from_file(std::string const& path, std::size_t most) {
  std::ifstream file(path, std::ios::binary);
  require(file.is_open(), ExitCode::usage, "{}: cannot be opened ({}); check its permissions", path,
          std::generic_category().message(errno));
  std::string text;
  char block[4096];
  while (file && text.size() < most) {
    file.read(block, static_cast<std::streamsize>(std::min(sizeof block, most - text.size())));
    text.append(block, file.gcount());
  }
  require(!file.bad(), ExitCode::usage, "{}: cannot be read; check that it is a regular file on a working disk", path);
  return text;
}

}  // namespace

std::string load(std::string const& path) {
  std::error_code error;
  auto const status = std::filesystem::status(path, error);
  require(status.type() != std::filesystem::file_type::not_found, ExitCode::usage, "{}: there is no such file; {}", path,
          did_you_mean(path));
  require(status.type() != std::filesystem::file_type::directory, ExitCode::usage, "{}: a directory, not a deck; name a file in it", path);
  bool const pipe = status.type() == std::filesystem::file_type::fifo;
  std::string text = pipe ? from_pipe(path, largest_deck + 1) : from_file(path, largest_deck + 1);
  require(text.size() <= largest_deck, ExitCode::usage, "{}: more than {} MiB; a deck is a short text, name the right file", path,
          largest_deck >> 20);
  return text;
}

}  // namespace partita::deck
