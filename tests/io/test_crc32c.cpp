#include <numeric>

#include "io/crc32c.hpp"
#include "scratch.hpp"

using namespace partita;

TEST(Crc32c, KnownAnswers) {
  EXPECT_EQ(crc32c("123456789", 9), 0xE3069283u);  // the check value of CRC-32C
  EXPECT_EQ(crc32c("", 0), 0u);
  std::vector<unsigned char> bytes(32, 0);
  EXPECT_EQ(crc32c(bytes.data(), 32), 0x8A9136AAu);  // RFC 3720, B.4: 32 bytes of zeros, of ones, ascending
  bytes.assign(32, 0xFF);
  EXPECT_EQ(crc32c(bytes.data(), 32), 0x62A8AB43u);
  std::iota(bytes.begin(), bytes.end(), 0);
  EXPECT_EQ(crc32c(bytes.data(), 32), 0x46DD794Eu);
}

TEST(Crc32c, InstructionTableAndPiecesAgree) {
  std::vector<unsigned char> bytes(1000);
  for (std::size_t i = 0; i < bytes.size(); i++) bytes[i] = static_cast<unsigned char>(i * i * 31 + 7);
  for (std::size_t n : {1, 7, 8, 9, 255, 1000}) {
    EXPECT_EQ(crc32c(bytes.data(), n), crc32c_by_table(bytes.data(), n));
    std::size_t const cut = n / 3;
    EXPECT_EQ(crc32c(bytes.data() + cut, n - cut, crc32c(bytes.data(), cut)), crc32c(bytes.data(), n));
  }
}

TEST(Crc32c, StripesOfAFile) {
  Scratch scratch;
  Path const file = scratch.path / "stripes";
  std::size_t const rest = 12345;
  on_root(scratch.ranks, [&] {
    write_atomically(file, "tail");
    std::filesystem::resize_file(file, 2 * stripe_bytes + rest);  // sparse: zeros after the first four bytes
  });
  auto const found = stripe_checksums(file, scratch.ranks);
  ASSERT_EQ(found.size(), 3u);
  std::vector<char> stripe(stripe_bytes, 0);
  EXPECT_EQ(found[1], crc32c(stripe.data(), stripe.size()));
  EXPECT_EQ(found[2], crc32c(stripe.data(), rest));
  std::copy_n("tail", 4, stripe.begin());
  EXPECT_EQ(found[0], crc32c(stripe.data(), stripe.size()));
}
