#include <gtest/gtest.h>

#include "core/require.hpp"
#include "deck/duration.hpp"

namespace partita::deck {
namespace {

TEST(Duration, IsANumberWithAUnit) {
  EXPECT_EQ(seconds("30s"), 30);
  EXPECT_EQ(seconds("5min"), 300);
  EXPECT_EQ(seconds("2h"), 7200);
  EXPECT_EQ(seconds("1d"), 86400);
  EXPECT_EQ(seconds("1.5h"), 5400);
  EXPECT_EQ(seconds("30"), 30);
  EXPECT_EQ(seconds("0"), 0);
}

TEST(Duration, RefusesTheRest) {
  for (std::string const& bad :
       {std::string(), std::string("min"), std::string("-5s"), std::string("5 min"), std::string("5m"), std::string("1e3"),
        std::string("1.2.3s"), std::string("."), std::string("nan"), std::string("inf"), std::string("5min3"), std::string(400, '9')}) {
    try {
      seconds(bad);
      ADD_FAILURE() << "accepted: " << bad;
    } catch (Failure const& f) {
      EXPECT_EQ(f.code(), ExitCode::usage);
    }
    EXPECT_NE(reason_against_duration(bad), "");
  }
  EXPECT_EQ(reason_against_duration(std::string("5min")), "");
}

}  // namespace
}  // namespace partita::deck
