// Small files for the tests of data, and what a failure says.
#pragma once
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <string>

#include "core/require.hpp"

namespace partita::test {

// A path of this process alone: several ranks may run the same test at once.
inline std::string temporary(std::string const& name) { return testing::TempDir() + "partita_" + std::to_string(getpid()) + "_" + name; }

inline std::string write_file(std::string const& name, std::string const& content) {
  std::string const path = temporary(name);
  std::ofstream(path, std::ios::binary) << content;
  return path;
}

// An idx file: type code, big-endian extents, data as they come.
inline std::string idx_bytes(unsigned char type, std::vector<std::uint32_t> const& extents, std::string const& data) {
  std::string out{'\0', '\0', static_cast<char>(type), static_cast<char>(extents.size())};
  for (std::uint32_t e : extents)
    for (int shift : {24, 16, 8, 0}) out.push_back(static_cast<char>(e >> shift));
  return out + data;
}

// The message of the Failure that `call` must throw, after checking its exit code.
template <class Call>
std::string failure(ExitCode code, Call const& call) {
  try {
    call();
  } catch (Failure const& f) {
    EXPECT_EQ(int(f.code()), int(code)) << f.what();
    return f.what();
  }
  ADD_FAILURE() << "no Failure was thrown";
  return {};
}

}  // namespace partita::test
