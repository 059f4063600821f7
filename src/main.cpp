// Partita: trains and samples energy-based models p(x) = exp(-E(x)) / Z.
#include <optional>

#include "comm/environment.hpp"
#include "comm/signals.hpp"
#include "core/memory.hpp"
#include "driver/commands.hpp"

int main(int argc, char** argv) {
  using namespace partita;
  try {
    // 1. Signals away from the threads that compute; MPI, Kokkos, NCCL, in this order, and back at the end.
    Environment const environment(argc, argv);
    Communicator const ranks = Communicator::world();
    try {
      // 2. What to do.
      require_same_start(argc, argv, ranks);
      Arguments const arguments = parse_arguments(argc, argv, ranks);
      // 3. A run notes signals from now on and answers them between blocks of steps; they end every other command at once.
      std::optional<Signals> signals;
      if (arguments.command == "run") signals.emplace();
      // 4. Do it; what every rank agrees on ends here in order.
      return naming_memory([&] { return execute(arguments, ranks); });
    } catch (Failure const& failure) {
      // 5. Say what, where, why and what to do; the exit code tells who has to act.
      return Environment::report(failure);
    } catch (std::exception const& error) {
      return Environment::report(Failure(ExitCode::internal, error.what(), FailedOn::this_rank, std::source_location::current()));
    }
  } catch (Failure const& failure) {  // before the ranks know of each other
    return Environment::report(failure);
  }
}
