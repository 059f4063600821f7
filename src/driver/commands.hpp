// The commands of the program; each returns its exit code or throws Failure.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "comm/communicator.hpp"
#include "deck/document.hpp"

namespace partita {

enum class Restart { never, automatic, required, from_file };

struct Arguments {
  std::string command;  // run, check, reference, list, info; empty: help or version was printed
  std::string deck;
  std::vector<std::string> overrides;  // section.key=value
  Restart restart = Restart::never;
  std::string restart_file;
  std::string walltime;
  bool overwrite = false, allow_different_machine = false, output_only = false;
  std::string subject;  // of list and info
  Index ranks = 0;      // number that `check` assumes; 0: as many as the launcher has started
  bool without_files = false;
};

// All ranks must have been started with the same arguments, the same program and on the same kind of machine, or their bits would differ.
// Collective; Failure(usage) names the first rank that differs.
void require_same_start(int argc, char** argv, Communicator const&);

// Parses the command line; a wrong one is Failure(usage). Prints help and version itself, where output is shown. Not collective: only the
// command `run` starts MPI.
enum class Output { shown, hidden };
Arguments parse_arguments(int argc, char** argv, Output);

// The deck in a file, which the root reads for all ranks, with the arguments' overrides; each key is checked alone, by its schema.
// Collective.
deck::Reading read_deck(Arguments const&, std::string const& file, Communicator const&);

int execute(Arguments const&, Communicator const&);

}  // namespace partita
