// Checks that a path to be read leads to a regular file.
#pragma once
#include <filesystem>

#include "core/require.hpp"

namespace partita {

// A Failure with this code unless the path leads to a regular file: opening a pipe waits for its writer, and a device has no end.
void require_regular_file(std::filesystem::path const&, ExitCode, FailedOn = FailedOn::this_rank);

}  // namespace partita
