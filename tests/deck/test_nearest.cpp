#include <gtest/gtest.h>

#include "deck/document.hpp"

namespace partita::deck {
namespace {

TEST(Nearest, FindsMisspeltNames) {
  std::vector<std::string> const names = {"step_size", "steps", "seed", "ula", "leimkuhler_matthews"};
  EXPECT_EQ(nearest("stepsize", names), "step_size");
  EXPECT_EQ(nearest("step-size", names), "step_size");
  EXPECT_EQ(nearest("Seed", names), "seed");
  EXPECT_EQ(nearest("sede", names), "seed");  // a swap is one edit
  EXPECT_EQ(nearest("step", names), "steps");
  EXPECT_EQ(nearest("leimkuler_mathews", names), "leimkuhler_matthews");
}

TEST(Nearest, FindsNothingFarAway) {
  EXPECT_EQ(nearest("temperature", {"step_size", "steps", "seed"}), "");
  EXPECT_EQ(nearest("xy", {"ab", "c"}), "");
  EXPECT_EQ(nearest("", {"a", ""}), "");
  EXPECT_EQ(nearest(std::string(1 << 20, 'a'), {"a"}), "");  // at once
  EXPECT_EQ(nearest("a", {}), "");
}

}  // namespace
}  // namespace partita::deck
