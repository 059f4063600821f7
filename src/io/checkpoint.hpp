// Checkpoints: the state of a run at a step, in one HDF5 file with a manifest. A crash at any moment leaves the one before it intact.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "comm/communicator.hpp"
#include "core/sampling_version.hpp"
#include "core/state.hpp"
#include "io/run_directory.hpp"

namespace partita {

// Where a checkpoint comes from, stored as attributes.
struct CheckpointInfo {
  Index step = 0;
  std::string deck;          // the resolved deck, text
  std::string deck_hash;     // of the part of the deck that is fixed on restart
  std::string code_version;  // git hash and dirty flag
  std::string machine;       // what a chain's bits depend on: instruction set, GPU model
  std::uint64_t seed = 0;
  Index sampling = sampling_version;  // 0: written by a version that did not record it
  std::string inputs;                 // the files that the run has read, one per line
};

struct CheckpointFile {
  Path path;
  Index step = 0;
};

// All collective.
//
// Writes checkpoints/step-NNNNNNNNNNNNN.h5 and removes the oldest, keeping max(keep, 2). An intact checkpoint of this step is left as it
// is. Failure(numerical) names a field that is not finite and its first index, Failure(storage) tells what the file system refused; in
// both cases the earlier checkpoints stay. Sample parts and history must have been written to disk before.
// `may_be_nonfinite`: beginnings of the names of fields that are not checked for finite values.
void write_checkpoint(RunDirectory const&, Communicator const&, State const&, CheckpointInfo const&, int keep,
                      std::vector<std::string> const& may_be_nonfinite = {});
// The newest checkpoint whose manifest and checksums are right, skipping damaged ones with a warning; none where there is no checkpoint at
// all. Failure(data) where all are damaged.
std::optional<CheckpointFile> newest_valid_checkpoint(RunDirectory const&, Communicator const&);
// A checkpoint file by its path, or the newest valid one of another run's directory, for reading only. Failure(data) where there is none.
CheckpointFile find_checkpoint(Path const& file_or_run, Communicator const&);
// On restart, under the run lock: removes checkpoints of later steps than this one, which are damaged or of an abandoned continuation.
void remove_later_checkpoints(RunDirectory const&, Communicator const&, Index step);
// Restores every field, on any number of ranks. Failure(data) on all ranks names file, field, and what was found and wanted.
void read_checkpoint(CheckpointFile const&, Communicator const&, State const&);
// The same for another run's checkpoint, which may lack fields: those keep their values, and their names are returned.
std::vector<std::string> read_checkpoint_in_part(CheckpointFile const&, Communicator const&, State const&);

// Not collective; the file is one that the functions above have verified.
CheckpointInfo read_checkpoint_info(CheckpointFile const&);
struct FieldValues {
  std::vector<Index> extents;  // row-major, global
  std::vector<Real> values;
};
FieldValues read_field(CheckpointFile const&, std::string const& name);

}  // namespace partita
