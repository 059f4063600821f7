#include "io/files.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

#include "core/log.hpp"
#include "core/regular_file.hpp"
#include "core/require.hpp"

namespace partita {
namespace fs = std::filesystem;
namespace {

constexpr char temporary_mark[] = ".writing-";

class Descriptor {
 public:
  Descriptor(Path const& path, int flags) : number_(::open(path.c_str(), flags | O_CLOEXEC, 0666)) {
    require(number_ >= 0, ExitCode::storage, "cannot open {} ({})", path.string(), storage_reason(path, errno));
  }
  ~Descriptor() { ::close(number_); }
  Descriptor(Descriptor const&) = delete;
  int number() const { return number_; }

 private:
  int number_;
};

}  // namespace

std::string free_space(Path const& path) {
  std::error_code error;
  Path const folder = fs::is_directory(path, error) ? path : path.has_parent_path() ? path.parent_path() : Path(".");
  fs::space_info const space = fs::space(folder, error);
  return error ? "free space unknown" : fmt::format("{:.1f} MB free", 1e-6 * static_cast<double>(space.available));
}
std::string storage_reason(Path const& path, int error_number) {
  std::string const reason = std::strerror(error_number);
  return error_number == ENOSPC ? reason + ", " + free_space(path) : reason;
}

Path temporary_name(Path const& path) {
  char host[256] = "";
  ::gethostname(host, sizeof host - 1);
  return Path(path) += fmt::format("{}{}-{}", temporary_mark, host, ::getpid());
}

void write_file(Path const& path, std::string_view text) {
  Descriptor const file(path, O_WRONLY | O_CREAT | O_TRUNC);
  while (!text.empty()) {
    ssize_t const n = ::write(file.number(), text.data(), text.size());
    require(n > 0, ExitCode::storage, "cannot write {} ({})", path.string(), storage_reason(path, errno));
    text.remove_prefix(static_cast<std::size_t>(n));
  }
}

void reserve(Path const& path, Index bytes) {
  Descriptor const file(path, O_RDWR);
  if (::fallocate(file.number(), FALLOC_FL_KEEP_SIZE, 0, bytes) == 0) return;
  int const error = errno;
  require(error == EOPNOTSUPP || error == ENOSYS, ExitCode::storage, "cannot reserve {:.1f} MB for {} ({})",
          1e-6 * static_cast<double>(bytes), path.string(), storage_reason(path, error));
}
void require_writable(Path const& path) { Descriptor const file(path, O_RDWR); }
void synchronise(Path const& path) {
  Descriptor const file(path, O_RDONLY);
  bool const written = ::fsync(file.number()) == 0;  // before errno is read
  require(written, ExitCode::storage, "cannot write {} to disk ({})", path.string(), storage_reason(path, errno));
}

void publish(Path const& temporary, Path const& name) {
  std::error_code error;
  fs::rename(temporary, name, error);
  require(!error, ExitCode::storage, "cannot rename {} to {} ({})", temporary.string(), name.string(), error.message());
  synchronise(name.has_parent_path() ? name.parent_path() : Path("."));
}

void write_atomically(Path const& path, std::string_view text) {
  Path const temporary = temporary_name(path);
  try {
    write_file(temporary, text);
    synchronise(temporary);
    publish(temporary, path);
  } catch (...) {
    std::error_code ignored;
    fs::remove(temporary, ignored);
    throw;
  }
}

void remove_temporaries(Path const& folder) {
  std::error_code absent;
  for (auto const& entry : fs::directory_iterator(folder, absent)) {
    if (entry.path().filename().string().find(temporary_mark) == std::string::npos) continue;
    log::warning("removing {}, left unfinished by a run that was killed", entry.path().string());
    fs::remove(entry.path());
  }
}

std::string read_text(Path const& path) {
  require_regular_file(path, ExitCode::data);
  std::ifstream file(path, std::ios::binary);
  require(file.good(), ExitCode::data, "cannot read {} ({})", path.string(), std::strerror(errno));
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace partita
