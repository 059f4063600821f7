// The manifest of a file, kept beside it: size, checksums of its stripes and where it comes from. It tells an intact file from a damaged
// one before HDF5 reads it.
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "comm/communicator.hpp"
#include "io/files.hpp"

namespace partita {

struct Manifest {
  std::uint64_t bytes = 0;
  std::vector<std::uint32_t> stripes;  // CRC-32C
  Index step = 0;
  std::string deck_hash, code_version;

  std::string text() const;                                          // ends with its own checksum
  static Manifest parse(std::string const& text, Path const& from);  // Failure(data)
};

// Collective: the manifest of a file as it is now.
Manifest make_manifest(Path const& file, Communicator const&);
// A seal for write_collectively: writes the manifest just before the file gets its name; `about` has step, deck and version.
std::function<void(Path const& temporary)> with_manifest(Path const& name, Communicator const&, Manifest about);
// Collective: Failure(data) on all ranks unless the file is what its manifest says.
Manifest verify(Path const& file, Communicator const&);

}  // namespace partita
