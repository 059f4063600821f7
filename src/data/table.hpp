// Rows of numbers as they were read or generated, in the element type of their source.
#pragma once
#include <string>
#include <variant>
#include <vector>

#include "core/types.hpp"

namespace partita::data {

using Values = std::variant<std::vector<std::uint8_t>, std::vector<float>, std::vector<double>>;

struct Table {
  std::string source;  // file and dataset, for messages
  Index rows = 0;
  std::vector<Index> shape;                // of one row: {28, 28} for images
  Values values;                           // (row, entry), bytes stay bytes
  double highest_byte = 255;               // the largest value that these bytes can have: 1 for booleans
  std::vector<std::string> warnings = {};  // what is suspicious about the file, on the rank that read it

  Index dimension() const {
    Index n = 1;
    for (Index e : shape) n *= e;
    return n;
  }
};

// What a table takes in memory.
struct TableSize {
  Index rows, entries, bytes_of_entry;
};

// Readers. `limit` is the largest number of rows that is read, 0: all. Anything wrong with the file is Failure(ExitCode::data, all ranks),
// so a caller must pass it on to every rank (as load in load.hpp does).

// The idx format of LeCun's MNIST files, unsigned bytes or big-endian floats, plain or gzipped, at least two axes.
Table read_idx(std::string const& path, Index limit);
// Any integer or floating-point dataset of at least two axes; unsigned bytes stay bytes, all else becomes float or, of more than 4 bytes or
// 24 bits, double.
Table read_hdf5(std::string const& path, std::string const& dataset, Index limit);
void require_hdf5(std::string const& path);  // that HDF5 can open it
// Comma-separated numbers in double, one row a line, without comments (#); with `header` the line that names the columns is skipped.
Table read_csv(std::string const& path, bool header, Index limit);

// Images of CIFAR-10's binary version (Krizhevsky 2009), of these files one after the other, as rows (32, 32, 3) of bytes.
Table read_cifar10(std::string const& directory, std::vector<std::string> const& files, Index limit);

// The same of what would be read, from the files' headers, or from their lines where they have none.
TableSize size_of_idx(std::string const& path);
TableSize size_of_hdf5(std::string const& path, std::string const& dataset);
TableSize size_of_csv(std::string const& path, bool header);
TableSize size_of_cifar10(std::string const& directory, std::vector<std::string> const& files);

// "[60000, 28, 28]"
std::string to_text(std::vector<Index> const& extents);
// Failure(data) with the number of NaN and infinite values and the place of the first, if there are any.
void require_finite(Table const&);
// The rows of `more` after those of `table`, which must agree in shape and in whether they are bytes.
void append(Table& table, Table const& more);
// Doubles as floats where none of them loses a digit.
void narrow_where_exact(Table&);

// 64-bit hash of bytes; inputs that differ in a single word always have different hashes. `start` chains calls.
std::uint64_t content_hash(void const* bytes, std::size_t count, std::uint64_t start = 0);
// Hash of `rows` rows from `first` on: of their number, shape and values, and of whether these are bytes, however the table stores them.
std::uint64_t content_hash(Table const&, Index first, Index rows);

}  // namespace partita::data
