#include "io/checkpoint.hpp"

#include <algorithm>
#include <cmath>

#include "core/log.hpp"
#include "io/collective_file.hpp"
#include "io/manifest.hpp"
#include "io/together.hpp"

namespace partita {
namespace fs = std::filesystem;
namespace {

Path checkpoint_path(Path const& folder, Index step) { return folder / fmt::format("step-{:013}.h5", step); }

// Steps of the files in a folder with this extension, newest first.
std::vector<Index> steps_in(Path const& folder, std::string const& extension) {
  std::vector<Index> steps;
  std::error_code absent;
  for (auto const& entry : fs::directory_iterator(folder, absent)) {
    std::string const stem = entry.path().stem().string();
    if (entry.path().extension() == extension && stem.starts_with("step-") && stem.find_first_not_of("0123456789", 5) == std::string::npos)
      steps.push_back(std::stoll(stem.substr(5)));
  }
  std::sort(steps.begin(), steps.end(), std::greater<>());
  return steps;
}
// The root's view, for all ranks.
std::vector<Index> steps_on_root(Path const& folder, Communicator const& ranks) {
  std::vector<Index> mine;
  on_root(ranks, [&] { mine = steps_in(folder, ".h5"); });
  return ranks.all_gather(mine);
}

hdf5::Extents global_extents(StateField const& f) {
  hdf5::Extents e = f.extents;
  if (f.by_tile) e[0] = f.global_rows;
  return e;
}
TileRange rows_of(StateField const& f) { return f.by_tile ? f.rows : TileRange{0, f.extents.empty() ? 1 : f.extents[0]}; }

std::vector<std::byte> host_copy(StateField const& f) {
  std::vector<std::byte> values(static_cast<std::size_t>(f.size()) * bytes_of(f.element));
  f.save(values.data());
  return values;
}

// "[3, 0, 17]" of an element's position in the row-major global array.
std::string index_in(StateField const& f, Index position) {
  std::vector<Index> index(f.extents.size());
  for (std::size_t axis = index.size(); axis-- > 0; position /= f.extents[axis]) index[axis] = position % f.extents[axis];
  if (f.by_tile) index[0] += f.rows.first;
  return fmt::format("[{}]", fmt::join(index, ", "));
}
template <class T>
void require_finite(StateField const& f, std::vector<std::byte> const& bytes, Index step) {
  auto const* const values = reinterpret_cast<T const*>(bytes.data());
  auto const* const bad = std::find_if(values, values + f.size(), [](T x) { return !std::isfinite(x); });
  if (bad == values + f.size()) return;
  fail(ExitCode::numerical,
       fmt::format("step {}: {} {} is {}, so no checkpoint is written (the last good one stays): reduce the step size or the learning rate",
                   step, f.name, index_in(f, bad - values), *bad));
}
void require_finite(State const& state, Index step) {
  for (StateField const& f : state.fields()) {
    if (f.element == Element::real32) require_finite<float>(f, host_copy(f), step);
    if (f.element == Element::real64) require_finite<double>(f, host_copy(f), step);
  }
}

// By the root: everything but the values by tile.
void write_frame(hdf5::File const& file, State const& state, CheckpointInfo const& info) {
  file.set_attribute("step", info.step);
  file.set_attribute("deck", info.deck);
  file.set_attribute("deck_hash", info.deck_hash);
  file.set_attribute("code_version", info.code_version);
  file.set_attribute("machine", info.machine);
  file.set_attribute("seed", info.seed);
  file.set_attribute("inputs", info.inputs);
  for (StateField const& f : state.fields()) {
    auto const dataset = file.create_dataset(f.name, hdf5::native_type(f.element), global_extents(f));
    if (!f.by_tile) dataset.write_rows(0, rows_of(f).count, hdf5::native_type(f.element), host_copy(f).data());
  }
}

void remove_checkpoint(Path const& folder, Index step) {
  Path const file = checkpoint_path(folder, step);
  fs::remove(file);
  fs::remove(manifest_of(file));
}

// The newest whole checkpoint of a folder and the number of damaged ones passed over.
std::pair<std::optional<CheckpointFile>, Index> newest_valid(Path const& folder, Communicator const& ranks) {
  Index damaged = 0;
  for (Index step : steps_on_root(folder, ranks)) try {
      Path const path = checkpoint_path(folder, step);
      verify(path, ranks);
      return {CheckpointFile{path, step}, damaged};
    } catch (Failure const& failure) {
      if (failure.code() != ExitCode::data) throw;
      log::warning("passing over checkpoint of step {}: {}", step, failure.what());
      damaged++;
    }
  return {std::nullopt, damaged};
}

}  // namespace

void write_checkpoint(RunDirectory const& run, Communicator const& ranks, State const& state, CheckpointInfo const& info, int keep) {
  together(ranks, [&] { require_finite(state, info.step); });
  Path const folder = run.checkpoints(), path = checkpoint_path(folder, info.step);
  std::vector<Index> const before = steps_on_root(folder, ranks);
  if (std::find(before.begin(), before.end(), info.step) != before.end()) try {
      verify(path, ranks);
      return;
    } catch (Failure const& failure) {
      log::warning("writing the checkpoint of step {} again: {}", info.step, failure.what());
    }

  std::vector<Block> blocks;
  for (StateField const& f : state.fields())
    if (f.by_tile) blocks.push_back({f.name, f.rows.first, f.rows.count, hdf5::native_type(f.element), [&f] { return host_copy(f); }});
  auto const write_manifest = [&](Path const& temporary) {
    Manifest manifest = make_manifest(temporary, ranks);
    manifest.step = info.step;
    manifest.deck_hash = info.deck_hash;
    manifest.code_version = info.code_version;
    on_root(ranks, [&] { write_atomically(manifest_of(path), manifest.text()); });
  };
  try {
    write_collectively(
        path, ranks, [&](hdf5::File const& file) { write_frame(file, state, info); }, blocks, write_manifest);
  } catch (Failure const& failure) {
    fail(failure.code(),
         fmt::format(
             "checkpoint of step {} failed, those before it stay: {}; make room, or mend the storage, and continue with --restart auto",
             info.step, failure.what()),
         failure.where(), failure.location(), failure.leave());
  }
  on_root(ranks, [&] {
    std::vector<Index> const steps = steps_in(folder, ".h5");
    for (std::size_t i = static_cast<std::size_t>(std::max(keep, 2)); i < steps.size(); i++) remove_checkpoint(folder, steps[i]);
    for (Index step : steps_in(folder, ".manifest"))  // of a run that was killed between the two
      if (Path const file = checkpoint_path(folder, step); !fs::exists(file)) fs::remove(manifest_of(file));
  });
}

std::optional<CheckpointFile> newest_valid_checkpoint(RunDirectory const& run, Communicator const& ranks) {
  auto const [found, damaged] = newest_valid(run.checkpoints(), ranks);
  require_all(found || damaged == 0, ExitCode::data,
              "{}: all {} checkpoints are damaged; restore one from a backup, or start anew with --overwrite", run.checkpoints().string(),
              damaged);
  return found;
}

CheckpointFile find_checkpoint(Path const& file_or_run, Communicator const& ranks) {
  std::error_code absent;
  if (ranks.any(ranks.is_root() && fs::is_directory(file_or_run, absent))) {
    auto const found = newest_valid(RunDirectory(file_or_run).checkpoints(), ranks).first;
    require_all(found.has_value(), ExitCode::data, "{} holds no valid checkpoint: name the directory of a run, or a checkpoint file",
                file_or_run.string());
    return *found;
  }
  return {file_or_run, verify(file_or_run, ranks).step};
}

void remove_later_checkpoints(RunDirectory const& run, Communicator const& ranks, Index step) {
  on_root(ranks, [&] {
    for (char const* extension : {".h5", ".manifest"})
      for (Index s : steps_in(run.checkpoints(), extension))
        if (s > step) remove_checkpoint(run.checkpoints(), s);
  });
}

void read_checkpoint(CheckpointFile const& checkpoint, Communicator const& ranks, State const& state) {
  together(ranks, [&] {
    auto const file = hdf5::File::open(checkpoint.path);
    for (StateField const& f : state.fields()) {
      auto const dataset = file.dataset(f.name);
      require(dataset.holds(f.element, global_extents(f)), ExitCode::data,
              "{}: found {}, wanted {} (the checkpoint is of another run or deck)", dataset.where(), dataset.description(),
              hdf5::description(f.element, global_extents(f)));
      std::vector<std::byte> values(static_cast<std::size_t>(f.size()) * bytes_of(f.element));
      TileRange const rows = rows_of(f);
      dataset.read_rows(rows.first, rows.count, hdf5::native_type(f.element), values.data());
      f.restore(values.data());
    }
  });
}

CheckpointInfo read_checkpoint_info(CheckpointFile const& checkpoint) {
  auto const file = hdf5::File::open(checkpoint.path);
  return {file.attribute<Index>("step"),
          file.text_attribute("deck"),
          file.text_attribute("deck_hash"),
          file.text_attribute("code_version"),
          file.text_attribute("machine"),
          file.attribute<std::uint64_t>("seed"),
          file.has_attribute("inputs") ? file.text_attribute("inputs") : ""};
}

FieldValues read_field(CheckpointFile const& checkpoint, std::string const& name) {
  auto const dataset = hdf5::File::open(checkpoint.path).dataset(name);
  return {dataset.extents(), dataset.read<Real>()};
}

}  // namespace partita
