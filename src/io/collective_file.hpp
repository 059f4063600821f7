// HDF5 files that all ranks write together; after a crash or a failure they are complete or absent.
#pragma once
#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "comm/communicator.hpp"
#include "io/hdf5.hpp"

namespace partita {

// The part of a dataset that one rank writes: rows first ... first + count of axis 0, row-major in memory as in the file. They are written,
// and read back, in stripes of so many rows, beside which nothing is held twice.
struct Block {
  std::string dataset;
  Index first, count;
  hid_t type;
  Index bytes_of_row;
  std::function<void(void* to, Index row, Index rows)> copy;  // rows counted from `first`
  Index chunk = 1;                                            // rows of a chunk, whose first row is a multiple of it
};
constexpr Index bytes_of_stripe = Index{32} << 20;  // or one chunk, where that has more
// Rows of a stripe, at most `rows`.
Index rows_of_stripe(Index rows, Index bytes_of_row, Index chunk = 1);

// Collective. Under a temporary name, `frame` lays the file out (on the root: groups, attributes, datasets, small values); the ranks write
// their blocks, the same datasets in the same order on all. The file is closed, synchronised and read back, since some MPI libraries take
// a short write on a full disk for a complete one; `seal` is called before it gets its name. After a Failure an earlier file of that name
// is still there. The Failure is on all ranks or, inside HDF5's own collective calls, on one rank that leaves at once.
void write_collectively(
    Path const&, Communicator const&, std::function<void(hdf5::File const&)> const& frame, std::vector<Block> const&,
    std::function<void(Path const& temporary)> const& seal = [](Path const&) {}, Communicator::Place = Communicator::Place::current());

// The same for one process, and for the root alone (collective, with a seal).
void write_alone(Path const&, std::function<void(hdf5::File const&)> const& content);
void write_alone(Path const&, Communicator const&, std::function<void(hdf5::File const&)> const& content,
                 std::function<void(Path const& temporary)> const& seal);

}  // namespace partita
