// main of every test program: the environment once, then GoogleTest; ranks other than 0 report failures only.
#include <gtest/gtest.h>

#include "comm/environment.hpp"

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  partita::Environment environment(argc, argv);
  auto& listeners = testing::UnitTest::GetInstance()->listeners();
  if (!partita::Communicator::world().is_root()) delete listeners.Release(listeners.default_result_printer());
  int const mine = RUN_ALL_TESTS();
  return partita::Communicator::world().any(mine != 0) ? 1 : 0;
}
