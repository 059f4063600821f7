#include "core/require.hpp"

namespace partita {

Failure::Failure(ExitCode code, std::string const& message, FailedOn where, std::source_location at, Leave leave)
    : std::runtime_error(message), code_(code), where_(where), location_(at), leave_(leave) {}

void fail(ExitCode code, std::string const& message, FailedOn where, std::source_location at, Leave leave) {
  throw Failure(code, message, where, at, leave);
}

}  // namespace partita
