#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "comm/communicator.hpp"
#include "core/copy.hpp"

namespace partita {
namespace {

Communicator world() { return Communicator::world(); }
Index ranks() { return world().ranks(); }
Index rank() { return world().rank(); }
Index sum_of_ranks() { return ranks() * (ranks() - 1) / 2; }

TEST(Communicator, knows_its_place) {
  EXPECT_GE(rank(), 0);
  EXPECT_LT(rank(), ranks());
  EXPECT_EQ(world().is_root(), rank() == 0);
  world().barrier();
}

TEST(Communicator, broadcasts_text_and_bytes_from_any_root) {
  for (int root = 0; root < ranks(); root++) {
    std::string text = rank() == root ? "zeroes \0 inside" + std::to_string(root) : "to be replaced by something of another length";
    world().broadcast(text, root);
    EXPECT_EQ(text, "zeroes \0 inside" + std::to_string(root));
    double values[3] = {double(rank()) + .25, double(rank()) + .5, double(rank()) + .75};
    world().broadcast(values, sizeof values, root);
    EXPECT_EQ(values[2], root + .75);
  }
  std::string empty = world().is_root() ? "" : "not empty";
  world().broadcast(empty);
  EXPECT_EQ(empty, "");
}

TEST(Communicator, reduces_scalars) {
  EXPECT_EQ(world().all_reduce(double(rank()) + .5, Reduction::sum), double(sum_of_ranks()) + .5 * double(ranks()));
  EXPECT_EQ(world().all_reduce(double(rank()) + .5, Reduction::minimum), .5);
  EXPECT_EQ(world().all_reduce(double(rank()) + .5, Reduction::maximum), double(ranks()) - .5);
  Index const large = Index(1) << 53;  // not representable as a double with one added
  EXPECT_EQ(world().all_reduce(large + 1 + rank(), Reduction::minimum), large + 1);
  EXPECT_EQ(world().all_reduce(rank() == 0 ? large + 1 : Index(0), Reduction::sum), large + 1);
}

TEST(Communicator, reduces_vectors_element_by_element) {
  std::vector<double> values = {1, double(rank()), -double(rank())};
  world().all_reduce(values, Reduction::sum);
  double const sum = double(sum_of_ranks());
  EXPECT_EQ(values, (std::vector<double>{double(ranks()), sum, -sum}));
  std::vector<Index> counts = {rank(), -rank()};
  world().all_reduce(counts, Reduction::maximum);
  EXPECT_EQ(counts, (std::vector<Index>{ranks() - 1, 0}));
  std::vector<Index> none;
  world().all_reduce(none, Reduction::sum);
  EXPECT_TRUE(none.empty());
}

TEST(Communicator, agrees_on_conditions) {
  EXPECT_TRUE(world().any(rank() == ranks() - 1));
  EXPECT_FALSE(world().any(false));
  EXPECT_TRUE(world().all(true));
  EXPECT_FALSE(world().all(rank() != ranks() - 1));
}

TEST(Communicator, gathers_different_numbers_in_rank_order) {
  std::vector<double> const mine(rank(), double(rank()));  // rank 0 has none
  std::vector<double> const all = world().all_gather(mine);
  ASSERT_EQ(std::ssize(all), sum_of_ranks());
  EXPECT_TRUE(std::is_sorted(all.begin(), all.end()));
  EXPECT_EQ(std::count(all.begin(), all.end(), double(ranks() - 1)), ranks() - 1);

  std::vector<Index> const pairs = world().all_gather(std::vector<Index>{rank(), rank() * rank()});
  for (Index r = 0; r < ranks(); r++) EXPECT_EQ(pairs[2 * r + 1], r * r);

  std::vector<std::string> const names = world().all_gather(std::string(rank(), 'x'));
  ASSERT_EQ(std::ssize(names), ranks());
  for (Index r = 0; r < ranks(); r++) EXPECT_EQ(names[r], std::string(r, 'x'));
}

Vector filled(Index size, Real value) {
  Vector v("filled", size);
  fill_array(v, value);
  return v;
}
Real first_of(Vector const& v) {
  auto const host = values_on_host(v);
  EXPECT_TRUE(std::all_of(host.data(), host.data() + host.extent(0), [&](Real x) { return x == host(0); }));
  return host(0);
}

TEST(Communicator, sums_device_values_in_place) {
  Vector const values = filled(1000, Real(rank() + 1));
  world().all_reduce_sum(values);
  EXPECT_EQ(first_of(values), Real(sum_of_ranks() + ranks()));  // small integers: exact in any order
}

TEST(Communicator, exchanges_slices_in_the_order_of_sending) {
  // Two slices to every other rank, of different lengths, marked by sender, receiver and number.
  auto mark = [](Index from, Index to, Index number) { return Real(100 * from + 10 * to + number); };
  std::vector<Slice> sends, receives;
  for (int other = 0; other < ranks(); other++)
    for (Index number = 0; other != rank() && number < 2; number++) {
      sends.push_back({other, filled(5 + number, mark(rank(), other, number))});
      receives.push_back({other, filled(5 + number, -1)});
    }
  world().exchange(sends, receives);
  for (std::size_t i = 0; i < receives.size(); i++) EXPECT_EQ(first_of(receives[i].values), mark(receives[i].rank, rank(), Index(i % 2)));
}

}  // namespace
}  // namespace partita
