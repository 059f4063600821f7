// Files to be read that may be anything.
#pragma once
#include <filesystem>

#include "core/require.hpp"

namespace partita {

// A failure with this code unless the path leads to a regular file: to open a pipe is to wait for its writer, and a device has no end.
void require_regular_file(std::filesystem::path const&, ExitCode, FailedOn = FailedOn::this_rank);

}  // namespace partita
