#include "comm/mpi.hpp"

#include "core/require.hpp"

namespace partita::mpi {

std::string reason(int code) {
  std::string text(MPI_MAX_ERROR_STRING, '\0');
  int length = 0;
  if (MPI_Error_string(code, text.data(), &length) != MPI_SUCCESS) length = 0;
  text.resize(length);
  return text;
}

void check(int code, char const* call, std::source_location at) {
  if (code == MPI_SUCCESS) return;
  fail(ExitCode::communication,
       fmt::format("{} failed ({}): a rank or the network is gone; restart the run from its last checkpoint", call, reason(code)),
       FailedOn::this_rank, at);
}

}  // namespace partita::mpi
