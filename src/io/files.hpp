// Files that are either whole or absent after a crash: written under a temporary name, synchronised to disk, renamed.
#pragma once
#include <filesystem>
#include <string>
#include <string_view>

#include "core/types.hpp"

namespace partita {

using Path = std::filesystem::path;

// A name in the same folder that no other process uses; remove_temporaries knows it.
Path temporary_name(Path const&);
// Failure(storage) where this process cannot open an existing file for writing.
void require_writable(Path const&);
// Forces the data of a file, or the names in a folder, to disk.
void synchronise(Path const&);
// Gives a synchronised temporary its name, replacing what had it.
void publish(Path const& temporary, Path const& name);
void write_file(Path const&, std::string_view text);  // checked, but neither synchronised nor atomic
// Takes disk space for a file that will grow to this size, where the file system can: Failure(storage) if there is too little.
void reserve(Path const&, Index bytes);
void write_atomically(Path const&, std::string_view text);
// Removes what killed writers left in a folder; only the holder of the run lock may call it.
void remove_temporaries(Path const& folder);

std::string read_text(Path const&);   // Failure(data)
std::string free_space(Path const&);  // "0.1 MB free"
// "No space left on device, 0.1 MB free": the reason of a failed system call on this path.
std::string storage_reason(Path const&, int error_number);

}  // namespace partita
