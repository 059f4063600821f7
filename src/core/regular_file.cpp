#include "core/regular_file.hpp"

namespace partita {

void require_regular_file(std::filesystem::path const& path, ExitCode code, FailedOn where) {
  using Type = std::filesystem::file_type;
  std::error_code error;
  Type const type = std::filesystem::status(path, error).type();
  if (type == Type::regular) return;
  std::string const name = path.string();
  fail(code,
       type == Type::not_found   ? fmt::format("{}: no such file; check the path", name)
       : type == Type::directory ? fmt::format("{}: is a directory; name a file", name)
       : type == Type::none || type == Type::unknown
           ? fmt::format("{}: cannot be examined ({})", name, error.message())
           : fmt::format("{}: is a pipe, a socket or a device, not a regular file; copy its data to a file", name),
       where);
}

}  // namespace partita
