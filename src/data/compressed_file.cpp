#include "data/compressed_file.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "core/regular_file.hpp"
#include "core/require.hpp"

namespace partita::data {

CompressedFile::CompressedFile(std::string const& path) : path_(path), file_(nullptr, gzclose) {
  require_regular_file(path, ExitCode::data, FailedOn::all_ranks);
  file_.reset(gzopen(path.c_str(), "rb"));
  require_all(file_ != nullptr, ExitCode::data, "{}: cannot be read ({})", path, std::strerror(errno));
}

Index CompressedFile::read_some(void* to, Index bytes) {
  constexpr Index piece = Index{1} << 30;  // gzread counts in unsigned int
  Index done = 0;
  while (done < bytes) {
    int const got = gzread(file_.get(), static_cast<char*>(to) + done, unsigned(std::min(piece, bytes - done)));
    int code = Z_OK;
    char const* const reason = gzerror(file_.get(), &code);
    require_all(code != Z_BUF_ERROR, ExitCode::data, "{}: truncated, its compressed part ends early; fetch it again", path_);
    require_all(got >= 0 && code == Z_OK, ExitCode::data, "{}: corrupt ({}); fetch it again", path_,
                code == Z_ERRNO ? std::strerror(errno) : reason);
    if (got == 0) break;
    done += got;
  }
  return done;
}

void CompressedFile::read(void* to, Index bytes, std::string const& what) {
  Index const done = read_some(to, bytes);
  require_all(done == bytes, ExitCode::data, "{}: truncated, {} has {} of {} bytes; fetch it again", path_, what, done, bytes);
}

bool CompressedFile::at_end() {
  char one;
  return read_some(&one, 1) == 0;
}

std::string foreign_format(std::string const& first) {
  using namespace std::string_literals;
  struct Known {
    std::string start;
    char const *what, *advice;
  };
  static Known const formats[] = {
      {"\x89HDF\r\n\x1a\n"s, "an HDF5 file", "set data.type = \"hdf5\""},
      {"\x93NUMPY"s, "a NumPy array", "write it to HDF5 (h5py) or as text (numpy.savetxt with delimiter \",\")"},
      {"PK\x03\x04"s, "a zip archive (.zip, .npz, .xlsx)", "unpack it, or export it as comma-separated text or HDF5"},
      {"PAR1"s, "a Parquet file", "export it as comma-separated text or HDF5"},
      {"\3757zXZ"s, "compressed by xz", "unpack it (unxz)"},
      {"BZh"s, "compressed by bzip2", "unpack it (bunzip2)"},
      {"\x28\xB5\x2F\xFD"s, "compressed by zstd", "unpack it (unzstd)"},
      {"\xFF\xFE"s, "UTF-16 text", "save it as UTF-8 (iconv -f UTF-16 -t UTF-8)"},
      {"\xFE\xFF"s, "UTF-16 text", "save it as UTF-8 (iconv -f UTF-16 -t UTF-8)"},
      {"\0\0\x08"s, "an idx file", "set data.type = \"idx\""},
      {"\0\0\x0d"s, "an idx file", "set data.type = \"idx\""},
  };
  for (Known const& f : formats)
    if (first.starts_with(f.start)) return fmt::format(": {}; {}", f.what, f.advice);
  return {};
}

}  // namespace partita::data
