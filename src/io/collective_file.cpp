#include "io/collective_file.hpp"

#include <optional>

#include "io/together.hpp"

namespace partita {
namespace {

void write_frame(Path const& path, std::function<void(hdf5::File const&)> const& frame) {
  auto file = hdf5::File::create(path);
  frame(file);
  file.close();
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
void remove_quietly(Path const& path) {
  std::error_code ignored;
  std::filesystem::remove(path, ignored);
}

}  // namespace

void write_collectively(Path const& path, Communicator const& ranks, std::function<void(hdf5::File const&)> const& frame,
                        std::vector<Block> const& blocks, std::function<void(Path const&)> const& seal) {
  std::string name = temporary_name(path).string();
  ranks.broadcast(name);
  Path const temporary = name;
  try {
    on_root(ranks, [&] { write_frame(temporary, frame); });
    std::optional<hdf5::File> file;
    together(ranks, [&] { file = hdf5::File::open_together(temporary, ranks); });
    for (Block const& block : blocks) together(ranks, [&] { write_block(*file, block); });
    together(ranks, [&] { file->close(); });
    together(ranks, [&] {
      synchronise(temporary);
      require_written(temporary, blocks);
    });
    seal(temporary);
    on_root(ranks, [&] { publish(temporary, path); });
  } catch (...) {
    if (ranks.is_root()) remove_quietly(temporary);
    throw;
  }
}

void write_alone(Path const& path, std::function<void(hdf5::File const&)> const& content) {
  Path const temporary = temporary_name(path);
  try {
    write_frame(temporary, content);
    synchronise(temporary);
    publish(temporary, path);
  } catch (...) {
    remove_quietly(temporary);
    throw;
  }
}

}  // namespace partita
