#include "comm/signals.hpp"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <atomic>

#include "core/require.hpp"

namespace partita {
namespace {

sigset_t mask_of_children;
void restore_mask_in_child() { pthread_sigmask(SIG_SETMASK, &mask_of_children, nullptr); }

// A fault of the processor has to be handled in the thread that caused it.
sigset_t all_but_faults() {
  sigset_t set;
  sigfillset(&set);
  for (int const fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS}) sigdelset(&set, fault);
  return set;
}

constexpr std::array noted_kinds = {SIGTERM, SIGINT, SIGUSR1};
std::array<struct sigaction, noted_kinds.size()> before;
struct sigaction broken_pipe_before;
std::atomic<int> noted{0};  // written on the signal thread, read on others
static_assert(std::atomic<int>::is_always_lock_free);

void note(int kind) { noted = kind; }

}  // namespace

SignalThread::SignalThread() {
  sigset_t const held = all_but_faults();
  end_ = eventfd(0, EFD_CLOEXEC);
  require(end_ >= 0 && pthread_sigmask(SIG_SETMASK, &held, &before_) == 0, ExitCode::internal,
          "signals cannot be blocked in the threads that compute");
  mask_of_children = before_;
  static int const registered = pthread_atfork(nullptr, nullptr, restore_mask_in_child);
  require(registered == 0, ExitCode::internal, "child processes would inherit blocked signals");
  thread_ = std::thread([mask = before_, end = end_] {
    sigset_t open = mask;
    for (int const kind : noted_kinds) sigdelset(&open, kind);  // also where the launcher has blocked them
    pthread_sigmask(SIG_SETMASK, &open, nullptr);
    pollfd ended{end, POLLIN, 0};
    while (poll(&ended, 1, -1) < 0) continue;  // a signal was handled
  });
}
SignalThread::~SignalThread() {
  eventfd_write(end_, 1);
  thread_.join();
  close(end_);
  pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

Signals::Signals() {
  noted = 0;
  struct sigaction action = {};
  action.sa_handler = note;
  action.sa_flags = SA_RESTART | SA_RESETHAND;  // reads and writes resume; the next signal of this kind has its default action
  sigemptyset(&action.sa_mask);
  for (std::size_t i = 0; i < noted_kinds.size(); i++)
    require(sigaction(noted_kinds[i], &action, &before[i]) == 0, ExitCode::internal, "signal {} cannot be handled", noted_kinds[i]);
  action.sa_handler = SIG_IGN;
  require(sigaction(SIGPIPE, &action, &broken_pipe_before) == 0, ExitCode::internal, "signal {} cannot be ignored", SIGPIPE);
}
Signals::~Signals() {
  sigaction(SIGPIPE, &broken_pipe_before, nullptr);
  for (std::size_t i = 0; i < noted_kinds.size(); i++) sigaction(noted_kinds[i], &before[i], nullptr);
}

int Signals::raised() { return noted; }
std::string Signals::name(int number) {
  for (auto const& [kind, text] : {std::pair(SIGTERM, "TERM"), std::pair(SIGINT, "INT"), std::pair(SIGUSR1, "USR1")})
    if (kind == number) return text;
  return std::to_string(number);
}
int Signals::raised_on_any_rank(Communicator const& ranks) { return int(ranks.all_reduce(Index(raised()), Reduction::maximum)); }

}  // namespace partita
