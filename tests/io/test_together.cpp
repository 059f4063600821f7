#include "io/collective_file.hpp"
#include "scratch.hpp"

using namespace partita;

TEST(Together, AllRanksFailWithTheFirstFailure) {
  auto const ranks = Communicator::world();
  int const last = ranks.ranks() - 1;
  expect_failure(ExitCode::data, {"only here"},
                 [&] { together(ranks, [&] { require(ranks.rank() != last, ExitCode::data, "only here"); }); });
  together(ranks, [] {});
}

// A rank that takes another way than the others is found where it calls, whatever wraps the call.
TEST(Together, RanksThatPartAreNamedByTheirOwnPlaces) {
  auto const ranks = Communicator::world();
  if (ranks.ranks() == 1) GTEST_SKIP() << "one rank alone cannot part ways";
  Scratch scratch;
  auto const empty = [](hdf5::File const&) {};
  Path const path = scratch.path / "one.h5";
  bool const odd = ranks.rank() == ranks.ranks() - 1;
  std::vector<std::pair<std::function<void()>, std::function<void()>>> const ways = {
      {[&] { together(ranks, [] {}); }, [&] { on_root(ranks, [] {}); }},
      {[&] { on_root(ranks, [] {}); }, [&] { on_root(ranks, [] {}); }},
      {[&] { together(ranks, [] {}); }, [&] { write_collectively(path, ranks, empty, {}); }},
      {[&] { write_collectively(path, ranks, empty, {}); }, [&] { write_collectively(path, ranks, empty, {}); }},
  };
  for (auto const& [one, other] : ways)
    expect_failure(ExitCode::internal, {"tests/io/test_together.cpp", "different collective calls"}, odd ? one : other);
  ranks.barrier();
}

TEST(Together, FailuresThatLeaveAtOnceAreNotTalkedOver) {
  auto const ranks = Communicator::world();
  bool passed = false;
  try {
    together(ranks,
             [] { fail(ExitCode::storage, "in the middle", FailedOn::this_rank, std::source_location::current(), Shutdown::immediate); });
  } catch (Failure const& failure) {
    passed = failure.shutdown() == Shutdown::immediate;
  }
  EXPECT_TRUE(passed);
}
