#include "io/checkpoint.hpp"

#include <algorithm>
#include <cmath>

#include "core/log.hpp"
#include "core/regular_file.hpp"
#include "io/collective_file.hpp"
#include "io/manifest.hpp"
#include "io/together.hpp"

namespace partita {
namespace fs = std::filesystem;
namespace {

// The steps as the root sees them, on all ranks.
std::vector<Index> steps_on_root(RunDirectory const& run, Communicator const& ranks) {
  std::vector<Index> mine;
  on_root(ranks, [&] { mine = run.checkpoint_steps(); });
  return ranks.all_gather(mine);
}

hdf5::Extents global_extents(StateField const& f) {
  hdf5::Extents e = f.extents;
  if (f.by_tile) e[0] = f.global_rows;
  return e;
}

// What this rank writes of a field: its tiles, or its share of what all ranks have.
TileRange written_rows(StateField const& f, Communicator const& ranks) {
  return f.by_tile ? f.rows : share_of_tiles(f.length(), ranks.rank(), ranks.ranks());
}
// visit(bytes, first row, rows) for all rows of a field, some at a time.
template <class Visit>
void by_stripes(StateField const& f, Visit const& visit) {
  Index const most = rows_of_stripe(f.length(), f.bytes_of_row());
  std::vector<std::byte> bytes(most * f.bytes_of_row());
  for (Index row = 0; row < f.length(); row += most) visit(bytes.data(), row, std::min(most, f.length() - row));
}

// "[3, 0, 17]" of an element's position in the row-major global array.
std::string index_in(StateField const& f, Index position) {
  std::vector<Index> index(f.extents.size());
  for (std::size_t axis = index.size(); axis-- > 0; position /= f.extents[axis]) index[axis] = position % f.extents[axis];
  if (f.by_tile) index[0] += f.rows.first;
  return fmt::format("[{}]", fmt::join(index, ", "));
}
template <class T>
void require_finite(StateField const& f, Index step) {
  by_stripes(f, [&](std::byte* bytes, Index row, Index rows) {
    f.save_rows(bytes, row, rows);
    auto const *const values = reinterpret_cast<T const*>(bytes), *const end = values + rows * f.elements_of_row();
    auto const* const bad = std::find_if(values, end, [](T x) { return !std::isfinite(x); });
    if (bad == end) return;
    fail(ExitCode::numerical,
         fmt::format(
             "step {}: {} {} is {}, so no checkpoint is written (the last good one stays): reduce the step size or the learning rate", step,
             f.name, index_in(f, row * f.elements_of_row() + (bad - values)), *bad));
  });
}
void require_finite(State const& state, Index step) {
  for (StateField const& f : state.fields()) {
    if (f.element == Element::real32) require_finite<float>(f, step);
    if (f.element == Element::real64) require_finite<double>(f, step);
  }
}

// Called by the root: writes everything but the arrays' values.
void write_frame(hdf5::File const& file, State const& state, CheckpointInfo const& info) {
  file.set_attribute("step", info.step);
  file.set_attribute("deck", info.deck);
  file.set_attribute("deck_hash", info.deck_hash);
  file.set_attribute("code_version", info.code_version);
  file.set_attribute("machine", info.machine);
  file.set_attribute("seed", info.seed);
  file.set_attribute("sampling_version", info.sampling);
  file.set_attribute("inputs", info.inputs);
  for (StateField const& f : state.fields()) {
    auto const dataset = file.create_dataset(f.name, hdf5::native_type(f.element), global_extents(f));
    if (!f.extents.empty()) continue;
    std::byte value[sizeof(double)];
    f.save(value);
    dataset.write_rows(0, 1, hdf5::native_type(f.element), value);
  }
}

void remove_checkpoint(RunDirectory const& run, Index step) {
  Path const file = run.checkpoint(step);
  fs::remove(file);
  fs::remove(manifest_of(file));
}

// The newest intact checkpoint of a run, and the number of damaged ones that were skipped.
std::pair<std::optional<CheckpointFile>, Index> newest_valid(RunDirectory const& run, Communicator const& ranks) {
  Index damaged = 0;
  for (Index step : steps_on_root(run, ranks)) try {
      Path const path = run.checkpoint(step);
      verify(path, ranks);
      return {CheckpointFile{path, step}, damaged};
    } catch (Failure const& failure) {
      if (failure.code() != ExitCode::data) throw;
      log::warning("skipping the checkpoint of step {}: {}", step, failure.what());
      damaged++;
    }
  return {std::nullopt, damaged};
}

}  // namespace

void write_checkpoint(RunDirectory const& run, Communicator const& ranks, State const& state, CheckpointInfo const& info, int keep,
                      std::vector<std::string> const& may_be_nonfinite) {
  together(ranks, [&] { require_finite(state.without(may_be_nonfinite), info.step); });
  Path const path = run.checkpoint(info.step);
  std::vector<Index> const before = steps_on_root(run, ranks);
  if (std::find(before.begin(), before.end(), info.step) != before.end()) try {
      verify(path, ranks);
      return;
    } catch (Failure const& failure) {
      log::warning("writing the checkpoint of step {} again: {}", info.step, failure.what());
    }

  std::vector<Block> blocks;
  for (StateField const& f : state.fields()) {
    if (f.extents.empty()) continue;
    TileRange const rows = written_rows(f, ranks);
    Index const offset = f.by_tile ? 0 : rows.first;  // of the rows that are here
    blocks.push_back({f.name, rows.first, rows.count, hdf5::native_type(f.element), f.bytes_of_row(),
                      [&f, offset](void* to, Index row, Index count) { f.save_rows(to, offset + row, count); }});
  }
  try {
    write_collectively(
        path, ranks, [&](hdf5::File const& file) { write_frame(file, state, info); }, blocks,
        with_manifest(path, ranks, {.step = info.step, .deck_hash = info.deck_hash, .code_version = info.code_version}));
  } catch (Failure const& failure) {
    fail(failure.code(),
         fmt::format("cannot write the checkpoint of step {}, earlier ones stay: {}; free space, or repair the storage, then continue with "
                     "--restart auto",
                     info.step, failure.what()),
         failure.where(), failure.location(), failure.shutdown());
  }
  on_root(ranks, [&] {
    std::vector<Index> const steps = run.checkpoint_steps();
    for (std::size_t i = std::size_t(std::max(keep, 2)); i < steps.size(); i++) remove_checkpoint(run, steps[i]);
    for (Index step : run.checkpoint_steps(".manifest"))  // a run may have been killed between the two removals
      if (Path const file = run.checkpoint(step); !fs::exists(file)) fs::remove(manifest_of(file));
  });
}

std::optional<CheckpointFile> newest_valid_checkpoint(RunDirectory const& run, Communicator const& ranks) {
  auto const [found, damaged] = newest_valid(run, ranks);
  require_all(found || damaged == 0, ExitCode::data,
              "{}: all {} checkpoints are damaged; restore one from a backup, or start anew with --overwrite", run.checkpoints().string(),
              damaged);
  return found;
}

namespace {

// A path that a user gave, which may lead to anything; the verification that follows knows files with a manifest only.
void require_checkpoint(Path const& path) {
  constexpr char advice[] = "name the directory of a run, or a file step-*.h5 of its folder checkpoints/";
  std::error_code absent;
  require(fs::exists(path, absent), ExitCode::data, "{} does not exist; {}", path.string(), advice);
  Path const manifest = manifest_of(path), checkpoint = Path(path).replace_extension(".h5");
  if (path == manifest)
    fail(ExitCode::data,
         fs::exists(checkpoint, absent)
             ? fmt::format("{} is the manifest of a checkpoint; name the checkpoint beside it, {}", path.string(), checkpoint.string())
             : fmt::format("{} is a manifest, and its checkpoint {} is missing; {}", path.string(), checkpoint.string(), advice));
  require_regular_file(path, ExitCode::data);
  require(fs::exists(manifest, absent), ExitCode::data,
          "{} is neither the directory of a run nor a checkpoint, beside which there would be its manifest {}; {}", path.string(),
          manifest.string(), advice);
}

}  // namespace

CheckpointFile find_checkpoint(Path const& file_or_run, Communicator const& ranks) {
  std::error_code absent;
  if (ranks.any(ranks.is_root() && fs::is_directory(file_or_run, absent))) {
    auto const found = newest_valid(RunDirectory(file_or_run), ranks).first;
    require_all(found.has_value(), ExitCode::data, "{} holds no valid checkpoint: name the directory of a run, or a checkpoint file",
                file_or_run.string());
    return *found;
  }
  on_root(ranks, [&] { require_checkpoint(file_or_run); });
  return {file_or_run, verify(file_or_run, ranks).step};
}

void remove_later_checkpoints(RunDirectory const& run, Communicator const& ranks, Index step) {
  on_root(ranks, [&] {
    for (char const* extension : {".h5", ".manifest"})
      for (Index s : run.checkpoint_steps(extension))
        if (s > step) remove_checkpoint(run, s);
  });
}

namespace {

void read_fields(hdf5::File const& file, std::vector<StateField> const& fields) {
  for (StateField const& f : fields) {
    auto const dataset = file.dataset(f.name);
    require(dataset.holds(f.element, global_extents(f)), ExitCode::data,
            "{}: found {}, wanted {} (the checkpoint is of another run or deck)", dataset.where(), dataset.description(),
            hdf5::description(f.element, global_extents(f)));
    Index const before = f.by_tile ? f.rows.first : 0;
    by_stripes(f, [&](std::byte* bytes, Index row, Index rows) {
      dataset.read_rows(before + row, rows, hdf5::native_type(f.element), bytes);
      f.restore_rows(bytes, row, rows);
    });
    if (f.restored) f.restored();
  }
}

}  // namespace

void read_checkpoint(CheckpointFile const& checkpoint, Communicator const& ranks, State const& state) {
  together(ranks, [&] { read_fields(hdf5::File::open(checkpoint.path), state.fields()); });
}

std::vector<std::string> read_checkpoint_in_part(CheckpointFile const& checkpoint, Communicator const& ranks, State const& state) {
  std::vector<std::string> absent;
  together(ranks, [&] {
    auto const file = hdf5::File::open(checkpoint.path);
    std::vector<StateField> present;
    for (StateField const& f : state.fields())
      if (file.has(f.name)) present.push_back(f);
      else absent.push_back(f.name);
    read_fields(file, present);
  });
  return absent;
}

CheckpointInfo read_checkpoint_info(CheckpointFile const& checkpoint) {
  auto const file = hdf5::File::open(checkpoint.path);
  return {file.attribute<Index>("step"),
          file.text_attribute("deck"),
          file.text_attribute("deck_hash"),
          file.text_attribute("code_version"),
          file.text_attribute("machine"),
          file.attribute<std::uint64_t>("seed"),
          file.has_attribute("sampling_version") ? file.attribute<Index>("sampling_version") : 0,
          file.has_attribute("inputs") ? file.text_attribute("inputs") : ""};
}

FieldValues read_field(CheckpointFile const& checkpoint, std::string const& name) {
  auto const dataset = hdf5::File::open(checkpoint.path).dataset(name);
  return {dataset.extents(), dataset.read<Real>()};
}

}  // namespace partita
