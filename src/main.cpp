// Partita: trains and samples energy-based models p(x) = exp(-E(x)) / Z.
#include <optional>

#include "comm/environment.hpp"
#include "comm/signals.hpp"
#include "core/memory.hpp"
#include "driver/commands.hpp"

namespace partita {
namespace {

// `run`: with all ranks, which were started alike.
int compute(int argc, char** argv, std::optional<Failure> const& misread, Arguments const& arguments) {
  // 1. Signals away from the threads that compute; MPI, Kokkos, NCCL, in this order, and back at the end.
  Environment const environment(argc, argv);
  Communicator const ranks = Communicator::world();
  try {
    require_same_start(argc, argv, ranks);
    if (misread) throw *misread;
    // 2. A run notes signals from now on and answers them between blocks of steps.
    Signals const signals;
    // 3. Do it; what every rank agrees on ends here in order.
    return naming_memory([&] { return execute(arguments, ranks); });
  } catch (Failure const& failure) {
    // 4. Say what, where, why and what to do; the exit code tells who has to act.
    return Environment::report(failure);
  } catch (std::exception const& error) {
    return Environment::report(Failure(ExitCode::internal, error.what(), FailedOn::this_rank, std::source_location::current()));
  }
}

// Every other command: by one process, without MPI. Signals end it at once.
int look(int argc, char** argv, Arguments const& arguments) {
  Environment const environment(argc, argv, Environment::For::looking_alone);
  return naming_memory([&] { return execute(arguments, Communicator::world()); });
}

}  // namespace
}  // namespace partita

int main(int argc, char** argv) {
  using namespace partita;
  try {
    bool const first = rank_announced() == 0;
    Arguments arguments;
    std::optional<Failure> misread;
    try {
      arguments = parse_arguments(argc, argv, first ? Output::shown : Output::hidden);
    } catch (Failure const& failure) {
      if (ranks_announced() == 1) throw;
      misread = failure;
    }
    if (!misread && arguments.command.empty()) return 0;  // help or the version was printed
    if (misread || arguments.command == "run") return compute(argc, argv, misread, arguments);
    return first ? look(argc, argv, arguments) : 0;
  } catch (Failure const& failure) {  // before the ranks know of each other
    return Environment::report(failure);
  } catch (std::exception const& error) {
    return Environment::report(Failure(ExitCode::internal, error.what(), FailedOn::this_rank, std::source_location::current()));
  }
}
