#include <gtest/gtest.h>

#include <csignal>

#include "comm/signals.hpp"

namespace partita {
namespace {

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
    if (ranks.rank() == ranks.ranks() - 1) raise(kind);
    EXPECT_EQ(Signals::raised(), ranks.rank() == ranks.ranks() - 1 ? kind : 0);
    EXPECT_EQ(Signals::raised_on_any_rank(ranks), kind);
    EXPECT_EQ(Signals::raised_on_any_rank(ranks), kind);  // and stays so
  }
}

TEST(Signals, a_broken_pipe_is_ignored_while_they_live) {
  {
    Signals const signals;
    raise(SIGPIPE);
    EXPECT_EQ(Signals::raised(), 0);
  }
  EXPECT_TRUE(default_action(SIGPIPE));
}

TEST(Signals, the_second_of_a_kind_ends_the_process) {
  Signals const signals;
  EXPECT_FALSE(default_action(SIGTERM));
  raise(SIGTERM);
  EXPECT_TRUE(default_action(SIGTERM));
  EXPECT_FALSE(default_action(SIGUSR1));
}

TEST(Signals, actions_are_restored) {
  ASSERT_TRUE(default_action(SIGUSR1));
  { Signals const signals; }
  EXPECT_TRUE(default_action(SIGUSR1));
}

}  // namespace
}  // namespace partita
