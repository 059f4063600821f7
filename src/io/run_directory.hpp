// The files of a run; their names are defined here alone. A directory belongs to a run if it contains the mark; only files with Partita's
// own names are replaced or removed.
#pragma once
#include <optional>

#include "comm/communicator.hpp"
#include "io/files.hpp"
#include "io/json.hpp"

namespace partita {

class RunDirectory {
 public:
  explicit RunDirectory(Path root) : root_(std::move(root)) {}

  Path const& root() const { return root_; }
  Path mark() const { return root_ / "run.mark"; }
  Path deck() const { return root_ / "deck.toml"; }
  Path log() const { return root_ / "run.log"; }
  Path lock() const { return root_ / "run.lock"; }
  Path alive() const { return root_ / "run.lock.alive"; }
  Path status() const { return root_ / "run.status.json"; }
  Path summary() const { return root_ / "summary.json"; }
  Path history() const { return root_ / "history.h5"; }
  Path earlier_history() const { return root_ / "history.earlier.h5"; }
  Path checkpoints() const { return root_ / "checkpoints"; }
  Path samples() const { return root_ / "samples"; }
  Path all_samples() const { return root_ / "samples.h5"; }
  Path finished_estimators() const { return root_ / "estimators.finished.json"; }
  Path estimates() const { return root_ / "estimates"; }
  // Files of the folders; each HDF5 file of checkpoints and samples has a manifest beside it.
  Path checkpoint(Index step) const;
  Path part(Index number) const;
  Path estimate(std::string const& name) const;  // Failure(internal) for a name that the list in the source file lacks
  // Numbers of the checkpoints or parts that exist, or of their manifests, descending. Not collective.
  std::vector<Index> checkpoint_steps(std::string const& extension = ".h5") const;
  std::vector<Index> part_numbers(std::string const& extension = ".h5") const;

  // Failure(usage) where no system could have a directory of this name. Looks at the name alone.
  void require_possible() const;
  // Failure(storage) where the directory cannot be made or used by this process. Makes nothing.
  void require_writable() const;
  // Collective. Makes the directory with its parents, its mark and its folders, or uses one that has the mark. Failure(usage) on all ranks
  // if there is no mark but files that would be replaced, or the path is too long; Failure(storage) with the reason if it cannot be made.
  void create(Communicator const&) const;
  // Collective: whether a run has begun here: there is the mark, and more than the files that every start leaves.
  bool has_run(Communicator const&) const;
  // Collective: whether it has left any results: a checkpoint, samples, history, estimates, a summary.
  bool has_results(Communicator const&) const;
  // Collective; by the holder of the run lock. Removes what killed writers left unfinished.
  void remove_unfinished(Communicator const&) const;
  // Collective; by the holder of the run lock, after the status has ceased to claim results. Removes every file of the run but mark,
  // lock and status, the deck last; files that are not a run's stay.
  void remove_run(Communicator const&) const;

  // Called by the root.
  void write_deck(std::string const& text) const { write_atomically(deck(), text); }
  void write_summary(Json const& values) const { write_atomically(summary(), values.text()); }

 private:
  bool marked() const;
  // All files of a run but mark and lock.
  std::vector<Path> files_of_run() const;
  // Files in one of the run's folders, or in the root, whose names are those of a run's files.
  std::vector<Path> own_files(Path const& folder) const;
  bool is_own_name(Path const& folder, std::string const& name) const;
  Path root_;
};

}  // namespace partita
