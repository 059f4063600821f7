#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <thread>

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
    write_file(run.samples() / "part-000000.h5.writing-00c0ffee", "");
    run.write_summary(Json::Object{{"status", "done"}});
    EXPECT_EQ(read_text(run.summary()), "{\n  \"status\": \"done\"\n}\n");
  });
  run.remove_unfinished(scratch.ranks);
  EXPECT_TRUE(names_in(run.samples()).empty());
}

// Two runs that start at once both make the mark; the one that has the lock removes unfinished files, the mark of the other among them.
TEST(RunDirectory, TheMarkMayBeMadeByAnotherRun) {
  Scratch scratch;
  int taken = 0;
  for (int trial = 0; trial < 100; trial++) {
    RunDirectory const run(scratch.path / std::to_string(trial));
    on_root(scratch.ranks, [&] { std::filesystem::create_directories(run.root()); });
    std::jthread const other([&](std::stop_token stop) {
      while (scratch.ranks.is_root() && !stop.stop_requested())
        for (std::string const& name : names_in(run.root()))
          if (name_of_temporary(name)) {
            std::ofstream(run.mark()) << "partita run directory 1\n";
            std::error_code gone;
            taken += std::filesystem::remove(run.root() / name, gone);
            return;
          }
    });
    EXPECT_NO_THROW(run.create(scratch.ranks));
  }
  if (scratch.ranks.is_root()) {
    EXPECT_GT(taken, 0) << "no trial met the unfinished file";
  }
}

// Names of ours are exactly what our own formats give.
TEST(RunDirectory, OtherFilesStayWhateverTheyAreCalled) {
  Scratch scratch;
  RunDirectory const run(scratch.path / "run");
  std::vector<Path> const others{run.root() / "notes.txt",
                                 run.root() / "history.h5.old",
                                 run.root() / "notes.writing-guide.txt",
                                 run.root() / "notes.writing-01234567",
                                 run.samples() / "measured.csv",
                                 run.samples() / "part-1.h5",
                                 run.samples() / "part-0000001.h5",
                                 run.samples() / "part-000001.h5.old",
                                 run.samples() / "part-99999999999999999999.h5",
                                 run.samples() / "part--00001.h5",
                                 run.samples() / "part-000001.h5.writing-guide",
                                 run.checkpoints() / "thesis.tex",
                                 run.checkpoints() / "step-1.h5",
                                 run.checkpoints() / "step-99999999999999999999.h5",
                                 run.checkpoints() / "step-best.manifest",
                                 run.estimates() / "mine.h5",
                                 run.estimates() / "energy_grid.csv"};
  std::vector<Path> const own{run.deck(),
                              run.log(),
                              run.summary(),
                              run.history(),
                              run.all_samples(),
                              run.checkpoint(7),
                              manifest_of(run.checkpoint(7)),
                              run.earlier_history(),
                              run.part(1),
                              manifest_of(run.part(1)),
                              run.estimate("energy_grid")};
  on_root(scratch.ranks, [&] {
    for (Path const& folder : {run.samples(), run.checkpoints(), run.estimates()}) std::filesystem::create_directories(folder);
    for (Path const& file : others) write_file(file, "mine");
  });
  run.create(scratch.ranks);
  on_root(scratch.ranks, [&] {
    for (Path const& file : own) write_file(file, "");
    write_file(run.part(2) += ".writing-00c0ffee", "");
    EXPECT_EQ(run.part_numbers(), std::vector<Index>{1});
    EXPECT_EQ(run.checkpoint_steps(), std::vector<Index>{7});
  });
  EXPECT_TRUE(run.has_run(scratch.ranks));
  run.remove_unfinished(scratch.ranks);
  run.remove_run(scratch.ranks);
  on_root(scratch.ranks, [&] {
    for (Path const& file : others) EXPECT_EQ(read_text(file), "mine") << file;
    for (Path const& file : own) EXPECT_FALSE(std::filesystem::exists(file)) << file;
    EXPECT_FALSE(std::filesystem::exists(run.part(2) += ".writing-00c0ffee"));
    EXPECT_TRUE(std::filesystem::exists(run.mark()));
  });
  EXPECT_FALSE(run.has_run(scratch.ranks));
  on_root(scratch.ranks, [&] { write_file(run.status(), ""); });
  run.remove_run(scratch.ranks);
  EXPECT_TRUE(run.has_run(scratch.ranks));  // the status stays: it tells what is going on
}

