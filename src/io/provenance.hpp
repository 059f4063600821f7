// The attributes by which every file of a run tells where it comes from.
#pragma once
#include <cstdint>
#include <string>

#include "io/hdf5.hpp"

namespace partita {

struct Provenance {
  std::string deck;          // the resolved deck, text
  std::string code_version;  // git hash and dirty flag
  std::string version;       // of Partita
  std::uint64_t seed = 0;
};

// Attributes as ArviZ names them (created_at, inference_library, inference_library_version), and deck, code_version, seed.
void describe(hdf5::Object const&, Provenance const&);

}  // namespace partita
