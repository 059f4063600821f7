// The files of others that a run has read. Their names may change before a restart, but not their contents.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace partita {

class Inputs {
 public:
  // Adds what the deck's key `role` names: the file, for messages, and a hash of what was read from it.
  void add(std::string const& role, std::string const& source, std::uint64_t hash);
  // "model.from: runs/first/checkpoints/step-...h5" for each, for people.
  std::vector<std::string> sources() const;
  // One line for each, for a checkpoint.
  std::string text() const;
  // Called when a run continues from `checkpoint`, which contains the text `before`: Failure(data) on all ranks, with files and both
  // hashes, unless the run has read the same as when it began.
  void require_same(std::string const& before, std::string const& checkpoint) const;

 private:
  struct Input {
    std::string role, source, hash;
  };
  static std::vector<Input> parse(std::string const& text);
  std::vector<Input> inputs_;
};

}  // namespace partita
