// The files of a run.
#pragma once
#include "comm/communicator.hpp"
#include "io/files.hpp"
#include "io/json.hpp"

namespace partita {

class RunDirectory {
 public:
  explicit RunDirectory(Path root) : root_(std::move(root)) {}

  Path const& root() const { return root_; }
  Path deck() const { return root_ / "deck.toml"; }
  Path log() const { return root_ / "run.log"; }
  Path lock() const { return root_ / "run.lock"; }
  Path status() const { return root_ / "run.status.json"; }
  Path summary() const { return root_ / "summary.json"; }
  Path history() const { return root_ / "history.h5"; }
  Path checkpoints() const { return root_ / "checkpoints"; }
  Path samples() const { return root_ / "samples"; }
  Path all_samples() const { return root_ / "samples.h5"; }
  Path estimates() const { return root_ / "estimates"; }

  // Collective. Makes the directory, its parents and its folders; Failure(storage) on all ranks says why it cannot.
  void create(Communicator const&) const;
  // Collective: whether a run has begun here (its resolved deck is there).
  bool has_run(Communicator const&) const;
  // Collective; by the holder of the run lock. Removes what killed writers left unfinished.
  void remove_unfinished(Communicator const&) const;

  // By the root.
  void write_deck(std::string const& text) const { write_atomically(deck(), text); }
  void write_status(Json const& values) const { write_atomically(status(), values.text()); }
  void write_summary(Json const& values) const { write_atomically(summary(), values.text()); }

 private:
  Path root_;
};

}  // namespace partita
