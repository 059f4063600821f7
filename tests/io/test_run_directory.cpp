#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "io/run_directory.hpp"
#include "io/run_lock.hpp"
#include "scratch.hpp"

using namespace partita;
using namespace std::chrono_literals;

TEST(RunDirectory, MakesItsFoldersAndKnowsARun) {
  Scratch scratch;
  RunDirectory const run(scratch.path / "runs" / "a run µ");
  EXPECT_FALSE(run.has_run(scratch.ranks));
  run.create(scratch.ranks);
  run.create(scratch.ranks);
  EXPECT_TRUE(std::filesystem::is_directory(run.checkpoints()));
  on_root(scratch.ranks, [&] { run.write_deck("[run]\n"); });
  EXPECT_TRUE(run.has_run(scratch.ranks));
  on_root(scratch.ranks, [&] {
    write_atomically(run.samples() / "part-000000.h5.writing-there-3", "");
    run.write_summary(Json::Object{{"status", "done"}});
    EXPECT_EQ(read_text(run.summary()), "{\n  \"status\": \"done\"\n}\n");
  });
  run.remove_unfinished(scratch.ranks);
  EXPECT_TRUE(names_in(run.samples()).empty());
}

TEST(RunDirectory, SaysWhyItCannotBeMade) {
  Scratch scratch;
  Path const file = scratch.path / "file";
  on_root(scratch.ranks, [&] { write_atomically(file, ""); });
  expect_failure(ExitCode::storage, {file.string(), "Not a directory"}, [&] { RunDirectory(file).create(scratch.ranks); });
  expect_failure(ExitCode::storage, {"Not a directory"}, [&] { RunDirectory(file / "run").create(scratch.ranks); });
}

TEST(RunDirectory, ReadOnlyFileSystem) {
  Scratch scratch;
  SmallFileSystem const small(scratch.path, "size=64k");
  if (!small.mounted() || !small.make_read_only()) GTEST_SKIP() << "needs permission to mount a tmpfs";
  expect_failure(ExitCode::storage, {"Read-only file system"}, [&] { RunDirectory(scratch.path / "run").create(scratch.ranks); });
}

TEST(RunDirectory, ForbiddenFolder) {
  if (::geteuid() == 0) GTEST_SKIP() << "root may write everywhere";
  Scratch scratch;
  std::filesystem::permissions(scratch.path, std::filesystem::perms::owner_read | std::filesystem::perms::owner_exec);
  expect_failure(ExitCode::storage, {"Permission denied"}, [&] { RunDirectory(scratch.path / "run").create(scratch.ranks); });
  std::filesystem::permissions(scratch.path, std::filesystem::perms::owner_all);
}

// A process that holds an fcntl lock until it is killed.
class OtherHolder {
 public:
  explicit OtherHolder(Path const& lock) {
    int ready[2];
    if (::pipe(ready) != 0) return;
    child_ = ::fork();
    if (child_ == 0) {
      int const file = ::open(lock.c_str(), O_RDWR | O_CREAT, 0666);
      struct flock whole {};
      whole.l_type = F_WRLCK;
      char const content[] = "host elsewhere, process 4711\n";
      bool const held = ::fcntl(file, F_SETLK, &whole) == 0 && ::write(file, content, sizeof content - 1) > 0;
      if (::write(ready[1], &held, 1) == 1) ::pause();
      ::_exit(0);
    }
    char held = 0;
    EXPECT_TRUE(::read(ready[0], &held, 1) == 1 && held);
    ::close(ready[0]);
    ::close(ready[1]);
  }
  void end() {
    ::kill(child_, SIGKILL);
    ::waitpid(child_, nullptr, 0);
  }

 private:
  pid_t child_ = -1;
};

TEST(RunLock, SecondRunIsRefusedAndAKilledHolderIsNot) {
  Scratch scratch;
  RunDirectory const run(scratch.path);
  run.create(scratch.ranks);
  std::optional<OtherHolder> other;
  if (scratch.ranks.is_root()) other.emplace(run.lock());
  scratch.ranks.barrier();
  expect_failure(ExitCode::locked, {scratch.path.string(), "host elsewhere, process 4711"}, [&] { RunLock(run, scratch.ranks); });
  if (other) other->end();
  {
    RunLock const lock(run, scratch.ranks);
    on_root(scratch.ranks,
            [&] { EXPECT_THAT(read_text(run.lock()), testing::AllOf(testing::StartsWith("host "), testing::HasSubstr("started 2"))); });
    expect_failure(ExitCode::locked, {"started 2"}, [&] { RunLock(run, scratch.ranks); });  // in the same process too
  }
  RunLock const again(run, scratch.ranks);
}

TEST(RunLock, HeartbeatWhereThereAreNoLocks) {
  Scratch scratch;
  RunDirectory const run(scratch.path);
  run.create(scratch.ranks);
  {
    RunLock const lock(run, scratch.ranks, LockKind::heartbeat, 10ms);
    expect_failure(ExitCode::locked, {"host ", "process "}, [&] { RunLock(run, scratch.ranks, LockKind::heartbeat, 30ms); });
  }
  Path const alive = Path(run.lock()) += ".alive";
  on_root(scratch.ranks, [&] { EXPECT_FALSE(std::filesystem::exists(alive)); });
  on_root(scratch.ranks, [&] { write_atomically(alive, "a dead run"); });
  RunLock const taken(run, scratch.ranks, LockKind::heartbeat, 10ms);
  on_root(scratch.ranks, [&] { EXPECT_THAT(read_text(alive), testing::HasSubstr(std::to_string(::getpid()))); });
}
