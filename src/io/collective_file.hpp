// HDF5 files that all ranks write together, whole or absent after a crash or a failure.
#pragma once
#include <functional>
#include <vector>

#include "comm/communicator.hpp"
#include "io/hdf5.hpp"

namespace partita {

// Collective. Under a temporary name, `frame` lays the file out (by the root: groups, attributes, datasets, small values); each of `blocks`
// writes one dataset from all ranks; the file is closed and synchronised; `seal` sees it before it gets its name.
// A Failure is met by all ranks and leaves what had the name.
void write_collectively(
    Path const&, Communicator const&, std::function<void(hdf5::File const&)> const& frame,
    std::vector<std::function<void(hdf5::File const&)>> const& blocks,
    std::function<void(Path const& temporary)> const& seal = [](Path const&) {});

// The same by one process.
void write_alone(Path const&, std::function<void(hdf5::File const&)> const& content);

}  // namespace partita
