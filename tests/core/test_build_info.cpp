#include <gmock/gmock.h>

#include <regex>

#include "core/build_info.hpp"

namespace partita {
namespace {

using testing::HasSubstr;

TEST(BuildInfo, names_version_and_revision) {
  EXPECT_TRUE(std::regex_match(version(), std::regex(R"(\d+\.\d+\.\d+)"))) << version();
  EXPECT_TRUE(std::regex_match(code_version(), std::regex(R"(\d+\.\d+\.\d+ \(git (unknown|[0-9a-f]{12,}(, modified)?)\))")))
      << code_version();
}

TEST(BuildInfo, configuration_lists_what_matters) {
  std::string const text = build_configuration();
  for (char const* part :
       {"partita ", "\ncompiler ", "\nflags ", "-fno-math-errno", "\nreal ", "\nKokkos ", "\nMPI ", "\nHDF5 ", "\nGPUs "})
    EXPECT_THAT(text, HasSubstr(part));
  EXPECT_THAT(text, HasSubstr(code_version()));
}

TEST(BuildInfo, machine_identity_is_one_line_and_constant) {
  EXPECT_EQ(machine_identity().find('\n'), std::string::npos);
  EXPECT_EQ(machine_identity(), machine_identity());
  EXPECT_THAT(machine_identity(), HasSubstr("cpu "));
}

}  // namespace
}  // namespace partita
