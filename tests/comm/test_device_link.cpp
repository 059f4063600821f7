// The link between GPUs over NCCL, with a double of NCCL, on two ranks or more: what is enqueued, in which order, and what arrives.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "comm/communicator.hpp"
#include "core/copy.hpp"
#include "nccl_double.hpp"

using namespace partita;

namespace {

Vector counted(Index size, int rank) {
  Vector const v("values", std::size_t(size));
  for (Index i = 0; i < size; i++) v(i) = Real((rank + 1) * (i % 100 + 1));
  return v;
}

}  // namespace

TEST(DeviceLink, SumsAreRightWhoeverIsLate) {
  Communicator const ranks = Communicator::world();
  int const n = ranks.ranks();
  for (int late = -1; late < n; late++)
    for (Index const size : {1, 3, 1000, 4099}) {
      Vector const v = counted(size, ranks.rank());
      if (ranks.rank() == late) std::this_thread::sleep_for(std::chrono::milliseconds(20));
      ranks.all_reduce_sum(v);
      for (Index i = 0; i < size; i++) ASSERT_EQ(v(i), Real(n * (n + 1) / 2 * (i % 100 + 1))) << "late: " << late << ", entry " << i;
    }
}

TEST(DeviceLink, ExchangesGoBothWaysAtOnce) {
  Communicator const ranks = Communicator::world();
  int const n = ranks.ranks(), me = ranks.rank(), next = (me + 1) % n, last = (me + n - 1) % n;
  Vector const out = counted(500, me), in = counted(500, me);
  ranks.exchange({{next, out}}, {{last, in}});
  for (Index i = 0; i < 500; i++) ASSERT_EQ(in(i), Real((last + 1) * (i % 100 + 1)));
}

TEST(DeviceLink, CallsAreEnqueuedInOrder) {
  Communicator const ranks = Communicator::world();
  nccl_double::expect({});
  Vector const a = counted(7, ranks.rank()), b = counted(9, ranks.rank());
  ranks.all_reduce_sum(a);
  ranks.all_reduce_sum(b);
  int const other = ranks.rank() == 0 ? 1 : 0;
  if (ranks.rank() < 2) ranks.exchange({{other, a}}, {{other, a}});
  else ranks.exchange({}, {});
  std::string const expected = "all-reduce 7, all-reduce 9";
  std::string const exchanged = fmt::format(", send 7 to {0}, receive 7 from {0}", other);
  EXPECT_EQ(nccl_double::calls(), expected + (ranks.rank() < 2 ? exchanged : ""));
}
