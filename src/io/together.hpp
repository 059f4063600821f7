// Steps of file work that all ranks finish or fail together.
#pragma once
#include <filesystem>
#include <optional>

#include "comm/communicator.hpp"
#include "core/require.hpp"

namespace partita {

// Collective: throws on every rank, with the message of the first rank that failed, if any rank brings a failure. `at` is the caller's
// place.
void agree(Communicator const&, std::optional<Failure> const& mine, Communicator::Place at = Communicator::Place::current());

// Runs `part` on every rank and lets all ranks fail where one does. `part` calls nothing collective: a rank that fails before such a call
// would leave the others in it. A failure that leaves at once passes.
template <class Part>
void together(Communicator const& ranks, Part&& part, Communicator::Place at = Communicator::Place::current()) {
  std::optional<Failure> mine;
  try {
    part();
  } catch (Failure const& failure) {
    if (failure.leave() == Leave::at_once) throw;
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
