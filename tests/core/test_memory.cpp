#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <new>
#include <vector>

#include "core/memory.hpp"
#include "core/tiling.hpp"

using namespace partita;

namespace {

// The failure of work that asks for too much.
template <class Work>
std::string failure(Work const& work) {
  try {
    with_memory_failures([&] { return work(); });
  } catch (Failure const& f) {
    EXPECT_EQ(f.code(), ExitCode::storage);
    return f.what();
  }
  ADD_FAILURE() << "no Failure was thrown";
  return {};
}

}  // namespace

TEST(Memory, AnAllocationThatFailsTellsTheBytesWantedAndFree) {
  constexpr std::size_t exbibyte = std::size_t{1} << 60;
  auto const says = [](std::string const& bytes) {
    return testing::MatchesRegex("out of memory: " + bytes + " requested at once, .* free; .*");
  };
  EXPECT_THAT(failure([] { return std::vector<char>(exbibyte).size(); }), says("1.05e.06 TiB"));
  EXPECT_THAT(failure([] { return ::operator new(exbibyte, std::align_val_t(64)); }), says("1.05e.06 TiB"));
  EXPECT_THAT(failure([] { return std::vector<double>(std::numeric_limits<std::size_t>::max() / 4).size(); }),
              says("more than can be addressed"));
  EXPECT_THAT(failure([] { return TileStorage("x", (1 << 20) + 1, (1 << 20) + 1, (1 << 12) + 1).size(); }),
              testing::HasSubstr("iB requested at once"));
}

TEST(Memory, OtherFailuresPass) {
  EXPECT_THROW(with_memory_failures([]() -> int { throw std::runtime_error("no file"); }), std::runtime_error);
  EXPECT_FALSE(memory_failure(Failure(ExitCode::data, "failed to allocate", FailedOn::this_rank, std::source_location::current())));
}

TEST(Memory, FreeBytesAreKnown) {
  auto const bytes = free_memory();
  ASSERT_TRUE(bytes.has_value());
  EXPECT_GT(*bytes, 1e6);
  EXPECT_LT(*bytes, 1e15);
  EXPECT_EQ(readable_bytes(1536), "1.5 KiB");
}
