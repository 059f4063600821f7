// `partita info`: what a deck specifies, or what a file of a run contains.
#pragma once
#include <string>

#include "deck/document.hpp"

namespace partita {

// For an HDF5 file: where it comes from, and each dataset with its shape and type. For a text (a log, a summary): its first lines. For a
// run directory: its status, checkpoints and parts. Failure(data) for anything else.
std::string describe_file(std::string const& path);
// The types named in a deck's sections, and the status of its run.
std::string describe_deck(deck::Document const&);

}  // namespace partita
