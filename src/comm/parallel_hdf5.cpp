#include "comm/parallel_hdf5.hpp"

#include "comm/mpi.hpp"
#include "core/require.hpp"

namespace partita {

void use_parallel_access(hid_t access_list, Communicator const& ranks) {
  bool const done = H5Pset_fapl_mpio(access_list, *static_cast<MPI_Comm const*>(ranks.native()), MPI_INFO_NULL) >= 0 &&
                    H5Pset_all_coll_metadata_ops(access_list, true) >= 0 && H5Pset_coll_metadata_write(access_list, true) >= 0;
  require_all(done, ExitCode::internal, "this is no HDF5 file access property list, or HDF5 was built without MPI");
}

}  // namespace partita
