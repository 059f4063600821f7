#include <sys/stat.h>

#include "scratch.hpp"

using namespace partita;

TEST(Files, AreReplacedAsAWhole) {
  Scratch scratch;
  on_root(scratch.ranks, [&] {
    Path const file = scratch.path / "a file.txt";
    write_atomically(file, "one\n");
    write_atomically(file, "two\n");
    EXPECT_EQ(read_text(file), "two\n");
    EXPECT_EQ(names_in(scratch.path), std::vector<std::string>{"a file.txt"});
  });
}

TEST(Files, TemporariesAreKnownByTheirWholeName) {
  EXPECT_EQ(name_of_temporary(temporary_name("a/step-1.h5").filename().string()), "step-1.h5");
  EXPECT_NE(temporary_name("a"), temporary_name("a"));
  for (char const* other : {"notes.writing-guide.txt", "step-1.h5.writing-0123456", "step-1.h5.writing-0123456g", ".writing-01234567",
                            "step-1.h5.writing-012345678", "step-1.h5", ""})
    EXPECT_FALSE(name_of_temporary(other)) << other;
  EXPECT_EQ(temporary_name("x").native().size(), 1 + std::string(".writing-01234567").size());
}

TEST(Files, NothingIsWrittenThroughALink) {
  Scratch scratch;
  on_root(scratch.ranks, [&] {
    Path const victim = scratch.path / "victim", link = scratch.path / "link";
    write_atomically(victim, "precious");
    std::filesystem::create_symlink(victim, link);
    expect_failure(ExitCode::storage, {link.string()}, [&] { write_file(link, "text"); });
    expect_failure(ExitCode::storage, {link.string()}, [&] { reserve(link, 10); });
    expect_failure(ExitCode::storage, {link.string()}, [&] { require_writable(link); });
    write_atomically(link, "text");  // takes the link's place
    EXPECT_EQ(read_text(victim), "precious");
    EXPECT_FALSE(std::filesystem::is_symlink(link));
  });
}

TEST(Files, KeptUnderASecondNameUntilThatIsReplaced) {
  Scratch scratch;
  on_root(scratch.ranks, [&] {
    Path const file = scratch.path / "file", before = scratch.path / "before";
    keep_second_name(file, before);
    EXPECT_FALSE(std::filesystem::exists(before));
    write_atomically(file, "one");
    keep_second_name(file, before);
    keep_second_name(file, before);
    write_atomically(file, "two");
    EXPECT_EQ(read_text(before), "one");
    keep_second_name(file, before);
    EXPECT_EQ(read_text(before), "two");
    EXPECT_EQ(names_in(scratch.path), (std::vector<std::string>{"before", "file"}));
  });
}

TEST(Files, APipeIsNotRead) {
  Scratch scratch;
  Path const pipe = scratch.path / "pipe";
  on_root(scratch.ranks, [&] {
    ASSERT_EQ(::mkfifo(pipe.c_str(), 0666), 0);
    expect_failure(ExitCode::data, {"a pipe, a socket or a device"}, [&] { read_text(pipe); });
  });
}

TEST(Files, FailuresSayWhichFileAndWhy) {
  Scratch scratch;
  Path const absent = scratch.path / "absent" / "file";
  expect_failure(ExitCode::storage, {absent.string(), "No such file"}, [&] { write_atomically(absent, "text"); });
  expect_failure(ExitCode::data, {absent.string(), "no such file"}, [&] { read_text(absent); });
  expect_failure(ExitCode::data, {"directory"}, [&] { read_text(scratch.path); });
}

TEST(Files, FullDiskLeavesTheOldFile) {
  Scratch scratch;
  SmallFileSystem const small(scratch.path, "size=64k");
  if (!small.mounted()) GTEST_SKIP() << "needs permission to mount a tmpfs";
  on_root(scratch.ranks, [&] {
    Path const file = scratch.path / "text";
    write_atomically(file, "old");
    expect_failure(ExitCode::storage, {"No space left", "MB free"}, [&] { write_atomically(file, std::string(1 << 20, 'x')); });
    EXPECT_EQ(read_text(file), "old");
    EXPECT_EQ(names_in(scratch.path).size(), 1u);
  });
}
