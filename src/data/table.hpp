// Rows of numbers as they were read or generated, in the element type of their source.
#pragma once
#include <string>
#include <variant>
#include <vector>

#include "core/types.hpp"

namespace partita::data {

struct Table {
  std::string source;  // file and dataset, for messages
  Index rows = 0;
  std::vector<Index> shape;                                            // of one row: {28, 28} for images
  std::variant<std::vector<std::uint8_t>, std::vector<float>> values;  // (row, entry), bytes stay bytes

  Index dimension() const {
    Index n = 1;
    for (Index e : shape) n *= e;
    return n;
  }
};

// Readers. `limit` is the largest number of rows that is read, 0: all. Anything wrong with the file is Failure(ExitCode::data, all ranks),
// so they are called where every rank will hear of it (load in dataset.hpp).

// The idx format of LeCun's MNIST files, unsigned bytes or big-endian floats, plain or gzipped, at least two axes.
Table read_idx(std::string const& path, Index limit);
// Any integer or floating-point dataset of at least two axes; unsigned bytes stay bytes, all else becomes float.
Table read_hdf5(std::string const& path, std::string const& dataset, Index limit);
// Comma-separated numbers, one row a line; with `header` the first line is skipped.
Table read_csv(std::string const& path, bool header, Index limit);

// Images of CIFAR-10's binary version (Krizhevsky 2009), of these files one after the other, as rows (32, 32, 3) of bytes.
Table read_cifar10(std::string const& directory, std::vector<std::string> const& files, Index limit);

// "[60000, 28, 28]"
std::string to_text(std::vector<Index> const& extents);
// Failure(data) with the number of NaN and infinite values and where the first stands.
void require_finite(Table const&);
// The rows of `more` after those of `table`, which must agree in shape and element type.
void append(Table& table, Table const& more);
// 64-bit hash of shape, element type and values: equal tables, equal hashes.
std::uint64_t content_hash(Table const&);

}  // namespace partita::data
