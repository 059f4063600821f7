#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include "comm/signals.hpp"

namespace partita {
namespace {

// Returns once some thread has taken what was sent to this process.
void await_taken(int kind) {
  for (sigset_t pending; sigpending(&pending) == 0 && sigismember(&pending, kind) == 1;) std::this_thread::yield();
}
// To this process, as a launcher sends it.
void send(int kind) {
  kill(getpid(), kind);
  await_taken(kind);
}
// The handler may still be running.
bool comes_to_be(int kind) {
  auto const end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (Signals::raised() != kind && std::chrono::steady_clock::now() < end) std::this_thread::yield();
  return Signals::raised() == kind;
}

bool default_action(int kind) {
  struct sigaction now = {};
  EXPECT_EQ(sigaction(kind, nullptr, &now), 0);
  return now.sa_handler == SIG_DFL;
}

TEST(Signals, one_ranks_signal_is_known_to_all) {
  Communicator const ranks = Communicator::world();
  for (int const kind : {SIGTERM, SIGINT, SIGUSR1}) {
    Signals const signals;
    EXPECT_EQ(Signals::raised_on_any_rank(ranks), 0);
    if (ranks.rank() == ranks.ranks() - 1) send(kind);
    EXPECT_TRUE(comes_to_be(ranks.rank() == ranks.ranks() - 1 ? kind : 0));
    EXPECT_EQ(Signals::raised_on_any_rank(ranks), kind);
    EXPECT_EQ(Signals::raised_on_any_rank(ranks), kind);  // and stays so
  }
}

TEST(Signals, a_broken_pipe_is_ignored_while_they_live) {
  {
    Signals const signals;
    send(SIGPIPE);
    EXPECT_EQ(Signals::raised(), 0);
  }
  EXPECT_TRUE(default_action(SIGPIPE));
}

TEST(Signals, the_second_of_a_kind_ends_the_process) {
  Signals const signals;
  EXPECT_FALSE(default_action(SIGTERM));
  send(SIGTERM);
  EXPECT_TRUE(comes_to_be(SIGTERM));
  EXPECT_TRUE(default_action(SIGTERM));
  EXPECT_FALSE(default_action(SIGUSR1));
}

TEST(Signals, actions_are_restored) {
  ASSERT_TRUE(default_action(SIGUSR1));
  { Signals const signals; }
  EXPECT_TRUE(default_action(SIGUSR1));
}

// What /proc says of a thread: the signals that it blocks, the first as the lowest bit.
std::uint64_t blocked(std::filesystem::path const& thread) {
  std::ifstream status(thread / "status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("SigBlk:")) return std::stoull(line.substr(7), nullptr, 16);
  return 0;
}
bool is_in(std::uint64_t set, int kind) { return set >> (kind - 1) & 1; }
// The same once it runs: a thread that was made a moment ago, as the watchdog's, blocks all signals, those of faults, too, until it is
// scheduled for the first time (glibc's pthread_create), which takes a while on a machine that is busy.
std::uint64_t blocked_when_running(std::filesystem::path const& thread) {
  auto const end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  std::uint64_t set = blocked(thread);
  for (; is_in(set, SIGSEGV) && std::chrono::steady_clock::now() < end; set = blocked(thread)) std::this_thread::yield();
  return set;
}

// Threads that a library started before main keep what they had; they do not compute.
TEST(SignalThread, takes_signals_in_place_of_the_computing_thread) {
  auto const computing = std::to_string(syscall(SYS_gettid));
  int takers = 0;
  for (auto const& thread : std::filesystem::directory_iterator("/proc/self/task")) {
    std::uint64_t const set = blocked_when_running(thread.path());
    for (int const kind : {SIGTERM, SIGINT, SIGUSR1, SIGUSR2, SIGALRM, SIGPROF, SIGVTALRM, SIGCHLD, SIGABRT, SIGRTMIN})
      EXPECT_EQ(is_in(set, kind), is_in(set, SIGHUP)) << "signal " << kind << ", thread " << thread.path();
    for (int const fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS}) EXPECT_FALSE(is_in(set, fault)) << thread.path();
    if (thread.path().filename() == computing) EXPECT_TRUE(is_in(set, SIGHUP));
    else takers += !is_in(set, SIGHUP);
  }
  EXPECT_GE(takers, 1);
}

std::atomic<int> here{0}, elsewhere{0};
std::atomic<pid_t> computing{0};

// A profiler or another library may install what it likes.
TEST(SignalThread, keeps_foreign_handlers_off_the_computing_thread) {
  computing = static_cast<pid_t>(syscall(SYS_gettid));
  struct sigaction action = {}, old = {};
  action.sa_handler = [](int) { (static_cast<pid_t>(syscall(SYS_gettid)) == computing ? here : elsewhere)++; };
  ASSERT_EQ(sigaction(SIGPROF, &action, &old), 0);
  itimerval const every_millisecond{{0, 1000}, {0, 1000}}, never{};
  ASSERT_EQ(setitimer(ITIMER_PROF, &every_millisecond, nullptr), 0);
  auto const end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (elsewhere < 20 && std::chrono::steady_clock::now() < end) continue;  // it computes
  setitimer(ITIMER_PROF, &never, nullptr);
  await_taken(SIGPROF);  // the last one would end the process where nothing handles it
  sigaction(SIGPROF, &old, nullptr);
  EXPECT_EQ(here, 0);
  EXPECT_GE(elsewhere, 20);
}

TEST(SignalThread, lets_child_processes_have_their_signals) {
  pid_t const child = fork();
  if (child == 0) {
    sigset_t now;
    pthread_sigmask(SIG_SETMASK, nullptr, &now);
    _exit(sigismember(&now, SIGTERM) + sigismember(&now, SIGCHLD));
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace partita
