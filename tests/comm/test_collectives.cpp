#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "comm/collectives.hpp"
#include "comm/communicator.hpp"
#include "comm/phase_table.hpp"
#include "comm/tile_sums.hpp"
#include "core/require.hpp"

namespace partita {
namespace {

using testing::HasSubstr;

TEST(CollectiveCall, says_what_and_where) {
  CollectiveCall call{.operation = "all_reduce", .at = std::source_location::current(), .type = "double", .reduction = "sum", .count = 3};
  EXPECT_THAT(call.text(), testing::StartsWith("all_reduce(sum, 3 double) at tests/comm/test_collectives.cpp:"));
  EXPECT_THAT((CollectiveCall{.operation = "broadcast", .type = "byte", .count = 8, .root = 2}).text(),
              HasSubstr("broadcast(8 byte, root 2)"));
  EXPECT_THAT((CollectiveCall{.operation = "barrier"}).text(), testing::StartsWith("barrier at"));
}

TEST(CollectiveRecord, keeps_the_last_calls) {
  CollectiveRecord record;
  EXPECT_TRUE(record.last().empty());
  EXPECT_FALSE(record.current().waiting);
  for (Index i = 1; i <= 100; i++) {
    record.enter({.operation = "all_reduce", .count = i, .root = 0});
    EXPECT_TRUE(record.current().waiting);
    EXPECT_EQ(record.current().number, i);
    record.leave();
  }
  EXPECT_FALSE(record.current().waiting);
  auto const last = record.last();
  ASSERT_EQ(last.size(), CollectiveRecord::length);
  EXPECT_THAT(last.front(), testing::StartsWith("100 all_reduce"));
  EXPECT_THAT(last.back(), testing::StartsWith("37 all_reduce"));
}

// Every kind of call, and some that differ from another in one respect only.
struct Call {
  char const* says;
  std::function<void(Communicator const&)> make;
};
std::vector<Call> calls() {
  static double values[2];
  static std::vector<double> three(3), four(4);
  static std::vector<Index> counts(3);
  Vector const device("device values", 16), longer("device values", 32);
  return {
      {"barrier at", [](auto const& c) { c.barrier(); }},
      {"barrier at", [](auto const& c) { c.barrier(); }},  // from another place
      {"broadcast(8 byte, root 0)", [](auto const& c) { c.broadcast(values, 8); }},
      {"broadcast(16 byte, root 0)", [](auto const& c) { c.broadcast(values, 16); }},
      {"broadcast(8 byte, root 1)", [](auto const& c) { c.broadcast(values, 8, 1); }},
      {"all_reduce(sum, 1 double)", [](auto const& c) { c.all_reduce(1., Reduction::sum); }},
      {"all_reduce(maximum, 1 double)", [](auto const& c) { c.all_reduce(1., Reduction::maximum); }},
      {"all_reduce(minimum, 1 double)", [](auto const& c) { c.all_reduce(1., Reduction::minimum); }},
      {"all_reduce(sum, 1 integer)", [](auto const& c) { c.all_reduce(Index{1}, Reduction::sum); }},
      {"all_reduce(sum, 3 double)", [](auto const& c) { c.all_reduce(three, Reduction::sum); }},
      {"all_reduce(sum, 4 double)", [](auto const& c) { c.all_reduce(four, Reduction::sum); }},
      {"all_reduce(sum, 3 integer)", [](auto const& c) { c.all_reduce(counts, Reduction::sum); }},
      {"all_reduce(maximum, 1 integer)", [](auto const& c) { c.any(true); }},
      {"all_reduce(minimum, 1 integer)", [](auto const& c) { c.all(true); }},
      {"all_gather(double)", [](auto const& c) { c.all_gather(three); }},
      {"all_gather(integer)", [](auto const& c) { c.all_gather(counts); }},
      {"all_gather(character)", [](auto const& c) { c.all_gather(std::string("text")); }},
      {"all_reduce(sum on devices, 16", [device](auto const& c) { c.all_reduce_sum(device); }},
      {"all_reduce(sum on devices, 32", [longer](auto const& c) { c.all_reduce_sum(longer); }},
      {"exchange(", [](auto const& c) { c.exchange({}, {}); }},
      {"all_gather(integer)",
       [](auto const& c) {
         sum_over_tiles(c, {0, 0}, 1, {}, 1);
       }},
      {"all_gather(character)",
       [](auto const& c) {
         Timers timers;
         phase_table(timers, c);
       }},
      {"HDF5: write a dataset at", [](auto const& c) { auto const scope = c.scope("HDF5: write a dataset"); }},
      {"HDF5: close a file at", [](auto const& c) { auto const scope = c.scope("HDF5: close a file"); }},
      {"the end after a failure of all ranks at", [](auto const& c) { c.all_ranks_stop(); }},
  };
}

std::string met_by(Communicator const& ranks, Call const& call) {
  try {
    call.make(ranks);
  } catch (Failure const& failure) {
    EXPECT_EQ(failure.code(), ExitCode::internal);
    EXPECT_EQ(failure.where(), FailedOn::all_ranks);
    EXPECT_EQ(failure.shutdown(), Shutdown::immediate);
    return failure.what();
  }
  return "nothing";
}

// Each call on one rank, in turn, against two others on the other ranks.
TEST(Collectives, planted_mismatches_are_named) {
  Communicator const ranks = Communicator::world();
  if (ranks.ranks() == 1) GTEST_SKIP() << "one rank alone cannot part ways";
  ASSERT_NE(std::getenv("PARTITA_CHECK_COLLECTIVES"), nullptr) << "ctest sets it";
  auto const all = calls();
  std::size_t planted = 0;
  for (std::size_t apart : {std::size_t{1}, std::size_t{7}})
    for (std::size_t i = 0; i < all.size(); i++) {
      Call const &mine = all[i], &others = all[(i + apart) % all.size()];
      int const odd = 1 + int(i) % (ranks.ranks() - 1);
      std::string const message = met_by(ranks, ranks.rank() == odd ? mine : others);
      EXPECT_THAT(message, HasSubstr("rank " + std::to_string(odd) + " is in " + mine.says));
      EXPECT_THAT(message, HasSubstr("rank 0 in " + std::string(others.says)));
      planted++;
    }
  EXPECT_GE(planted, 50u);
  ranks.barrier();  // and none has spoilt what follows
}

TEST(Collectives, the_root_may_be_the_odd_one) {
  Communicator const ranks = Communicator::world();
  if (ranks.ranks() == 1) GTEST_SKIP() << "one rank alone cannot part ways";
  Call const all = calls()[0], root = calls()[5];
  EXPECT_THAT(met_by(ranks, ranks.is_root() ? root : all), HasSubstr("rank 1 is in barrier"));
}

}  // namespace
}  // namespace partita
