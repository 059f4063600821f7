// A run that fails as its argument says, for the tests of what the launcher and the user then see.
#include <csignal>
#include <stdexcept>
#include <string>

#include "comm/environment.hpp"
#include "comm/signals.hpp"

using namespace partita;

static void fail_as(std::string const& how) {
  Communicator const ranks = Communicator::world();
  bool const last = ranks.rank() == ranks.ranks() - 1;
  if (how == "together") require_all(false, ExitCode::usage, "a mistake in the deck");
  if (how == "alone") require(!last, ExitCode::numerical, "a chain is not finite");
  if (how == "internal") require(!last, ExitCode::internal, "a bug");
  if (how == "exception" && last) throw std::runtime_error("something else");
  if (how == "signal_twice") {
    Signals const signals;
    raise(SIGUSR1);
    raise(SIGUSR1);
  }
  ranks.barrier();
}

int main(int argc, char** argv) try {
  Environment const environment(argc, argv);
  try {
    fail_as(argv[1]);
  } catch (std::exception const& e) {
    return Environment::report(e);
  }
} catch (std::exception const& e) {
  return Environment::report(e);
}
