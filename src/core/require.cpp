#include "core/require.hpp"

namespace partita {

Failure::Failure(ExitCode code, std::string const& message, FailedOn where, std::source_location at, Shutdown shutdown)
    : std::runtime_error(message), code_(code), where_(where), location_(at), shutdown_(shutdown) {}

void fail(ExitCode code, std::string const& message, FailedOn where, std::source_location at, Shutdown shutdown) {
  throw Failure(code, message, where, at, shutdown);
}

}  // namespace partita
