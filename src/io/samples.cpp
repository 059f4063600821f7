#include "io/samples.hpp"

#include <algorithm>
#include <numeric>

#include "core/copy.hpp"
#include "io/collective_file.hpp"
#include "io/crc32c.hpp"
#include "io/manifest.hpp"
#include "io/sample_reader.hpp"
#include "io/together.hpp"

namespace partita {
namespace fs = std::filesystem;
namespace {

constexpr char posterior_group[] = "posterior", statistics_group[] = "sample_stats", draws_field[] = "samples/draws",
               checks_field[] = "samples/part_checks", check_attribute[] = "content_check";
constexpr StoredAs stored_as_real = sizeof(Real) == 4 ? StoredAs::real32 : StoredAs::real64;

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
  constexpr Index most = 4096;
  Index numbers = std::ssize(statistics);
  for (SampleVariable const& v : posterior) numbers += v.size;
  return std::clamp<Index>(part_bytes / (tiling.chains * numbers * Index(sizeof(Real))), 1, most);
}

SampleWriter::SampleWriter(RunDirectory run, Communicator ranks, SampleFormat format, Provenance provenance)
    : run_(std::move(run)),
      ranks_(std::move(ranks)),
      format_(std::move(format)),
      provenance_(std::move(provenance)),
      columns_(make_columns({}, format_)),
      pending_steps_(format_.draws_per_part) {}

std::vector<SampleWriter::Column> SampleWriter::make_columns(Arrays const& arrays, SampleFormat const& f) {
  std::vector<Column> columns;
  auto const add = [&](std::string const& group, std::string const& name, Index size, StoredAs type) {
    columns.push_back(
        {group, name, size, type,
         arrays.vector<Real>(("draws of the present part: " + name).c_str(), f.mine.count, f.tiling.width, f.draws_per_part, size)});
  };
  for (SampleVariable const& v : f.posterior) add(posterior_group, v.name, v.size, stored_as_real);
  for (SampleStatistic const& s : f.statistics) add(statistics_group, s.name, 1, s.type);
  return columns;
}

void SampleWriter::list(Arrays arrays, SampleFormat const& f) { make_columns(arrays, f); }

void SampleWriter::append(Index step, std::vector<TileStorage> const& posterior, std::vector<TileScalarStorage> const& statistics) {
  require(posterior.size() == format_.posterior.size() && statistics.size() == format_.statistics.size(), ExitCode::internal,
          "a draw of {} variables and {} statistics, {} and {} are declared", posterior.size(), statistics.size(), format_.posterior.size(),
          format_.statistics.size());
  Index const draw = draws_ % format_.draws_per_part;
  std::size_t next = 0;
  for (TileStorage const& view : posterior) {
    auto const host = values_on_host(view);
    keep(columns_[next++], draw, host.data(), extent(view, 2));
  }
  for (TileScalarStorage const& view : statistics) {
    auto const host = values_on_host(view);
    keep(columns_[next++], draw, host.data(), extent(view, 1));
  }
  pending_steps_[draw] = step;
  draws_++;
  if (draw + 1 < format_.draws_per_part) return;
  Index const part = full_parts() - 1;
  bool const shown = shown_draws_ > part * format_.draws_per_part;
  part_checks_.push_back(write_part(part, format_.draws_per_part));
  if (ranks_.is_root()) written_steps_.insert(written_steps_.end(), pending_steps_.begin(), pending_steps_.end());
  if (shown) show();
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

// (chain, draw, size) of `count` of this rank's chains, converted here: HDF5 cannot in a collective transfer.
template <class T>
void SampleWriter::convert(Column const& column, Index draws, Index first, Index count, T* to) const {
  Index const row = format_.draws_per_part * column.size, kept = draws * column.size;
  for (Index chain = first; chain < first + count; chain++) to = std::copy_n(column.values.data() + chain * row, kept, to);
}
void SampleWriter::copy(Column const& column, Index draws, Index first, Index count, void* to) const {
  switch (column.type) {
    case StoredAs::real32:
      return convert(column, draws, first, count, static_cast<float*>(to));
    case StoredAs::real64:
      return convert(column, draws, first, count, static_cast<double*>(to));
    case StoredAs::flag:
      return convert(column, draws, first, count, static_cast<std::int8_t*>(to));
  }
  fail(ExitCode::internal, "column without a stored type");
}

Index SampleWriter::chains() const {
  Tiling const& t = format_.tiling;
  return std::max<Index>(0, std::min(t.chains, t.first_chain(format_.mine.end())) - t.first_chain(format_.mine.first));
}

// Groups, coordinates and attributes; datasets by chain, draw (and own dimension) as `create` makes them.
template <class Create>
void SampleWriter::write_groups(hdf5::File const& file, Index const* steps, Index draws, Create const& create) const {
  auto const about = [&](hdf5::Object const& object) { describe(object, provenance_); };
  auto const scale = [](hdf5::Group const& group, std::string const& name, std::vector<Index> const& values) {
    auto dataset = group.write(name, values);
    dataset.make_scale(name);
    return dataset;
  };
  auto const counted = [](Index n) {
    std::vector<Index> values(n);
    std::iota(values.begin(), values.end(), Index{0});
    return values;
  };
  Index const chains = format_.tiling.chains;
  about(file);
  auto const posterior = file.create_group(posterior_group), statistics = file.create_group(statistics_group);
  for (auto const* group : {&posterior, &statistics}) {
    about(*group);
    auto const chain = scale(*group, "chain", counted(chains));
    auto const draw = scale(*group, "draw", {steps, steps + draws});
    if (group == &posterior)
      for (SampleVariable const& v : format_.posterior) {
        auto const own = scale(*group, v.name + "_dim", counted(v.size));
        auto const dataset = create(*group, v.name, stored_type(stored_as_real), hdf5::Extents{chains, draws, v.size});
        dataset.attach_scales({&chain, &draw, &own});
        if (v.name == "x" && !format_.image_shape.empty()) dataset.set_attribute("image_shape", format_.image_shape);
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

Index SampleWriter::bytes_of_chain(Column const& c, Index draws) { return draws * c.size * Index(H5Tget_size(stored_type(c.type))); }

// A checksum of the draws of a part alone, not of dates for example, so that it is the same in every run of a deck on any number of ranks:
// the sum of the checksums of its chains, each combined with the chain's number. Collective.
Index SampleWriter::content_check(Index draws) const {
  Index sum = 0;
  auto const add = [&sum](void const* bytes, std::size_t count, Index place) {
    sum += Index(crc32c(bytes, count, crc32c(&place, sizeof place)));
  };
  if (ranks_.is_root()) add(pending_steps_.data(), std::size_t(draws) * sizeof(Index), -1);
  Index const first = format_.tiling.first_chain(format_.mine.first), here = chains();
  for (std::size_t c = 0; c < columns_.size(); c++) {
    std::vector<std::byte> of_chain(bytes_of_chain(columns_[c], draws));
    for (Index chain = 0; chain < here; chain++) {
      copy(columns_[c], draws, chain, 1, of_chain.data());
      add(of_chain.data(), of_chain.size(), (first + chain) * std::ssize(columns_) + Index(c));
    }
  }
  return ranks_.all_reduce(sum, Reduction::sum) & 0xffffffff;
}

Index chains_of_chunk(Tiling const& tiling, Index bytes_of_chain) {
  constexpr Index most = Index{4} << 20;  // bytes
  Index chains = std::min(tiling.width, tiling.chains);
  while (chains % 2 == 0 && chains * bytes_of_chain > most) chains /= 2;
  return chains;
}

Index SampleWriter::write_part(Index part, Index draws) {
  if (shown_draws_ > part * format_.draws_per_part) hide();  // a shorter part, of which samples.h5 shows fewer draws
  auto const create = [&](hdf5::Group const& group, std::string const& name, hid_t type, hdf5::Extents const& extents) {
    hdf5::Extents chunk = extents;
    Index const values = std::accumulate(extents.begin() + 1, extents.end(), Index{1}, std::multiplies<>());
    chunk[0] = chains_of_chunk(format_.tiling, values * Index(H5Tget_size(type)));
    return group.create_dataset(name, type, extents, chunk);
  };
  Index const first = format_.tiling.first_chain(format_.mine.first);
  std::vector<Block> blocks;
  for (Column const& c : columns_)
    blocks.push_back({c.group + "/" + c.name, first, chains(), stored_type(c.type), bytes_of_chain(c, draws),
                      [this, &c, draws](void* to, Index chain, Index count) { copy(c, draws, chain, count, to); },
                      chains_of_chunk(format_.tiling, bytes_of_chain(c, draws))});
  Index const check = content_check(draws);
  auto const write_head = [&](hdf5::File const& file) {
    write_groups(file, pending_steps_.data(), draws, create);
    file.set_attribute(check_attribute, check);
  };
  write_collectively(run_.part(part), ranks_, write_head, blocks,
                     with_manifest(run_.part(part), ranks_, {.code_version = provenance_.code_version}));
  return check;
}

void SampleWriter::show() {
  if (full_parts() * format_.draws_per_part > shown_draws_) show(full_parts());
}

void SampleWriter::hide() {
  on_root(ranks_, [&] { fs::remove(run_.all_samples()); });
  shown_draws_ = 0;
}

void SampleWriter::show(Index parts) {
  Index const shown = std::min(draws_, parts * format_.draws_per_part);
  if (shown == std::exchange(shown_draws_, shown)) return;
  on_root(ranks_, [&] {
    std::vector<Index> steps = written_steps_;
    Index const pending = parts > full_parts() ? draws_ % format_.draws_per_part : 0;
    steps.insert(steps.end(), pending_steps_.begin(), pending_steps_.begin() + pending);
    Index const draws = std::ssize(steps);
    auto const create = [&](hdf5::Group const& group, std::string const& name, hid_t type, hdf5::Extents const& extents) {
      std::vector<hdf5::VirtualPart> stripes;
      for (Index part = 0; part < parts; part++) {
        Index const first = part * format_.draws_per_part;
        hdf5::Extents one = extents;
        one[1] = std::min(format_.draws_per_part, draws - first);
        stripes.push_back({"samples/" + run_.part(part).filename().string(), group.name() + "/" + name, one, first});
      }
      return group.create_virtual(name, type, extents, 1, stripes);
    };
    write_alone(run_.all_samples(), [&](hdf5::File const& file) { write_groups(file, steps.data(), draws, create); });
  });
}

void SampleWriter::write_pending() {
  if (shown_draws_ == draws_) return;
  Index const pending = draws_ % format_.draws_per_part;
  if (pending > 0) write_part(full_parts(), pending);
  show(full_parts() + (pending > 0));
}

void SampleWriter::size_state(CheckpointFile const& from) {
  draws_ = hdf5::File::open(from.path).dataset(draws_field).read<Index>().at(0);
  part_checks_.assign(full_parts(), 0);
}

void SampleWriter::reset_draws() {
  draws_ = shown_draws_ = 0;
  written_steps_.clear();
  part_checks_.clear();
}

void SampleWriter::describe_state(State& state) {
  state.add_scalar(draws_field, draws_);
  if (!part_checks_.empty()) {
    StateField checks{checks_field, element_of<Index>(), {std::ssize(part_checks_)}, false, {}, 0, {}, {}};
    checks.save_rows = [this](void* to, Index first, Index count) {
      std::copy_n(part_checks_.data() + first, count, static_cast<Index*>(to));
    };
    checks.restore_rows = [this](void const* from, Index first, Index count) {
      std::copy_n(static_cast<Index const*>(from), count, part_checks_.data() + first);
    };
    state.add_field(std::move(checks));
  }
  Index const pending = draws_ % format_.draws_per_part;
  if (pending == 0) return;
  TileRange const mine = format_.mine;
  for (Column& c : columns_) {
    // The pending draws of each chain, which are at the beginning of its block.
    Index const width = format_.tiling.width, place = format_.draws_per_part * c.size, kept = pending * c.size;
    StateField field{"samples/pending/" + c.name,
                     element_of<Real>(),
                     {mine.count, format_.tiling.width, pending, c.size},
                     true,
                     mine,
                     format_.tiling.tiles(),
                     {},
                     {}};
    field.save_rows = [&c, width, place, kept](void* to, Index tile, Index count) {
      Real const* const from = c.values.data() + tile * width * place;
      for (Index chain = 0; chain < count * width; chain++) std::copy_n(from + chain * place, kept, static_cast<Real*>(to) + chain * kept);
    };
    field.restore_rows = [&c, width, place, kept](void const* from, Index tile, Index count) {
      Real* const to = c.values.data() + tile * width * place;
      for (Index chain = 0; chain < count * width; chain++)
        std::copy_n(static_cast<Real const*>(from) + chain * kept, kept, to + chain * place);
    };
    state.add_field(std::move(field));
  }
  StateField steps{"samples/pending_steps", element_of<Index>(), {pending}, false, {}, 0, {}, {}};
  steps.save_rows = [this](void* to, Index first, Index count) {
    std::copy_n(pending_steps_.data() + first, count, static_cast<Index*>(to));
  };
  steps.restore_rows = [this](void const* from, Index first, Index count) {
    std::copy_n(static_cast<Index const*>(from), count, pending_steps_.data() + first);
  };
  state.add_field(std::move(steps));
}

void SampleWriter::verify() const {
  for (Index part = 0; part < full_parts(); part++) try {
      partita::verify(run_.part(part), ranks_);
      on_root(ranks_, [&] {
        require(hdf5::File::open(run_.part(part)).attribute<Index>(check_attribute) == part_checks_[part], ExitCode::data,
                "{} is intact, but not the part that this run wrote (it is of another run, or another part of this run)",
                run_.part(part).string());
      });
    } catch (Failure const& failure) {
      fail(failure.code(),
           fmt::format("{}; its draws are lost: restore the file and its manifest from a copy, or start anew with --overwrite",
                       failure.what()),
           failure.where(), failure.location(), failure.shutdown());
    }
}

// Whether samples.h5 and a last, shorter part hold exactly the draws of the state, as after a run that has ended or stopped.
bool SampleWriter::shows_all_draws() const {
  Index const pending = draws_ % format_.draws_per_part;
  auto const parts = std::size_t(full_parts() + (pending > 0));
  bool shows = false;
  if (ranks_.is_root()) try {
      shows = run_.part_numbers().size() == parts && run_.part_numbers(".manifest").size() == parts && fs::exists(run_.all_samples()) &&
              SampleReader(run_.all_samples()).draws() == draws_ &&
              (pending == 0 || SampleReader(run_.part(full_parts())).draws() == pending);
    } catch (Failure const&) {  // damaged files are written again
    }
  return ranks_.any(shows);
}

void SampleWriter::remove_later_parts() {
  on_root(ranks_, [&] {
    written_steps_.clear();
    for (Index part = 0; part < full_parts(); part++) {
      std::vector<Index> const steps = hdf5::File::open(run_.part(part)).dataset("posterior/draw").read<Index>();
      written_steps_.insert(written_steps_.end(), steps.begin(), steps.end());
    }
  });
  if (shows_all_draws()) {
    shown_draws_ = draws_;
    return;
  }
  hide();
  on_root(ranks_, [&] {
    for (char const* extension : {".h5", ".manifest"})
      for (Index part : run_.part_numbers(extension))
        if (part >= full_parts()) fs::remove(run_.part(part).replace_extension(extension));
  });
  write_pending();
}

}  // namespace partita
