// Partita: trains and samples energy-based models p(x) = exp(-E(x)) / Z.
#include <optional>

#include "comm/environment.hpp"
#include "comm/signals.hpp"
#include "core/memory.hpp"
#include "driver/commands.hpp"

namespace partita {
namespace {

// `run`: with all ranks, which must have been started in the same way.
int compute(int argc, char** argv, std::optional<Failure> const& misread, Arguments const& arguments) {
  // 1. Block signals in the threads that compute; start MPI, Kokkos and NCCL in this order, and end them in reverse.
  Environment const environment(argc, argv);
  Communicator const ranks = Communicator::world();
  try {
    require_same_start(argc, argv, ranks);
    if (misread) throw *misread;
    // 2. A run notes signals from now on and answers them between blocks of steps.
    Signals const signals;
    // 3. Execute the command; a failure on which all ranks agree ends here in order.
    return with_memory_failures([&] { return execute(arguments, ranks); });
  } catch (Failure const& failure) {
    // 4. The message says what, where, why and what to do; the exit code tells what kind of action is needed.
    return Environment::report(failure);
  } catch (std::exception const& error) {
    return Environment::report(Failure(ExitCode::internal, error.what(), FailedOn::this_rank, std::source_location::current()));
  }
}

// Every other command: by one process, without MPI. Signals end it at once.
int look(int argc, char** argv, Arguments const& arguments) {
  Environment const environment(argc, argv, Environment::For::serial);
  return with_memory_failures([&] { return execute(arguments, Communicator::world()); });
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