TEST(RunDirectory, IsNotTakenWithoutItsMark) {
  Scratch scratch;
  for (std::string const name :
       {"deck.toml", "run.lock", "samples/part-000003.h5", "checkpoints/step-0000000000010.manifest", "run.mark"}) {
    Path const file = scratch.path / name, aside = scratch.path.parent_path() / (scratch.path.filename().string() + " aside");
    on_root(scratch.ranks, [&] {
      std::filesystem::create_directories(file.parent_path());
      write_file(file, "mine");
    });
    RunDirectory const run(scratch.path);
    expect_failure(ExitCode::usage, {file.string(), "would replace", "run.output"}, [&] { run.create(scratch.ranks); });
    EXPECT_FALSE(run.has_run(scratch.ranks));
    on_root(scratch.ranks, [&] {
      EXPECT_EQ(read_text(file), "mine");
      std::filesystem::remove(file);
    });
  }
}

TEST(RunDirectory, ADirectoryInPlaceOfAFileIsFoundAtTheStart) {
  Scratch scratch;
  RunDirectory const run(scratch.path);
  run.create(scratch.ranks);
  on_root(scratch.ranks, [&] { std::filesystem::create_directories(run.summary() / "mine"); });
  expect_failure(ExitCode::usage, {run.summary().string(), "is a directory"}, [&] { run.create(scratch.ranks); });
  EXPECT_TRUE(std::filesystem::exists(run.summary() / "mine"));
}

TEST(RunDirectory, LinkedDirectoriesAreTaken) {
  Scratch scratch;
  on_root(scratch.ranks, [&] {
    std::filesystem::create_directories(scratch.path / "disk" / "samples");
    std::filesystem::create_directories(scratch.path / "home");
    std::filesystem::create_directory_symlink(scratch.path / "disk", scratch.path / "run");
  });
  RunDirectory const run(scratch.path / "run");
  run.create(scratch.ranks);
  on_root(scratch.ranks, [&] { EXPECT_TRUE(std::filesystem::exists(scratch.path / "disk" / "run.mark")); });
}

TEST(RunDirectory, PathsThatAreTooLongAreFoundAtTheStart) {
  Scratch scratch;
  expect_failure(ExitCode::usage, {"300 characters", "run.output"},
                 [&] { RunDirectory(scratch.path / std::string(300, 'x')).create(scratch.ranks); });
  Path deep = scratch.path;
  while (deep.native().size() < 4050) deep /= std::string(100, 'y');
  expect_failure(ExitCode::usage, {"choose a shorter run.output"}, [&] { RunDirectory(deep).create(scratch.ranks); });
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
  Path const alive = run.alive();
  on_root(scratch.ranks, [&] { EXPECT_FALSE(std::filesystem::exists(alive)); });
  on_root(scratch.ranks, [&] { write_atomically(alive, "a dead run"); });
  RunLock const taken(run, scratch.ranks, LockKind::heartbeat, 10ms);
  on_root(scratch.ranks, [&] { EXPECT_THAT(read_text(alive), testing::HasSubstr(std::to_string(::getpid()))); });
}

TEST(RunLock, ALinkIsNotFollowed) {
  Scratch scratch;
  RunDirectory const run(scratch.path);
  run.create(scratch.ranks);
  on_root(scratch.ranks, [&] {
    write_file(scratch.path / "victim", "precious");
    std::filesystem::create_symlink(scratch.path / "victim", run.lock());
  });
  expect_failure(ExitCode::storage, {run.lock().string(), "symbolic link"}, [&] { RunLock(run, scratch.ranks); });
  on_root(scratch.ranks, [&] { EXPECT_EQ(read_text(scratch.path / "victim"), "precious"); });
}

TEST(RunLock, IsSeenFromOutside) {
  Scratch scratch;
  RunDirectory const run(scratch.path);
  run.create(scratch.ranks);
  EXPECT_FALSE(RunLock::is_held(run));
  scratch.ranks.barrier();
  {
    RunLock const lock(run, scratch.ranks);
    EXPECT_TRUE(RunLock::is_held(run));
    scratch.ranks.barrier();
  }
  scratch.ranks.barrier();
  EXPECT_FALSE(RunLock::is_held(run));
}
