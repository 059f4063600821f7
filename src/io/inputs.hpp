// What a run has read from files that are not its own. Their names may change before a restart, what they hold may not.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace partita {

class Inputs {
 public:
  // What the deck's key `role` names: the file, for messages, and a hash of what was read from it.
  void add(std::string const& role, std::string const& source, std::uint64_t hash);
  // "model.from: runs/first/checkpoints/step-...h5" for each, for people.
  std::vector<std::string> sources() const;
  // A line for each, for a checkpoint.
  std::string text() const;
  // Failure(data) on all ranks, with file and both hashes, unless a run that goes on from `checkpoint`, whose `text` was `before`, has read
  // the same as when it began.
  void require_same(std::string const& before, std::string const& checkpoint) const;

 private:
  struct Input {
    std::string role, source, hash;
  };
  static std::vector<Input> parse(std::string const& text);
  std::vector<Input> inputs_;
};

}  // namespace partita
