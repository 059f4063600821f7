// Steps of file work that all ranks finish or fail together.
#pragma once
#include <filesystem>
#include <optional>

#include "comm/communicator.hpp"
#include "core/require.hpp"

namespace partita {

// Collective: if any rank passes a failure, throws on every rank, with the message of the first rank that failed. `at` is the caller's
// place.
void agree(Communicator const&, std::optional<Failure> const& mine, Communicator::Place at = Communicator::Place::current());

// Runs `part` on every rank; if it fails on one, all ranks fail. `part` makes no collective call: a rank that fails before such a call
// would leave the others in it. A failure with Shutdown::immediate is rethrown as it is.
template <class Part>
void together(Communicator const& ranks, Part&& part, Communicator::Place at = Communicator::Place::current()) {
  std::optional<Failure> mine;
  try {
    part();
  } catch (Failure const& failure) {
    if (failure.shutdown() == Shutdown::immediate) throw;
    mine = failure;
  } catch (std::filesystem::filesystem_error const& error) {
    mine = Failure(ExitCode::storage, error.what(), FailedOn::this_rank, std::source_location::current());
  }
  agree(ranks, mine, at);
}

// The same for work of the root alone.
template <class Part>
void on_root(Communicator const& ranks, Part&& part, Communicator::Place at = Communicator::Place::current()) {
  together(
      ranks,
      [&] {
        if (ranks.is_root()) part();
      },
      at);
}

}  // namespace partita
