#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <regex>
#include <string>
#include <vector>

namespace {

// look(folder, line, where) at every line of the files in the folders of src; how many files there are.
template <class Look>
int look_at_lines(Look const& look) {
  std::filesystem::path const sources = PARTITA_SOURCES;
  int files = 0;
  for (auto const& entry : std::filesystem::recursive_directory_iterator(sources)) {
    if (!entry.is_regular_file()) continue;
    files++;
    std::ifstream in(entry.path());
    std::string line;
    for (int number = 1; std::getline(in, line); number++)
      look(entry.path().lexically_relative(sources).begin()->string(), line, entry.path().string() + ":" + std::to_string(number));
  }
  return files;
}

TEST(IncludeRules, only_comm_knows_mpi_and_nccl) {
  std::regex const forbidden(R"(^\s*#\s*include\s*[<"](mpi|nccl)\.h[>"])");
  int const files = look_at_lines([&](std::string const& folder, std::string const& line, std::string const& where) {
    EXPECT_FALSE(folder != "comm" && std::regex_search(line, forbidden)) << where << ": " << line;
  });
  EXPECT_GT(files, 10);
}

// The order of docs/architecture.md.
TEST(IncludeRules, folders_use_only_those_before_them) {
  std::vector<std::string> const order{"core",     "comm",       "deck",     "io",         "data",       "networks",   "models",
                                       "samplers", "generators", "energies", "objectives", "optimizers", "estimators", "driver"};
  auto const rank = [&](std::string const& folder) { return std::find(order.begin(), order.end(), folder) - order.begin(); };
  std::regex const include(R"re(^\s*#\s*include\s*"(\w+)/)re");
  int includes = 0;
  look_at_lines([&](std::string const& folder, std::string const& line, std::string const& where) {
    std::smatch found;
    if (!std::regex_search(line, found, include)) return;
    includes++;
    EXPECT_LE(rank(found[1]), rank(folder)) << where << ": " << line;
  });
  EXPECT_GT(includes, 1000);
}

}  // namespace
