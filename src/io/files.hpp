// Files that are either complete or absent after a crash: written under a temporary name, synchronised to disk, renamed. No file is created
// or written through a symbolic link, so that a link in place of one of our files cannot make us overwrite its target.
#pragma once
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "core/types.hpp"

namespace partita {

using Path = std::filesystem::path;

// A name in the same folder that no other process uses; and the final name of a file with such a temporary name, none for any other name.
Path temporary_name(Path const&);
std::optional<std::string> name_of_temporary(std::string const& file_name);
// Path of the manifest (size and checksums) of a file: beside it, with another extension.
Path manifest_of(Path const& file);
// Failure(storage) where this process cannot open an existing file for writing.
void require_writable(Path const&);
// Forces the data of a file, or the names in a folder, to disk.
void synchronise(Path const&);
// Renames a synchronised temporary file to its final name, replacing any file of that name.
void publish(Path const& temporary, Path const& name);
// Creates a file, which must not exist; checks for errors, but is neither synchronised nor atomic.
void write_file(Path const&, std::string_view text);
// Reserves disk space for a file that will grow to this size, where the file system can: Failure(storage) if there is too little.
void reserve(Path const&, Index bytes);
void write_atomically(Path const&, std::string_view text);
// Keeps a complete file under a second name, replacing any file of that name, before the first is replaced. Does nothing if there is none.
void keep_second_name(Path const& file, Path const& second);

std::string read_text(Path const&);   // of a regular file: Failure(data)
std::string free_space(Path const&);  // "0.1 MB free"
// "No space left on device, 0.1 MB free": the reason of a failed system call on this path.
std::string storage_reason(Path const&, int error_number);

}  // namespace partita
