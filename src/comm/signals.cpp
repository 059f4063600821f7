#include "comm/signals.hpp"

#include <array>
#include <csignal>

#include "core/require.hpp"

namespace partita {
namespace {
constexpr std::array noted_kinds = {SIGTERM, SIGINT, SIGUSR1};
std::array<struct sigaction, noted_kinds.size()> before;
struct sigaction broken_pipe_before;
volatile std::sig_atomic_t noted = 0;

void note(int kind) { noted = kind; }
}  // namespace

Signals::Signals() {
  noted = 0;
  struct sigaction action = {};
  action.sa_handler = note;
  action.sa_flags = SA_RESTART | SA_RESETHAND;  // reading and writing go on; the next of its kind acts as if nothing were installed
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
int Signals::raised_on_any_rank(Communicator const& ranks) {
  return static_cast<int>(ranks.all_reduce(Index(raised()), Reduction::maximum));
}

}  // namespace partita
