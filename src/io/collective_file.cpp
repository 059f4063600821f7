#include "io/collective_file.hpp"

#include <optional>

#include "io/together.hpp"

namespace partita {
namespace {

// Laid out in memory: a full disk then fails a plain write, not HDF5, which cannot close a file that it cannot complete.
std::string image_of(Path const& path, std::function<void(hdf5::File const&)> const& content) {
  auto const file = hdf5::File::in_memory(path);
  content(file);
  return file.image();
}
// The frame, with the space that the blocks will fill: HDF5 hangs on several ranks when one of them meets a full disk.
void write_frame(Path const& path, std::function<void(hdf5::File const&)> const& frame, std::vector<Block> const& blocks) {
  constexpr Index metadata = 1 << 16;
  Index bytes = metadata;
  write_file(path, image_of(path, [&](hdf5::File const& file) {
               frame(file);
               for (Block const& b : blocks) bytes += file.dataset(b.dataset).storage_bytes();
             }));
  reserve(path, bytes + static_cast<Index>(std::filesystem::file_size(path)));
}
void write_block(hdf5::File const& file, Block const& b) {
  file.dataset(b.dataset).write_rows(b.first, b.count, b.type, b.values().data(), hdf5::Transfer::collective);
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
                        std::vector<Block> const& blocks, std::function<void(Path const&)> const& seal) {
  std::string name = temporary_name(path).string();
  ranks.broadcast(name);
  Path const temporary = name;
  std::optional<hdf5::File> file;
  try {
    on_root(ranks, [&] { write_frame(temporary, frame, blocks); });
    together(ranks, [&] { file = hdf5::File::open_together(temporary, ranks); });
    for (Block const& block : blocks) together(ranks, [&] { write_block(*file, block); });
    together(ranks, [&] { file->flush(); });  // apart from the close: both are collective, and this one may fail on one rank
    together(ranks, [&] { file->close(); });
    together(ranks, [&] {
      synchronise(temporary);
      require_written(temporary, blocks);
    });
    seal(temporary);
    on_root(ranks, [&] { publish(temporary, path); });
  } catch (...) {
    std::error_code ignored;
    // Emptied before HDF5 closes it, so that on a full disk there is room for what is left to write.
    if (ranks.is_root()) std::filesystem::resize_file(temporary, 0, ignored);
    ranks.barrier();
    file.reset();
    if (ranks.is_root()) std::filesystem::remove(temporary, ignored);
    ranks.barrier();
    throw;
  }
}

void write_alone(Path const& path, std::function<void(hdf5::File const&)> const& content) {
  write_atomically(path, image_of(path, content));
}

}  // namespace partita
