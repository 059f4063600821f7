// main of every test program: the environment once, then GoogleTest; ranks other than 0 report failures only.
#include <gtest/gtest.h>

#include <cstdio>

#include "comm/environment.hpp"

namespace {

// What ranks other than 0 say.
class FailurePrinter : public testing::EmptyTestEventListener {
  void OnTestPartResult(testing::TestPartResult const& result) override {
    if (result.failed())
      std::fprintf(stderr, "[rank %d] %s:%d: %s\n", partita::Communicator::world().rank(), result.file_name() ? result.file_name() : "",
                   result.line_number(), result.message());
  }
};

}  // namespace

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  partita::Environment environment(argc, argv);
  auto& listeners = testing::UnitTest::GetInstance()->listeners();
  if (!partita::Communicator::world().is_root()) {
    delete listeners.Release(listeners.default_result_printer());
    listeners.Append(new FailurePrinter);  // owned by GoogleTest
  }
  int const mine = RUN_ALL_TESTS();
  return partita::Communicator::world().any(mine != 0) ? 1 : 0;
}
