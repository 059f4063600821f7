// Files that may be gzipped, and what a file is that cannot be read as what it was taken for.
#pragma once
#include <zlib.h>

#include <memory>
#include <string>

#include "core/types.hpp"

namespace partita::data {

// Bytes of a regular file, unpacked where it is gzipped. Anything wrong is Failure(data, all ranks).
class CompressedFile {
 public:
  explicit CompressedFile(std::string const& path);
  // At most so many bytes; fewer at the end alone.
  Index read_some(void* to, Index bytes);
  // Exactly so many; `what` they are for messages.
  void read(void* to, Index bytes, std::string const& what);
  bool at_end();

 private:
  std::string path_;
  std::unique_ptr<gzFile_s, int (*)(gzFile)> file_;
};

// ": a NumPy array; ..." where the first bytes of a file (unpacked) tell that it is one of the common formats that are not read, or are
// under another data.type; empty where they do not.
std::string foreign_format(std::string const& first_bytes);

}  // namespace partita::data
