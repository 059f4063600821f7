// `partita info`: what a file of a run holds.
#pragma once
#include <string>

namespace partita {

// Of an HDF5 file: where it comes from, and each dataset with its shape and type. Of a run directory: its status, checkpoints and parts.
std::string describe_file(std::string const& path);

}  // namespace partita
