// How wrong options are refused, for tests.
#pragma once
#include <gtest/gtest.h>

#include <string>

#include "core/require.hpp"

namespace partita {

// The message with which making something is refused, as all ranks refuse wrong options; "accepted" where it is made.
template <class Make>
std::string refusal(Make const& make) {
  try {
    make();
  } catch (Failure const& f) {
    EXPECT_EQ(f.code(), ExitCode::usage);
    EXPECT_EQ(f.where(), FailedOn::all_ranks);
    return f.what();
  }
  return "accepted";
}

}  // namespace partita
