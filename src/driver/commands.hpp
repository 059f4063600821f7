// The commands of the program; each returns its exit code or throws Failure.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "comm/communicator.hpp"

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
};

// Parses the command line; a wrong one is Failure(usage). Prints help and version itself (root).
Arguments parse_arguments(int argc, char** argv, Communicator const&);

int execute(Arguments const&, Communicator const&);

}  // namespace partita
