// Steps of file work that all ranks finish or fail together.
#pragma once
#include <filesystem>
#include <optional>

#include "comm/communicator.hpp"
#include "core/require.hpp"

namespace partita {

// Collective: throws on every rank, with the message of the first rank that failed, if any rank brings a failure.
void agree(Communicator const&, std::optional<Failure> const& mine);

// Runs `part` on every rank and lets all ranks fail where one does. A `part` that calls collectively should do so once,
// for a rank that fails leaves the calls after it out.
template <class Part>
void together(Communicator const& ranks, Part&& part) {
  std::optional<Failure> mine;
  try {
    part();
  } catch (Failure const& failure) {
    mine = failure;
  } catch (std::filesystem::filesystem_error const& error) {
    mine = Failure(ExitCode::storage, error.what(), FailedOn::this_rank, std::source_location::current());
  }
  agree(ranks, mine);
}

// The same for work of the root alone.
template <class Part>
void on_root(Communicator const& ranks, Part&& part) {
  together(ranks, [&] {
    if (ranks.is_root()) part();
  });
}

}  // namespace partita
