#include <zlib.h>

#include <bit>
#include <cstring>
#include <filesystem>
#include <memory>

#include "core/require.hpp"
#include "data/table.hpp"

namespace partita::data {
namespace {

constexpr Index deflate_ratio = 1032;  // the most that deflate can shrink, so a header promising more is not to be believed

// zlib reads plain files through the same calls as gzipped ones.
class Reader {
 public:
  explicit Reader(std::string const& path) : path_(path), file_(gzopen(path.c_str(), "rb"), gzclose) {
    require_all(file_ != nullptr, ExitCode::data, "{}: cannot be read ({})", path, std::strerror(errno));
  }
  void read(void* to, Index bytes, std::string const& what) {
    constexpr Index piece = Index{1} << 30;  // gzread counts in unsigned int
    for (Index done = 0; done < bytes;) {
      int const got = gzread(file_.get(), static_cast<char*>(to) + done, static_cast<unsigned>(std::min(piece, bytes - done)));
      int code = Z_OK;
      char const* const reason = gzerror(file_.get(), &code);
      require_all(got >= 0 && (code == Z_OK || code == Z_BUF_ERROR), ExitCode::data, "{}: corrupt ({}); fetch it again", path_, reason);
      require_all(got > 0, ExitCode::data, "{}: truncated, {} has {} of {} bytes; fetch it again", path_, what, done, bytes);
      done += got;
    }
  }
  bool at_end() {
    char one;
    return gzread(file_.get(), &one, 1) <= 0;
  }

 private:
  std::string path_;
  std::unique_ptr<gzFile_s, int (*)(gzFile)> file_;
};

std::uint32_t big_endian(unsigned char const* b) {
  return std::uint32_t{b[0]} << 24 | std::uint32_t{b[1]} << 16 | std::uint32_t{b[2]} << 8 | b[3];
}

std::vector<Index> read_extents(Reader& file, std::size_t axes) {
  std::vector<unsigned char> raw(4 * axes);
  file.read(raw.data(), static_cast<Index>(raw.size()), "the list of extents");
  std::vector<Index> extents;
  for (std::size_t a = 0; a < axes; a++) extents.push_back(big_endian(&raw[4 * a]));
  return extents;
}

}  // namespace

Table read_idx(std::string const& path, Index limit) {
  require_all(!std::filesystem::is_directory(path), ExitCode::data, "{}: a directory; name the images file in it", path);
  require_all(std::filesystem::exists(path), ExitCode::data, "{}: no such file; check data.path", path);
  Reader file(path);
  unsigned char magic[4];
  file.read(magic, 4, "the header");
  require_all(magic[0] == 0 && magic[1] == 0, ExitCode::data, "{}: not an idx file (it starts with bytes {:02x} {:02x}, idx with 00 00)",
              path, magic[0], magic[1]);
  bool const bytes = magic[2] == 0x08, floats = magic[2] == 0x0d;
  require_all(bytes || floats, ExitCode::data, "{}: idx element type 0x{:02x}; wanted 0x08 (unsigned byte) or 0x0d (float)", path,
              magic[2]);
  std::vector<Index> const extents = read_extents(file, magic[3]);
  require_all(extents.size() >= 2, ExitCode::data, "{}: {} axes {}; wanted rows and at least one more (is this the labels file?)", path,
              extents.size(), to_text(extents));

  Table table{path, extents[0], {extents.begin() + 1, extents.end()}, {}};
  if (limit > 0) table.rows = std::min(table.rows, limit);
  Index const element = bytes ? 1 : 4, most = static_cast<Index>(std::filesystem::file_size(path)) * deflate_ratio;
  Index count = table.rows;
  for (Index e : table.shape) {
    require_all(e > 0 && count > 0, ExitCode::data, "{}: empty, extents {}", path, to_text(extents));
    require_all(count <= most / element / e, ExitCode::data, "{}: truncated, its size cannot hold extents {}; fetch it again", path,
                to_text(extents));
    count *= e;
  }
  if (bytes) {
    auto& values = table.values.emplace<std::vector<std::uint8_t>>(static_cast<std::size_t>(count));
    file.read(values.data(), count, "the data");
  } else {
    auto& values = table.values.emplace<std::vector<float>>(static_cast<std::size_t>(count));
    file.read(values.data(), 4 * count, "the data");
    for (float& v : values) v = std::bit_cast<float>(big_endian(reinterpret_cast<unsigned char const*>(&v)));
  }
  require_all(table.rows < extents[0] || file.at_end(), ExitCode::data, "{}: longer than its extents {} say; is it an idx file?", path,
              to_text(extents));
  return table;
}

}  // namespace partita::data
