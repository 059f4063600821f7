#include <sys/wait.h>
#include <unistd.h>

#include "io/run_lock.hpp"
#include "io/run_status.hpp"
#include "scratch.hpp"

using namespace partita;

namespace {

// On the root, of a run directory that holds nothing else.
class Status : public testing::Test {
 protected:
  Status() { run.create(scratch.ranks); }
  void put(RunStatus const& s) const { write_status(run, s); }
  Scratch scratch;
  RunDirectory run{scratch.path};
};

}  // namespace

TEST_F(Status, ComesBackAsItWasWritten) {
  if (!scratch.ranks.is_root()) return;
  EXPECT_FALSE(read_status(run));
  auto const process = ProcessIdentity::of_this_process();
  put({"failed", 4, "cannot write \"caf\xc3\xa9\"\nno space", 17, process, "0123abcd"});
  auto const s = read_status(run);
  ASSERT_TRUE(s);
  EXPECT_EQ(s->status, "failed");
  EXPECT_EQ(s->exit_code, 4);
  EXPECT_EQ(s->reason, "cannot write \"caf\xc3\xa9\"\nno space");
  EXPECT_EQ(s->step, 17);
  EXPECT_EQ(s->process, process);
  EXPECT_EQ(s->deck_hash, "0123abcd");
}

TEST_F(Status, WhatIsNoStatusIsNone) {
  if (!scratch.ranks.is_root()) return;
  for (std::string const& text :
       {std::string(), std::string("{"), std::string("[1, 2]"), std::string("{\"status\": 3}"), std::string(100000, '['),
        std::string("{\"status\": \"done\", \"reason\": \"\\xff\", \"exit_code\": 0}")}) {
    write_atomically(run.status(), text);
    EXPECT_FALSE(read_status(run)) << text.substr(0, 40);
  }
}

TEST_F(Status, ARunWhoseProcessIsGoneHasDied) {
  if (!scratch.ranks.is_root()) return;
  auto const me = ProcessIdentity::of_this_process();
  put({"running", {}, "", 5, me, ""});
  EXPECT_EQ(true_status(run)->status, "running");
  auto earlier = me;  // the same number, given to another process before
  earlier.start--;
  put({"running", {}, "", 5, earlier, ""});
  EXPECT_EQ(true_status(run)->status, "died");
  EXPECT_FALSE(true_status(run)->exit_code);
  EXPECT_EQ(true_status(run)->step, 5);
  put({"done", 0, "", 5, earlier, ""});
  EXPECT_EQ(true_status(run)->status, "done");
}

TEST_F(Status, OnAnotherHostTheHeartbeatTells) {
  if (!scratch.ranks.is_root()) return;
  put({"running", {}, "", 5, {"elsewhere", 1, 1, ""}, ""});
  EXPECT_EQ(true_status(run)->status, "died");
  write_file(run.lock(), "host elsewhere\n");
  EXPECT_EQ(true_status(run)->status, "running");
  std::filesystem::last_write_time(run.lock(), std::filesystem::file_time_type::clock::now() - std::chrono::hours(1));
  EXPECT_EQ(true_status(run)->status, "died");
}

TEST_F(Status, AHeldLockIsALivingRun) {
  RunLock const lock(run, scratch.ranks);
  on_root(scratch.ranks, [&] {
    put({"running", {}, "", 5, {ProcessIdentity::of_this_process().host, 1 << 30, 1, ""}, ""});
    EXPECT_EQ(true_status(run)->status, "running");
  });
}
