#include <filesystem>
#include <fstream>

#include "core/require.hpp"
#include "deck/document.hpp"

namespace partita::deck {

namespace {

constexpr std::size_t largest_deck = std::size_t{64} << 20;

std::string did_you_mean(std::filesystem::path const& path) {
  std::vector<std::string> names;
  std::error_code ignored;  // an unreadable directory only costs the hint
  auto const folder = path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
  for (auto const& entry : std::filesystem::directory_iterator(folder, ignored)) names.push_back(entry.path().filename().string());
  std::string const name = nearest(path.filename().string(), names);
  return name.empty() ? "check the path" : fmt::format("did you mean \"{}\"?", (path.parent_path() / name).string());
}

}  // namespace

std::string load(std::string const& path) {
  std::error_code error;
  auto const status = std::filesystem::status(path, error);
  require(status.type() != std::filesystem::file_type::not_found, ExitCode::usage, "{}: there is no such file; {}", path,
          did_you_mean(path));
  require(status.type() != std::filesystem::file_type::directory, ExitCode::usage, "{}: a directory, not a deck; name a file in it", path);
  std::ifstream file(path, std::ios::binary);
  require(file.is_open(), ExitCode::usage, "{}: cannot be opened ({}); check its permissions", path,
          error ? error.message() : std::generic_category().message(errno));
  std::string text(largest_deck + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  require(!file.bad(), ExitCode::usage, "{}: cannot be read; check that it is a regular file on a working disk", path);
  text.resize(static_cast<std::size_t>(file.gcount()));
  require(text.size() <= largest_deck, ExitCode::usage, "{}: more than {} MiB; a deck is a short text, name the right file", path,
          largest_deck >> 20);
  return text;
}

}  // namespace partita::deck
