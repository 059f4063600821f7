// Files that all ranks write together.
#pragma once
#include <hdf5.h>

#include "comm/communicator.hpp"

namespace partita {

// Sets a file access property list to MPI-IO over these ranks, with metadata read and written collectively.
void use_parallel_access(hid_t access_list, Communicator const&);

}  // namespace partita
