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
void remove_quietly(Path const& path) {
  std::error_code ignored;
  std::filesystem::remove(path, ignored);
}

}  // namespace

void write_collectively(Path const& path, Communicator const& ranks, std::function<void(hdf5::File const&)> const& frame,
                        std::vector<std::function<void(hdf5::File const&)>> const& blocks, std::function<void(Path const&)> const& seal) {
  std::string name = temporary_name(path).string();
  ranks.broadcast(name);
  Path const temporary = name;
  try {
    on_root(ranks, [&] { write_frame(temporary, frame); });
    std::optional<hdf5::File> file;
    together(ranks, [&] { file = hdf5::File::open_together(temporary, ranks); });
    for (auto const& write_block : blocks) together(ranks, [&] { write_block(*file); });
    together(ranks, [&] { file->close(); });
    together(ranks, [&] { synchronise(temporary); });
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
