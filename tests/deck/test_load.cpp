#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include "core/require.hpp"
#include "deck/document.hpp"

namespace partita::deck {
namespace {

std::string failure_of(std::filesystem::path const& path) {
  try {
    load(path);
  } catch (Failure const& f) {
    EXPECT_EQ(f.code(), ExitCode::usage);
    EXPECT_EQ(f.where(), FailedOn::this_rank);  // only one rank may have tried
    return f.what();
  }
  return "no failure";
}

class Load : public testing::Test {
 protected:
  std::filesystem::path folder = std::filesystem::path(testing::TempDir()) / "deck load \xC3\xA9";
  void SetUp() override { std::filesystem::create_directories(folder); }
  void TearDown() override { std::filesystem::remove_all(folder); }
};

TEST_F(Load, GivesTheBytesOfTheFile) {
  std::string const text("a = 1\r\n\0b", 9);
  std::ofstream(folder / "x.toml", std::ios::binary) << text;
  EXPECT_EQ(load(folder / "x.toml"), text);
  std::ofstream(folder / "empty.toml");
  EXPECT_EQ(load(folder / "empty.toml"), "");
}

TEST_F(Load, NamesTheNearestFile) {
  std::ofstream(folder / "gaussian.toml");
  EXPECT_THAT(failure_of(folder / "gausian.toml"),
              testing::HasSubstr("no such file; did you mean \"" + (folder / "gaussian.toml").string()));
  EXPECT_THAT(failure_of(folder / "no" / "such.toml"), testing::HasSubstr("no such file; check the path"));
}

TEST_F(Load, RefusesWhatIsNoDeck) {
  EXPECT_THAT(failure_of(folder), testing::HasSubstr("a directory, not a deck"));
  std::ofstream(folder / "large.toml");
  std::filesystem::resize_file(folder / "large.toml", (std::uintmax_t{64} << 20) + 1);  // sparse
  EXPECT_THAT(failure_of(folder / "large.toml"), testing::HasSubstr("more than 64 MiB"));
  // A file that opens and cannot be read, for any user: the first page of a process's memory is not mapped.
  EXPECT_THAT(failure_of("/proc/self/mem"), testing::HasSubstr("cannot be read"));
  std::ofstream(folder / "secret.toml");
  std::filesystem::permissions(folder / "secret.toml", std::filesystem::perms::none);
  bool const is_root = std::ifstream(folder / "secret.toml").is_open();
  if (!is_root) {
    EXPECT_THAT(failure_of(folder / "secret.toml"), testing::HasSubstr("cannot be opened"));
  }
}

TEST_F(Load, ReadsAPipeThatSomebodyWritesTo) {
  std::string const pipe = folder / "pipe.toml";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_THAT(failure_of(pipe), testing::HasSubstr("a pipe to which nobody writes"));
  int const writer = ::open(pipe.c_str(), O_RDWR);
  std::thread later([&] {  // the reader waits in between
    for (char const* part : {"a = 1\n", "b = 2\n"}) {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      EXPECT_EQ(::write(writer, part, 6), 6);
    }
    ::close(writer);
  });
  EXPECT_EQ(load(pipe), "a = 1\nb = 2\n");
  later.join();
}

}  // namespace
}  // namespace partita::deck
