#include <bit>
#include <filesystem>

#include "core/require.hpp"
#include "data/compressed_file.hpp"
#include "data/table.hpp"

namespace partita::data {
namespace {

constexpr Index deflate_ratio = 1032;  // the largest compression ratio of deflate: a header that claims more data is wrong

std::uint32_t big_endian(unsigned char const* b) {
  return std::uint32_t{b[0]} << 24 | std::uint32_t{b[1]} << 16 | std::uint32_t{b[2]} << 8 | b[3];
}

std::vector<Index> read_extents(CompressedFile& file, std::size_t axes) {
  std::vector<unsigned char> raw(4 * axes);
  file.read(raw.data(), std::ssize(raw), "the list of extents");
  std::vector<Index> extents;
  for (std::size_t a = 0; a < axes; a++) extents.push_back(big_endian(&raw[4 * a]));
  return extents;
}

struct Header {
  std::vector<Index> extents;
  bool bytes;  // floats otherwise
  Index bytes_of_entry() const { return bytes ? 1 : 4; }
};

// What a type code of the format means; only two of them are read.
std::string name_of_type(unsigned char code) {
  switch (code) {
    case 0x09:
      return "signed byte";
    case 0x0b:
      return "integer of 2 bytes";
    case 0x0c:
      return "integer of 4 bytes";
    case 0x0e:
      return "float of 8 bytes";
    default:
      return "";
  }
}

Header read_header(CompressedFile& file, std::string const& path) {
  unsigned char magic[4];
  file.read(magic, 4, "the header");
  require_all(magic[0] == 0 && magic[1] == 0, ExitCode::data, "{}: not an idx file (it starts with bytes {:02x} {:02x}, idx with 00 00){}",
              path, magic[0], magic[1], foreign_format({reinterpret_cast<char*>(magic), sizeof magic}));
  bool const bytes = magic[2] == 0x08, floats = magic[2] == 0x0d;
  require_all(bytes || floats, ExitCode::data, "{}: idx element type 0x{:02x}{}; wanted 0x08 (unsigned byte) or 0x0d (float): {}", path,
              magic[2], name_of_type(magic[2]).empty() ? ", which there is not" : " (" + name_of_type(magic[2]) + ")",
              name_of_type(magic[2]).empty() ? "check that it is an idx file, or fetch it again"
                                             : "write the numbers as float, or to HDF5, which takes all of them (data.type = \"hdf5\")");
  std::vector<Index> const extents = read_extents(file, magic[3]);
  require_all(extents.size() >= 2, ExitCode::data,
              "{}: extents {}; wanted an axis of rows and at least one more; name the file of the images, not that of the labels", path,
              to_text(extents));
  return {extents, bytes};
}

}  // namespace

TableSize size_of_idx(std::string const& path) {
  CompressedFile file(path);
  Header const header = read_header(file, path);
  Table const table{path, header.extents[0], {header.extents.begin() + 1, header.extents.end()}, {}};
  return {table.rows, table.dimension(), header.bytes_of_entry()};
}

Table read_idx(std::string const& path, Index limit) {
  CompressedFile file(path);
  Header const header = read_header(file, path);
  auto const& extents = header.extents;
  Table table{path, extents[0], {extents.begin() + 1, extents.end()}, {}};
  if (limit > 0) table.rows = std::min(table.rows, limit);
  Index const element = header.bytes_of_entry(), most = Index(std::filesystem::file_size(path)) * deflate_ratio;
  Index count = table.rows;
  for (Index e : table.shape) {
    require_all(e > 0 && count > 0, ExitCode::data, "{}: empty, extents {}; fetch or write it again, or name another file", path,
                to_text(extents));
    require_all(count <= most / element / e, ExitCode::data, "{}: truncated, its size cannot hold extents {}; fetch it again", path,
                to_text(extents));
    count *= e;
  }
  if (header.bytes) {
    auto& values = table.values.emplace<std::vector<std::uint8_t>>(count);
    file.read(values.data(), count, "the data");
  } else {
    auto& values = table.values.emplace<std::vector<float>>(count);
    file.read(values.data(), 4 * count, "the data");
    for (float& v : values) v = std::bit_cast<float>(big_endian(reinterpret_cast<unsigned char const*>(&v)));
  }
  require_all(table.rows < extents[0] || file.at_end(), ExitCode::data, "{}: longer than its extents {} say; check that it is an idx file",
              path, to_text(extents));
  return table;
}

}  // namespace partita::data
