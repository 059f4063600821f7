#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <regex>
#include <string>

namespace {

TEST(IncludeRules, only_comm_knows_mpi_and_nccl) {
  std::regex const forbidden(R"(^\s*#\s*include\s*[<"](mpi|nccl)\.h[>"])");
  std::filesystem::path const sources = PARTITA_SOURCES;
  int files = 0;
  for (auto const& entry : std::filesystem::recursive_directory_iterator(sources)) {
    if (!entry.is_regular_file() || *entry.path().lexically_relative(sources).begin() == "comm") continue;
    files++;
    std::ifstream in(entry.path());
    std::string line;
    for (int number = 1; std::getline(in, line); number++)
      EXPECT_FALSE(std::regex_search(line, forbidden)) << entry.path() << ":" << number << ": " << line;
  }
  EXPECT_GT(files, 10);
}

}  // namespace
