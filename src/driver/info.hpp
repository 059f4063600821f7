// `partita info`: what a deck asks for, or a file of a run holds.
#pragma once
#include <string>

#include "deck/document.hpp"

namespace partita {

// Of an HDF5 file: where it comes from, and each dataset with its shape and type. Of a text (a log, a summary): its first lines. Of a run
// directory: its status, checkpoints and parts. Failure(data) for what is none of these.
std::string describe_file(std::string const& path);
// What a deck names in its sections, and how its run stands.
std::string describe_deck(deck::Document const&);

}  // namespace partita
