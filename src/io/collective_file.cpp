#include "io/collective_file.hpp"

#include "comm/parallel_hdf5.hpp"
#include "io/together.hpp"

namespace partita {
namespace {

// The file is laid out in memory: on a full disk a plain write then fails, not HDF5, which cannot close a file that it cannot complete.
std::string image_of(Path const& path, std::function<void(hdf5::File const&)> const& content) {
  auto const file = hdf5::File::in_memory(path);
  content(file);
  return file.image();
}
// Writes the frame and reserves the space for the blocks: on several ranks HDF5 hangs when one of them finds the disk full.
void write_frame(Path const& path, std::function<void(hdf5::File const&)> const& frame, std::vector<Block> const& blocks) {
  constexpr Index metadata = 1 << 16;
  Index bytes = metadata;
  write_file(path, image_of(path, [&](hdf5::File const& file) {
               frame(file);
               for (Block const& b : blocks) bytes += file.dataset(b.dataset).storage_bytes();
             }));
  reserve(path, bytes + static_cast<Index>(std::filesystem::file_size(path)));
}
// The file is truncated first: other ranks may have it open, and on a full disk the run's status needs the space.
void remove_unfinished(Path const& path) {
  std::error_code ignored;
  std::filesystem::resize_file(path, 0, ignored);
  std::filesystem::remove(path, ignored);
}
// HDF5's collective calls: a rank that fails among them has left the others inside one that they cannot finish.
void write_blocks(Path const& path, Communicator const& ranks, std::vector<Block> const& blocks) {
  hdf5::File file = hdf5::File::open_together(path, ranks);
  FailedWrites const failed_writes([&](std::string const& reason) {
    auto const text = fmt::format("{}: cannot write ({}, {})", path.string(), reason, free_space(path));
    remove_unfinished(path);
    return Failure(ExitCode::storage, text, FailedOn::this_rank, std::source_location::current(), Leave::at_once);
  });
  try {
    for (Block const& b : blocks) {
      std::vector<std::byte> const values = b.values();
      auto const scope = ranks.scope("HDF5: write a dataset");
      file.dataset(b.dataset).write_rows(b.first, b.count, b.type, values.data(), hdf5::Transfer::collective);
    }
    auto const scope = ranks.scope("HDF5: close a file");
    file.close();
  } catch (Failure const& failure) {
    hdf5::abandon_files();
    fail(failure.code(), failure.what(), failure.where(), failure.location(), Leave::at_once);
  } catch (std::exception const& e) {
    hdf5::abandon_files();
    fail(ExitCode::internal, fmt::format("{} ({})", e.what(), path.string()), FailedOn::this_rank, std::source_location::current(),
         Leave::at_once);
  }
}
void require_written(Path const& path, std::vector<Block> const& blocks) {
  auto const file = hdf5::File::open(path, ExitCode::storage);
  for (Block const& b : blocks) {
    std::vector<std::byte> const wanted = b.values();
    std::vector<std::byte> found(wanted.size());
    file.dataset(b.dataset).read_rows(b.first, b.count, b.type, found.data());
    require(found == wanted, ExitCode::storage, "{}: {} does not read back as written ({})", path.string(), b.dataset, free_space(path));
  }
}

}  // namespace

void write_collectively(Path const& path, Communicator const& ranks, std::function<void(hdf5::File const&)> const& frame,
                        std::vector<Block> const& blocks, std::function<void(Path const&)> const& seal, Communicator::Place at) {
  std::string name = temporary_name(path).string();
  ranks.broadcast(name, 0, at);
  Path const temporary = name;
  try {
    on_root(ranks, [&] { write_frame(temporary, frame, blocks); });
    together(ranks, [&] { require_writable(temporary); });  // MPI hangs where only some ranks can open a file
    write_blocks(temporary, ranks, blocks);
    together(ranks, [&] {
      synchronise(temporary);
      require_written(temporary, blocks);
    });
    seal(temporary);
    on_root(ranks, [&] { publish(temporary, path); });
  } catch (Failure const& failure) {
    if (ranks.is_root() || failure.leave() == Leave::at_once) remove_unfinished(temporary);
    if (failure.where() == FailedOn::all_ranks && failure.leave() == Leave::in_order) ranks.barrier();  // no rank sees the file any more
    throw;
  }
}

void write_alone(Path const& path, std::function<void(hdf5::File const&)> const& content) {
  write_atomically(path, image_of(path, content));
}

void write_alone(Path const& path, Communicator const& ranks, std::function<void(hdf5::File const&)> const& content,
                 std::function<void(Path const&)> const& seal) {
  std::string name = temporary_name(path).string();
  ranks.broadcast(name);
  Path const temporary = name;
  try {
    on_root(ranks, [&] {
      write_file(temporary, image_of(path, content));
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
