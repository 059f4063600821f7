#include <gtest/gtest.h>

#include <cstdint>
#include <limits>

#include "io/json.hpp"

using namespace partita;

TEST(Json, PrintsEveryKindOfValue) {
  Json summary;
  summary["status"] = "done \"really\"\n\t\\ µ";
  summary["steps"] = std::int64_t{1} << 40;
  summary["seed"] = std::numeric_limits<std::uint64_t>::max();
  summary["finished"] = true;
  summary["nothing"] = Json{};
  summary["metrics"]["mean"] = 0.1;
  summary["metrics"]["mean_error"] = 1e-30;
  summary["list"] = Json::Array{1, 2.5, "x"};
  summary["empty"] = Json::Object{};
  summary["steps"] = 7;
  EXPECT_EQ(summary.text(), R"({
  "status": "done \"really\"\n\t\\ µ",
  "steps": 7,
  "seed": 18446744073709551615,
  "finished": true,
  "nothing": null,
  "metrics": {
    "mean": 0.1,
    "mean_error": 1e-30
  },
  "list": [
    1,
    2.5,
    "x"
  ],
  "empty": {}
}
)");
}

TEST(Json, NonFiniteNumbersBecomeNullWithAWarning) {
  Json j;
  j["metrics"]["loss"] = std::numeric_limits<double>::quiet_NaN();
  j["rate"] = -std::numeric_limits<float>::infinity();
  testing::internal::CaptureStderr();
  std::string const text = j.text();
  std::string const warnings = testing::internal::GetCapturedStderr();
  EXPECT_EQ(text, "{\n  \"metrics\": {\n    \"loss\": null\n  },\n  \"rate\": null\n}\n");
  if (!warnings.empty()) {  // rank 0 warns
    EXPECT_NE(warnings.find("metrics.loss is nan"), std::string::npos);
    EXPECT_NE(warnings.find("rate is -inf"), std::string::npos);
  }
}

TEST(Json, IsUtf8WhateverBytesAMessageQuotes) {
  Json j;
  j["reason"] = std::string("cannot read caf\xe9\x1b[2J \xf0\x9f");
  EXPECT_EQ(j.text(), "{\n  \"reason\": \"cannot read caf\xef\xbf\xbd\\u001b[2J \xef\xbf\xbd\"\n}\n");
}
