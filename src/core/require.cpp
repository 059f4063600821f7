#include "core/require.hpp"

namespace partita {

Failure::Failure(ExitCode code, std::string const& message, FailedOn where, std::source_location at)
    : std::runtime_error(message), code_(code), where_(where), location_(at) {}

void fail(ExitCode code, std::string const& message, FailedOn where, std::source_location at) {
  throw Failure(code, message, where, at);
}

}  // namespace partita
