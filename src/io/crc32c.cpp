#include "io/crc32c.hpp"

#include <array>
#include <cstring>
#include <fstream>

#include "core/tiling.hpp"
#include "io/together.hpp"
#ifdef __SSE4_2__
#include <nmmintrin.h>
#endif

namespace partita {
namespace {

constexpr std::array<std::uint32_t, 256> make_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t byte = 0; byte < 256; byte++) {
    std::uint32_t c = byte;
    for (int bit = 0; bit < 8; bit++) c = (c >> 1) ^ (c & 1 ? 0x82F63B78u : 0u);
    table[byte] = c;
  }
  return table;
}
constexpr auto table = make_table();

std::uint32_t stripe_checksum(std::ifstream& file, std::uint64_t stripe) {
  std::vector<char> buffer(std::size_t{1} << 20);
  std::uint32_t c = 0;
  file.clear();
  file.seekg(static_cast<std::streamoff>(stripe * stripe_bytes));
  for (std::uint64_t done = 0; done < stripe_bytes && file; done += buffer.size()) {
    file.read(buffer.data(), static_cast<std::streamsize>(buffer.size()));
    c = crc32c(buffer.data(), file.gcount(), c);
  }
  return c;
}

}  // namespace

std::uint32_t crc32c_by_table(void const* data, std::size_t bytes, std::uint32_t before) {
  auto const* p = static_cast<unsigned char const*>(data);
  std::uint32_t c = ~before;
  for (std::size_t i = 0; i < bytes; i++) c = (c >> 8) ^ table[(c ^ p[i]) & 0xFF];
  return ~c;
}

std::uint32_t crc32c(void const* data, std::size_t bytes, std::uint32_t before) {
#ifdef __SSE4_2__
  auto const* p = static_cast<unsigned char const*>(data);
  std::uint64_t c = ~before;
  for (; bytes >= 8; bytes -= 8, p += 8) {
    std::uint64_t word;
    std::memcpy(&word, p, 8);
    c = _mm_crc32_u64(c, word);
  }
  for (; bytes > 0; bytes--, p++) c = _mm_crc32_u8(std::uint32_t(c), *p);
  return ~std::uint32_t(c);
#else
  return crc32c_by_table(data, bytes, before);
#endif
}

std::vector<std::uint32_t> stripe_checksums(Path const& path, Communicator const& ranks) {
  std::vector<Index> mine;
  together(ranks, [&] {
    std::ifstream file(path, std::ios::binary);
    require(file.good(), ExitCode::data, "cannot read {} ({})", path.string(), std::strerror(errno));
    Index const stripes = divide_up(Index(std::filesystem::file_size(path)), Index(stripe_bytes));
    TileRange const share = share_of_tiles(stripes, ranks.rank(), ranks.ranks());
    for (Index s = share.first; s < share.end(); s++) mine.push_back(stripe_checksum(file, std::uint64_t(s)));
    require(!file.bad(), ExitCode::data, "cannot read {} (input/output error)", path.string());
  });
  std::vector<Index> const all = ranks.all_gather(mine);
  return {all.begin(), all.end()};
}

}  // namespace partita
