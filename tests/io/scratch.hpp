// Folders, small file systems and expected failures for the tests of files.
#pragma once
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <unistd.h>

#include <optional>

#include "io/files.hpp"
#include "io/together.hpp"

namespace partita {

// A folder that all ranks see, removed at the end.
class Scratch {
 public:
  Scratch() {
    std::string name = testing::TempDir() + "partita io µ " + std::to_string(::getpid());
    ranks.broadcast(name);
    path = name;
    on_root(ranks, [&] {
      std::filesystem::remove_all(path);
      std::filesystem::create_directories(path);
    });
  }
  ~Scratch() {
    ranks.barrier();
    std::error_code ignored;
    if (ranks.is_root()) std::filesystem::remove_all(path, ignored);
  }
  Scratch(Scratch const&) = delete;

  Communicator ranks = Communicator::world();
  Path path;
};

// A tmpfs of its own on a folder, where the system lets the test mount one.
class SmallFileSystem {
 public:
  SmallFileSystem(Path folder, char const* options) : folder_(std::move(folder)) {
    bool const mine = ranks_.is_root() && ::mount("none", folder_.c_str(), "tmpfs", 0, options) == 0;
    mounted_ = ranks_.any(mine);
  }
  ~SmallFileSystem() {
    ranks_.barrier();
    if (mounted_ && ranks_.is_root()) ::umount2(folder_.c_str(), MNT_DETACH);
    ranks_.barrier();
  }
  bool mounted() const { return mounted_; }
  bool make_read_only() const {
    return ranks_.any(ranks_.is_root() && ::mount("none", folder_.c_str(), "tmpfs", MS_REMOUNT | MS_RDONLY, nullptr) == 0);
  }

 private:
  Communicator ranks_ = Communicator::world();
  Path folder_;
  bool mounted_ = false;
};

inline std::vector<std::string> names_in(Path const& folder) {
  std::vector<std::string> names;
  for (auto const& entry : std::filesystem::directory_iterator(folder)) names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

template <class Call>
void expect_failure(ExitCode code, std::vector<std::string> const& words, Call&& call) {
  try {
    call();
    ADD_FAILURE() << "no failure, expected one that says: " << (words.empty() ? "" : words[0]);
  } catch (Failure const& failure) {
    EXPECT_EQ(int(failure.code()), int(code)) << failure.what();
    for (std::string const& word : words) EXPECT_THAT(failure.what(), testing::HasSubstr(word));
  }
}

}  // namespace partita
