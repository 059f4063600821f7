#include "comm/mpi.hpp"

#include <string>

#include "core/require.hpp"

namespace partita::mpi {

void check(int code, char const* call, std::source_location at) {
  if (code == MPI_SUCCESS) return;
  std::string reason(MPI_MAX_ERROR_STRING, '\0');
  int length = 0;
  if (MPI_Error_string(code, reason.data(), &length) != MPI_SUCCESS) length = 0;
  reason.resize(static_cast<std::size_t>(length));
  fail(ExitCode::communication,
       fmt::format("{} failed ({}): a rank or the network is gone; restart the run from its last checkpoint", call, reason),
       FailedOn::this_rank, at);
}

}  // namespace partita::mpi
