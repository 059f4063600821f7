// Files that all ranks write together.
#pragma once
#include <hdf5.h>

#include <functional>
#include <string>

#include "comm/communicator.hpp"
#include "core/require.hpp"

namespace partita {

// Sets a file access property list to MPI-IO over these ranks, with metadata read and written collectively.
void use_parallel_access(hid_t access_list, Communicator const&);

// During its life a write that fails in MPI-IO on this rank ends the job immediately, with the failure that `end` makes of MPI's
// reason: HDF5 would go on to collective calls that the other ranks do not make, and all would wait for ever. One object at a time.
class FailedWrites {
 public:
  explicit FailedWrites(std::function<Failure(std::string const& reason)> end);
  ~FailedWrites();
  FailedWrites(FailedWrites const&) = delete;
  FailedWrites& operator=(FailedWrites const&) = delete;
};

}  // namespace partita
