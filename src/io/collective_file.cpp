#include "io/collective_file.hpp"

#include <algorithm>

#include "comm/parallel_hdf5.hpp"
#include "io/crc32c.hpp"
#include "io/together.hpp"

namespace partita {
namespace {

// The file is laid out in memory: on a full disk a plain write then fails, not HDF5, which cannot close a file that it cannot complete.
void write_image(Path const& path, std::function<void(hdf5::File const&)> const& content,
                 std::function<void(std::string_view)> const& write) {
  auto const file = hdf5::File::in_memory(path);
  content(file);
  write(file.image());
}
// Writes the frame and reserves the space for the blocks: on several ranks HDF5 hangs when one of them finds the disk full.
void write_frame(Path const& path, std::function<void(hdf5::File const&)> const& frame, std::vector<Block> const& blocks) {
  constexpr Index metadata = 1 << 16;
  Index bytes = metadata;
  auto const content = [&](hdf5::File const& file) {
    frame(file);
    for (Block const& b : blocks) bytes += file.dataset(b.dataset).storage_bytes();
  };
  write_image(path, content, [&](std::string_view image) { write_file(path, image); });
  reserve(path, bytes + Index(std::filesystem::file_size(path)));
}
// The file is truncated first: other ranks may have it open, and on a full disk the run's status needs the space.
void remove_unfinished(Path const& path) {
  std::error_code ignored;
  std::filesystem::resize_file(path, 0, ignored);
  std::filesystem::remove(path, ignored);
}
// One after the other, a block's rows: first of them, and how many.
struct Stripe {
  Index row, rows;
};
std::vector<Stripe> stripes_of(Block const& b) {
  std::vector<Stripe> out;
  Index const most = rows_of_stripe(b.count, b.bytes_of_row, b.chunk);
  for (Index row = 0; row < b.count; row += most) out.push_back({row, std::min(most, b.count - row)});
  return out;
}
// Of the rank that has most of it, for each block: all ranks make as many collective calls. Collective.
std::vector<Index> calls_for(Communicator const& ranks, std::vector<Block> const& blocks) {
  std::vector<Index> calls;
  for (Block const& b : blocks) calls.push_back(std::ssize(stripes_of(b)));
  ranks.all_reduce(calls, Reduction::maximum);
  return calls;
}
class Buffer {
 public:
  // The rows of a stripe, contiguous, until the next call.
  std::byte* of(Block const& b, Stripe const& s) {
    bytes_.resize(s.rows * b.bytes_of_row);
    return bytes_.data();
  }
  std::uint32_t checksum() const { return crc32c(bytes_.data(), bytes_.size()); }

 private:
  std::vector<std::byte> bytes_;
};

// HDF5's collective calls: a rank that fails among them has left the others inside one that they cannot finish. Returns the checksums of
// this rank's stripes.
std::vector<std::uint32_t> write_blocks(Path const& path, Communicator const& ranks, std::vector<Block> const& blocks) {
  std::vector<Index> const calls = calls_for(ranks, blocks);
  hdf5::File file = hdf5::File::open_together(path, ranks);
  FailedWrites const failed_writes([&](std::string const& reason) {
    auto const text = fmt::format("{}: cannot write ({}, {})", path.string(), reason, free_space(path));
    remove_unfinished(path);
    return Failure(ExitCode::storage, text, FailedOn::this_rank, std::source_location::current(), Shutdown::immediate);
  });
  std::vector<std::uint32_t> checksums;
  try {
    Buffer buffer;
    for (std::size_t n = 0; n < blocks.size(); n++) {
      Block const& b = blocks[n];
      auto stripes = stripes_of(b);
      stripes.resize(calls[n], {b.count, 0});
      for (Stripe const& s : stripes) {
        std::byte* const values = buffer.of(b, s);
        if (s.rows > 0) {
          b.copy(values, s.row, s.rows);
          checksums.push_back(buffer.checksum());
        }
        auto const scope = ranks.scope("HDF5: write a dataset");
        file.dataset(b.dataset).write_rows(b.first + s.row, s.rows, b.type, values, hdf5::Transfer::collective);
      }
    }
    auto const scope = ranks.scope("HDF5: close a file");
    file.close();
  } catch (Failure const& failure) {
    hdf5::abandon_files();
    fail(failure.code(), failure.what(), failure.where(), failure.location(), Shutdown::immediate);
  } catch (std::exception const& e) {
    hdf5::abandon_files();
    fail(ExitCode::internal, fmt::format("{} ({})", e.what(), path.string()), FailedOn::this_rank, std::source_location::current(),
         Shutdown::immediate);
  }
  return checksums;
}
void require_written(Path const& path, std::vector<Block> const& blocks, std::vector<std::uint32_t> const& checksums) {
  auto const file = hdf5::File::open(path, ExitCode::storage);
  auto wanted = checksums.begin();
  Buffer buffer;
  for (Block const& b : blocks)
    for (Stripe const& s : stripes_of(b)) {
      file.dataset(b.dataset).read_rows(b.first + s.row, s.rows, b.type, buffer.of(b, s));
      require(buffer.checksum() == *wanted++, ExitCode::storage, "{}: {} does not read back as written ({})", path.string(), b.dataset,
              free_space(path));
    }
}

}  // namespace

Index rows_of_stripe(Index rows, Index bytes_of_row, Index chunk) {
  Index const fit = bytes_of_stripe / std::max<Index>(bytes_of_row, 1) / chunk * chunk;
  return std::min(rows, std::max(chunk, fit));
}

void write_collectively(Path const& path, Communicator const& ranks, std::function<void(hdf5::File const&)> const& frame,
                        std::vector<Block> const& blocks, std::function<void(Path const&)> const& seal, Communicator::Place at) {
  std::string name = temporary_name(path).string();
  ranks.broadcast(name, 0, at);
  Path const temporary = name;
  try {
    on_root(ranks, [&] { write_frame(temporary, frame, blocks); });
    together(ranks, [&] { require_writable(temporary); });  // MPI hangs where only some ranks can open a file
    auto const checksums = write_blocks(temporary, ranks, blocks);
    together(ranks, [&] {
      synchronise(temporary);
      require_written(temporary, blocks, checksums);
    });
    seal(temporary);
    on_root(ranks, [&] { publish(temporary, path); });
  } catch (Failure const& failure) {
    if (ranks.is_root() || failure.shutdown() == Shutdown::immediate) remove_unfinished(temporary);
    if (failure.where() == FailedOn::all_ranks && failure.shutdown() == Shutdown::orderly)
      ranks.barrier();  // no rank sees the file any more
    throw;
  }
}

void write_alone(Path const& path, std::function<void(hdf5::File const&)> const& content) {
  write_image(path, content, [&](std::string_view image) { write_atomically(path, image); });
}

void write_alone(Path const& path, Communicator const& ranks, std::function<void(hdf5::File const&)> const& content,
                 std::function<void(Path const&)> const& seal) {
  std::string name = temporary_name(path).string();
  ranks.broadcast(name);
  Path const temporary = name;
  try {
    on_root(ranks, [&] {
      write_image(path, content, [&](std::string_view image) { write_file(temporary, image); });
      synchronise(temporary);
    });
    seal(temporary);
    on_root(ranks, [&] { publish(temporary, path); });
  } catch (...) {
    std::error_code ignored;
    if (ranks.is_root()) std::filesystem::remove(temporary, ignored);
    throw;
  }
}

}  // namespace partita
