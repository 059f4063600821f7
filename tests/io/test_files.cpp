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

TEST(Files, TemporariesAreRemovedAndOthersStay) {
  Scratch scratch;
  on_root(scratch.ranks, [&] {
    Path const kept = scratch.path / "step-1.h5";
    write_atomically(kept, "");
    write_atomically(Path(kept) += ".writing-elsewhere-17", "");
    remove_temporaries(scratch.path);
    EXPECT_EQ(names_in(scratch.path), std::vector<std::string>{"step-1.h5"});
    remove_temporaries(scratch.path / "absent");
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
