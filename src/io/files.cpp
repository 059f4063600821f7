#include "io/files.hpp"

#include <fcntl.h>
#include <sys/random.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

#include "core/regular_file.hpp"
#include "core/require.hpp"

namespace partita {
namespace fs = std::filesystem;
namespace {

constexpr char temporary_mark[] = ".writing-";  // followed by this number of hexadecimal digits:
constexpr int temporary_digits = 8;

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
  return error ? "free space unknown" : fmt::format("{:.1f} MB free", 1e-6 * double(space.available));
}
std::string storage_reason(Path const& path, int error_number) {
  std::string const reason = std::strerror(error_number);
  return error_number == ENOSPC ? reason + ", " + free_space(path) : reason;
}

Path temporary_name(Path const& path) {
  std::uint32_t number = 0;
  require(::getrandom(&number, sizeof number, 0) == sizeof number, ExitCode::storage, "the system gives no random numbers ({})",
          std::strerror(errno));
  return Path(path) += fmt::format("{}{:0{}x}", temporary_mark, number, temporary_digits);
}
std::optional<std::string> name_of_temporary(std::string const& file_name) {
  constexpr std::size_t added = sizeof temporary_mark - 1 + temporary_digits;
  if (file_name.size() <= added) return {};
  std::size_t const end = file_name.size() - added;
  bool const ours = file_name.compare(end, sizeof temporary_mark - 1, temporary_mark) == 0 &&
                    file_name.find_first_not_of("0123456789abcdef", file_name.size() - temporary_digits) == std::string::npos;
  return ours ? std::optional(file_name.substr(0, end)) : std::nullopt;
}
Path manifest_of(Path const& file) { return Path(file).replace_extension(".manifest"); }

void write_file(Path const& path, std::string_view text) {
  Descriptor const file(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW);
  while (!text.empty()) {
    ssize_t const n = ::write(file.number(), text.data(), text.size());
    require(n > 0, ExitCode::storage, "cannot write {} ({})", path.string(), storage_reason(path, errno));
    text.remove_prefix(n);
  }
}

void reserve(Path const& path, Index bytes) {
  Descriptor const file(path, O_RDWR | O_NOFOLLOW);
  if (::fallocate(file.number(), FALLOC_FL_KEEP_SIZE, 0, bytes) == 0) return;
  int const error = errno;
  require(error == EOPNOTSUPP || error == ENOSYS, ExitCode::storage, "cannot reserve {:.1f} MB for {} ({})", 1e-6 * double(bytes),
          path.string(), storage_reason(path, error));
}
void require_writable(Path const& path) { Descriptor const file(path, O_RDWR | O_NOFOLLOW); }
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

void keep_second_name(Path const& file, Path const& second) {
  std::error_code error;
  // If both names are links to one file, rename() does nothing and would leave the temporary name.
  if (!fs::is_regular_file(file, error) || fs::equivalent(file, second, error)) return;
  Path const temporary = temporary_name(second);
  fs::create_hard_link(file, temporary, error);
  if (error) write_atomically(second, read_text(file));  // a file system without links
  else fs::rename(temporary, second);                    // reaches the disk no later than the file that replaces the first
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
