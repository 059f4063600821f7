// Files that may be gzipped, and a guess at the format of a file that is not what it was taken for.
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
  // Reads at most so many bytes; fewer only at the end of the file.
  Index read_some(void* to, Index bytes);
  // Reads exactly so many; `what` names them in messages.
  void read(void* to, Index bytes, std::string const& what);
  bool at_end();

 private:
  std::string path_;
  std::unique_ptr<gzFile_s, int (*)(gzFile)> file_;
};

// ": a NumPy array; ..." where the first bytes of a file (unpacked) show a common format that cannot be read, or needs another data.type;
// empty for any other file.
std::string foreign_format(std::string const& first_bytes);

}  // namespace partita::data
