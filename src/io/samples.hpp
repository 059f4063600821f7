// Samples as immutable parts samples/part-NNNNNN.h5 that xarray and ArviZ open: groups posterior (variables by chain, draw and their own
// dimension) and sample_stats (one number by chain and draw), with draws labelled by their step.
#pragma once
#include <string>
#include <vector>

#include "comm/communicator.hpp"
#include "core/arrays.hpp"
#include "core/state.hpp"
#include "core/tiling.hpp"
#include "io/checkpoint.hpp"
#include "io/provenance.hpp"
#include "io/run_directory.hpp"

namespace partita {

// A posterior variable has `size` numbers per chain and is stored as Real.
struct SampleVariable {
  std::string name;  // "x"
  Index size;
};
enum class StoredAs { real32, real64, flag };
struct SampleStatistic {
  std::string name;  // "energy"
  StoredAs type;
  std::string doc;  // its definition, with unit
};

struct SampleFormat {
  Tiling tiling;
  TileRange mine;
  std::vector<SampleVariable> posterior;
  std::vector<SampleStatistic> statistics;
  Index draws_per_part;                 // fixed over the life of a run: default_draws_per_part
  std::vector<Index> image_shape = {};  // (height, width) where x is an image
};

constexpr Index part_bytes = Index{32} << 20;
// Number of draws that make a part of about part_bytes, at most 4096; depends on global counts only. A checkpoint carries at most this
// many pending draws.
Index default_draws_per_part(Tiling const&, std::vector<SampleVariable> const&, std::vector<SampleStatistic> const&);

// Chains whose values, of so many bytes each, make a chunk of a part: those of a tile, or of an equal share of one, of at most 4 MiB if
// there is such a share. HDF5 has several copies of a chunk while it writes it.
Index chains_of_chunk(Tiling const&, Index bytes_of_chain);

class SampleWriter {
 public:
  SampleWriter(RunDirectory, Communicator, SampleFormat, Provenance);

  // Collective. Adds the values of this rank's chains at a step: for each posterior variable (tile, size, pitch), for each statistic
  // (tile, pitch). Once draws_per_part draws are pending, they are written as a part.
  void append(Index step, std::vector<TileStorage> const& posterior, std::vector<TileScalarStorage> const& statistics);
  Index draws() const { return draws_; }
  // Lists the arrays of a rank.
  static void list(Arrays, SampleFormat const&);

  // Collective: brings samples.h5 up to date with the parts, at checkpoints.
  void show();

  // Describes the draws that are pending now, and their number, for the checkpoint; the writer must outlive the State.
  void describe_state(State&);
  // To be called before describe_state for reading: takes the number of draws from this checkpoint.
  void size_state(CheckpointFile const&);
  // Collective; after the state is restored, before anything is changed: Failure(data) where a full part is missing, does not agree with
  // its manifest, or is not the part that this run wrote.
  void verify() const;
  // Collective; at the start, or after verify(): removes parts beyond the draws of the state, and brings samples.h5 up to date.
  void remove_later_parts();
  // Called instead of remove_later_parts where the state is another run's: there are no draws yet.
  void reset_draws();
  // Collective; where a run ends or stops. Pending draws become a last, shorter part; they stay pending, and a full part replaces it.
  void write_pending();

 private:
  // Pending values of a variable or statistic on this rank: (tile, lane, draw of the part, size).
  struct Column {
    std::string group, name;
    Index size;
    StoredAs type;
    std::vector<Real> values;
  };
  Index full_parts() const { return draws_ / format_.draws_per_part; }
  Index chains() const;  // of this rank
  void keep(Column&, Index draw, Real const* source, Index pitch) const;
  Index write_part(Index part, Index draws);  // returns its content_check
  bool shows_all_draws() const;
  void show(Index parts);
  void hide();
  template <class Create>
  void write_groups(hdf5::File const&, Index const* steps, Index draws, Create const&) const;
  template <class T>
  void convert(Column const&, Index draws, Index first, Index count, T* to) const;
  // `count` of this rank's chains as they are stored, (chain, draw, size).
  void copy(Column const&, Index draws, Index first, Index count, void* to) const;
  static Index bytes_of_chain(Column const&, Index draws);
  static std::vector<Column> make_columns(Arrays const&, SampleFormat const&);
  Index content_check(Index draws) const;

  RunDirectory run_;
  Communicator ranks_;
  SampleFormat format_;
  Provenance provenance_;
  std::vector<Column> columns_;       // posterior variables, then statistics
  std::vector<Index> pending_steps_;  // of the draws of the part
  std::vector<Index> written_steps_;  // root: of all full parts
  std::vector<Index> part_checks_;    // content_check of all full parts
  Index draws_ = 0;
  Index shown_draws_ = 0;  // by samples.h5
};

}  // namespace partita
