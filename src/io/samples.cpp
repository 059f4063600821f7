#include "io/samples.hpp"

#include <algorithm>
#include <functional>
#include <numeric>

#include "io/collective_file.hpp"
#include "io/together.hpp"

namespace partita {
namespace fs = std::filesystem;
namespace {

constexpr char part_prefix[] = "part-";
std::string part_name(Index part) { return fmt::format("{}{:06}.h5", part_prefix, part); }

hid_t stored_type(StoredAs type) {
  switch (type) {
    case StoredAs::real32:
      return hdf5::native_type<float>();
    case StoredAs::real64:
      return hdf5::native_type<double>();
    case StoredAs::flag:
      return hdf5::native_type<std::int8_t>();
  }
  fail(ExitCode::internal, "statistic without a stored type");
}

}  // namespace

Index default_draws_per_part(Tiling const& tiling, std::vector<SampleVariable> const& posterior,
                             std::vector<SampleStatistic> const& statistics) {
  constexpr Index part_bytes = Index{128} << 20, most = 4096;
  Index numbers = static_cast<Index>(statistics.size());
  for (SampleVariable const& v : posterior) numbers += v.size;
  return std::clamp<Index>(part_bytes / (tiling.chains * numbers * static_cast<Index>(sizeof(Real))), 1, most);
}

SampleWriter::SampleWriter(RunDirectory run, Communicator ranks, SampleFormat format, Provenance provenance)
    : run_(std::move(run)), ranks_(std::move(ranks)), format_(std::move(format)), provenance_(std::move(provenance)) {
  auto const add = [&](std::string const& name, Index size) {
    Index const numbers = format_.mine.count * format_.tiling.width * format_.draws_per_part * size;
    columns_.push_back({name, size, std::vector<Real>(static_cast<std::size_t>(numbers))});
  };
  for (SampleVariable const& v : format_.posterior) add(v.name, v.size);
  for (SampleStatistic const& s : format_.statistics) add(s.name, 1);
  pending_steps_.resize(static_cast<std::size_t>(format_.draws_per_part));
}

void SampleWriter::append(Index step, std::vector<TileStorage> const& posterior, std::vector<TileScalarStorage> const& statistics) {
  require(posterior.size() == format_.posterior.size() && statistics.size() == format_.statistics.size(), ExitCode::internal,
          "a draw of {} variables and {} statistics, {} and {} are declared", posterior.size(), statistics.size(), format_.posterior.size(),
          format_.statistics.size());
  Index const draw = draws_ % format_.draws_per_part;
  std::size_t next = 0;
  for (TileStorage const& view : posterior) {
    auto const host = Kokkos::create_mirror_view_and_copy(Kokkos::HostSpace{}, view);
    keep(columns_[next++], draw, host.data(), static_cast<Index>(view.extent(2)));
  }
  for (TileScalarStorage const& view : statistics) {
    auto const host = Kokkos::create_mirror_view_and_copy(Kokkos::HostSpace{}, view);
    keep(columns_[next++], draw, host.data(), static_cast<Index>(view.extent(1)));
  }
  pending_steps_[static_cast<std::size_t>(draw)] = step;
  draws_++;
  if (draw + 1 < format_.draws_per_part) return;
  write_part(full_parts() - 1, format_.draws_per_part);
  if (ranks_.is_root()) written_steps_.insert(written_steps_.end(), pending_steps_.begin(), pending_steps_.end());
  write_virtual(full_parts());
}

// From (tile, size, pitch) to chains of draws, by blocks of a cache line of lanes.
void SampleWriter::keep(Column& column, Index draw, Real const* source, Index pitch) const {
  Index const width = format_.tiling.width, draws = format_.draws_per_part, size = column.size;
  for (Index tile = 0; tile < format_.mine.count; tile++) {
    Index const chains = format_.tiling.chains_in(format_.mine.first + tile);
    Real const* const from = source + tile * size * pitch;
    Real* const to = column.values.data() + (tile * width * draws + draw) * size;
    for (Index block = 0; block < chains; block += lane_quantum)
      for (Index i = 0; i < size; i++)
        for (Index lane = block; lane < std::min(chains, block + lane_quantum); lane++)
          to[lane * draws * size + i] = from[i * pitch + lane];
  }
}

template <class T>
std::vector<T> SampleWriter::chain_major(Column const& column, Index draws) const {
  std::vector<T> values;
  Index const row = format_.draws_per_part * column.size;
  for (Index tile = 0; tile < format_.mine.count; tile++)
    for (Index lane = 0; lane < format_.tiling.chains_in(format_.mine.first + tile); lane++) {
      Real const* const from = column.values.data() + (tile * format_.tiling.width + lane) * row;
      values.insert(values.end(), from, from + draws * column.size);
    }
  return values;
}

Path SampleWriter::part_path(Index part) const { return run_.samples() / part_name(part); }

// Groups, coordinates and attributes; datasets by chain, draw (and own dimension) as `create` makes them.
template <class Create>
void SampleWriter::write_groups(hdf5::File const& file, Index const* steps, Index draws, Create const& create) const {
  auto const about = [&](hdf5::Object const& object) {
    describe(object, provenance_);
    if (!format_.image_shape.empty()) object.set_attribute("image_shape", format_.image_shape);
  };
  auto const scale = [](hdf5::Group const& group, std::string const& name, std::vector<Index> const& values) {
    auto dataset = group.write(name, values);
    dataset.make_scale(name);
    return dataset;
  };
  auto const counted = [](Index n) {
    std::vector<Index> values(static_cast<std::size_t>(n));
    std::iota(values.begin(), values.end(), Index{0});
    return values;
  };
  Index const chains = format_.tiling.chains;
  about(file);
  auto const posterior = file.create_group("posterior"), statistics = file.create_group("sample_stats");
  for (auto const* group : {&posterior, &statistics}) {
    about(*group);
    auto const chain = scale(*group, "chain", counted(chains));
    auto const draw = scale(*group, "draw", {steps, steps + draws});
    if (group == &posterior)
      for (SampleVariable const& v : format_.posterior) {
        auto const own = scale(*group, v.name + "_dim", counted(v.size));
        create(*group, v.name, hdf5::native_type<Real>(), hdf5::Extents{chains, draws, v.size}).attach_scales({&chain, &draw, &own});
      }
    else
      for (SampleStatistic const& s : format_.statistics) {
        auto const dataset = create(*group, s.name, stored_type(s.type), hdf5::Extents{chains, draws});
        dataset.attach_scales({&chain, &draw});
        dataset.set_attribute("doc", s.doc);
        if (s.type == StoredAs::flag) dataset.set_attribute("dtype", std::string("bool"));
      }
  }
}

void SampleWriter::write_part(Index part, Index draws) {
  auto const create = [&](hdf5::Group const& group, std::string const& name, hid_t type, hdf5::Extents const& extents) {
    hdf5::Extents chunk = extents;
    chunk[0] = std::min(format_.tiling.width, format_.tiling.chains);
    return group.create_dataset(name, type, extents, chunk);
  };
  TileRange const mine = format_.mine;
  Index const first = format_.tiling.first_chain(mine.first);
  Index const count = std::min(format_.tiling.chains, format_.tiling.first_chain(mine.end())) - first;
  // Converted here: HDF5 cannot convert types in a collective transfer.
  auto const write_as = [&]<class T>(T, Column const& column, std::string const& path) {
    return [this, &column, path, draws, first, count](hdf5::File const& file) {
      std::vector<T> const values = chain_major<T>(column, draws);
      file.dataset(path).write_rows(first, count, hdf5::native_type<T>(), values.data(), hdf5::Transfer::collective);
    };
  };
  std::vector<std::function<void(hdf5::File const&)>> blocks;
  std::size_t next = 0;
  for (SampleVariable const& v : format_.posterior) blocks.push_back(write_as(Real{}, columns_[next++], "posterior/" + v.name));
  for (SampleStatistic const& s : format_.statistics) {
    Column const& column = columns_[next++];
    std::string const path = "sample_stats/" + s.name;
    if (s.type == StoredAs::real32) blocks.push_back(write_as(float{}, column, path));
    if (s.type == StoredAs::real64) blocks.push_back(write_as(double{}, column, path));
    if (s.type == StoredAs::flag) blocks.push_back(write_as(std::int8_t{}, column, path));
  }
  write_collectively(
      part_path(part), ranks_, [&](hdf5::File const& file) { write_groups(file, pending_steps_.data(), draws, create); }, blocks);
}

void SampleWriter::write_virtual(Index parts) const {
  on_root(ranks_, [&] {
    std::vector<Index> steps = written_steps_;
    Index const pending = parts > full_parts() ? draws_ % format_.draws_per_part : 0;
    steps.insert(steps.end(), pending_steps_.begin(), pending_steps_.begin() + pending);
    Index const draws = static_cast<Index>(steps.size());
    auto const create = [&](hdf5::Group const& group, std::string const& name, hid_t type, hdf5::Extents const& extents) {
      std::vector<hdf5::VirtualPart> shown;
      for (Index part = 0; part < parts; part++) {
        Index const first = part * format_.draws_per_part;
        hdf5::Extents one = extents;
        one[1] = std::min(format_.draws_per_part, draws - first);
        shown.push_back({"samples/" + part_name(part), group.name() + "/" + name, one, first});
      }
      return group.create_virtual(name, type, extents, 1, shown);
    };
    write_alone(run_.all_samples(), [&](hdf5::File const& file) { write_groups(file, steps.data(), draws, create); });
  });
}

void SampleWriter::write_pending() {
  Index const pending = draws_ % format_.draws_per_part;
  if (pending == 0) return;
  write_part(full_parts(), pending);
  write_virtual(full_parts() + 1);
}

void SampleWriter::describe_state(State& state) {
  auto const add = [&](StateField field, auto& values) {
    using T = typename std::decay_t<decltype(values)>::value_type;
    field.element = element_of<T>();
    field.save = [&values](void* to) { std::copy(values.begin(), values.end(), static_cast<T*>(to)); };
    field.restore = [&values](void const* from) { std::copy_n(static_cast<T const*>(from), values.size(), values.begin()); };
    state.add_field(std::move(field));
  };
  TileRange const mine = format_.mine;
  for (Column& c : columns_)
    add({"samples/pending/" + c.name,
         {},
         {mine.count, format_.tiling.width, format_.draws_per_part, c.size},
         true,
         mine,
         format_.tiling.tiles(),
         {},
         {}},
        c.values);
  add({"samples/pending_steps", {}, {format_.draws_per_part}, false, {}, 0, {}, {}}, pending_steps_);
  state.add_scalar("samples/draws", draws_);
}

void SampleWriter::cut_back() {
  on_root(ranks_, [&] {
    fs::remove(run_.all_samples());
    for (auto const& entry : fs::directory_iterator(run_.samples())) {
      std::string const name = entry.path().filename().string();
      if (name.starts_with(part_prefix) && name >= part_name(full_parts())) fs::remove(entry.path());
    }
    written_steps_.clear();
    for (Index part = 0; part < full_parts(); part++) {
      std::vector<Index> const steps = hdf5::File::open(part_path(part)).dataset("posterior/draw").read<Index>();
      written_steps_.insert(written_steps_.end(), steps.begin(), steps.end());
    }
  });
  if (full_parts() > 0) write_virtual(full_parts());
}

}  // namespace partita
