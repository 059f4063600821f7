#include "comm/parallel_hdf5.hpp"

#include <utility>

#include "comm/mpi.hpp"
#include "comm/watchdog.hpp"

namespace partita {
namespace {

std::function<Failure(std::string const&)> end_of_failed_write;  // empty outside of the life of FailedWrites

// Open MPI 4.1 reports some failed writes only by too small a number of bytes. The number is undefined where a rank had none to write.
bool is_whole(int count, MPI_Datatype type, MPI_Status const* status) {
  MPI_Count size = 0, written = 0;
  if (count == 0 || status == MPI_STATUS_IGNORE || MPI_Type_size_x(type, &size) != MPI_SUCCESS || size == 0) return true;
  return MPI_Get_elements_x(status, MPI_BYTE, &written) == MPI_SUCCESS && written == count * size;
}

int checked_write(int result, int count, MPI_Datatype type, MPI_Status const* status) {
  bool const written = result == MPI_SUCCESS && is_whole(count, type, status);
  if (!written && end_of_failed_write)
    end_job_with(std::exchange(end_of_failed_write, {})(result == MPI_SUCCESS ? "too few bytes were written" : mpi::reason(result)));
  return result;
}

}  // namespace

FailedWrites::FailedWrites(std::function<Failure(std::string const&)> end) { end_of_failed_write = std::move(end); }
FailedWrites::~FailedWrites() { end_of_failed_write = {}; }

void use_parallel_access(hid_t access_list, Communicator const& ranks) {
  bool const done = H5Pset_fapl_mpio(access_list, *static_cast<MPI_Comm const*>(ranks.native()), MPI_INFO_NULL) >= 0 &&
                    H5Pset_all_coll_metadata_ops(access_list, true) >= 0 && H5Pset_coll_metadata_write(access_list, true) >= 0;
  require_all(done, ExitCode::internal, "this is not an HDF5 file access property list, or HDF5 was built without MPI");
}

}  // namespace partita

// MPI's profiling interface: HDF5's writes pass here.
extern "C" {
int MPI_File_write_at(MPI_File file, MPI_Offset at, void const* values, int count, MPI_Datatype type, MPI_Status* status) {
  return partita::checked_write(PMPI_File_write_at(file, at, values, count, type, status), count, type, status);
}
int MPI_File_write_at_all(MPI_File file, MPI_Offset at, void const* values, int count, MPI_Datatype type, MPI_Status* status) {
  return partita::checked_write(PMPI_File_write_at_all(file, at, values, count, type, status), count, type, status);
}
}
