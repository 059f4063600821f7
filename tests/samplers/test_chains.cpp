#include <gtest/gtest.h>

#include "sampling.hpp"

namespace {

using namespace partita;
using namespace partita::sampling;

auto const key = random::make_key(9);

TEST(InitialState, DistributionsAreThoseNamed) {
  constexpr Index n = 1 << 16;
  auto const normal = states(make_chains(n, 3, {InitialState::normal, 2, -1}, key)),
             uniform = states(make_chains(n, 3, {InitialState::uniform, 2, -1}, key));
  Matrix normal_covariance(3, 3), uniform_covariance(3, 3);
  for (Index i = 0; i < 3; i++) normal_covariance(i, i) = 4, uniform_covariance(i, i) = 4 / 3.;
  EXPECT_LT(largest_z(normal, {-1, -1, -1}, normal_covariance), 4);
  EXPECT_LT(largest_z(uniform, {-1, -1, -1}, uniform_covariance), 4);
  for (auto const& x : uniform)
    for (double v : x) ASSERT_LE(std::abs(v + 1), 2);
  for (auto const& x : states(make_chains(100, 3, {InitialState::zero, 2, -1}, key))) ASSERT_EQ(x, Point(3, -1));
}

TEST(InitialState, IsKeyedByChain) {
  auto const whole = states(make_chains(1000, 5, {}, key, 64));
  for (Index width : {16, 48, 256}) EXPECT_EQ(states(make_chains(1000, 5, {}, key, width)), whole) << "width " << width;
  auto const part = states(make_chains(1000, 5, {}, key, 64, {7, 3}));
  EXPECT_EQ(part, std::vector<Point>(whole.begin() + 7 * 64, whole.begin() + 10 * 64));
}

TEST(RestartSome, TakesAKeyedShareOfTheChains) {
  constexpr Index n = 1 << 16;
  InitialDistribution const place{InitialState::uniform, 1, 100};
  auto const restarted = [&](Index width, TileRange mine, Index step, double fraction) {
    Chains const c = make_chains(n, 3, {}, key, width, mine);
    restart_some(c, key, step, place, fraction);
    return states(c);
  };
  auto const before = states(make_chains(n, 3, {}, key)), after = restarted(256, {0, -1}, 5, 0.25), next = restarted(256, {0, -1}, 6, 0.25);
  Index taken = 0, taken_twice = 0;
  for (std::size_t c = 0; c < after.size(); c++) {
    bool const now = after[c] != before[c];
    for (double v : after[c]) ASSERT_EQ(v > 98, now);  // a chain as a whole
    taken += now, taken_twice += now && next[c] != before[c];
    ASSERT_TRUE(!now || after[c] != next[c]);
  }
  // binomial: n p and n p^2 if the choice at another step is independent
  EXPECT_NEAR(taken, n * .25, 4 * std::sqrt(n * .25 * .75));
  EXPECT_NEAR(taken_twice, n * .0625, 4 * std::sqrt(n * .0625 * .9375));
  EXPECT_EQ(restarted(48, {0, -1}, 5, 0.25), after);
  auto const part = restarted(256, {100, 3}, 5, 0.25);
  EXPECT_EQ(part, std::vector<Point>(after.begin() + 100 * 256, after.begin() + 103 * 256));
  EXPECT_EQ(restarted(256, {0, -1}, 5, 0), before);
  for (auto const& x : restarted(256, {0, -1}, 5, 1)) ASSERT_GT(x[0], 98);
}

TEST(FirstNonfiniteChain, NamesTheFirstOfTheRealChains) {
  Index const width = 48;
  Chains const all = make_chains(200, 3, {}, key, width), second = make_chains(200, 3, {}, key, width, {2, 3});
  auto const set = [&](Chains const& c, Index chain, Index i, Real value) {
    auto const host = Kokkos::create_mirror_view_and_copy(Kokkos::HostSpace(), c.x);
    host(chain / width - c.mine.first, i, chain % width) = value;
    Kokkos::deep_copy(c.x, host);
  };
  EXPECT_EQ(first_nonfinite_chain(all), -1);
  set(all, 200, 0, NAN);  // a lane past the last chain
  EXPECT_EQ(first_nonfinite_chain(all), -1);
  set(all, 199, 2, INFINITY);
  EXPECT_EQ(first_nonfinite_chain(all), 199);
  set(all, 47, 1, -INFINITY);
  set(all, 48, 0, NAN);
  EXPECT_EQ(first_nonfinite_chain(all), 47);
  set(all, 0, 0, NAN);
  EXPECT_EQ(first_nonfinite_chain(all), 0);
  EXPECT_EQ(first_nonfinite_chain(second), -1);
  set(second, 100, 1, NAN);  // the number is global
  EXPECT_EQ(first_nonfinite_chain(second), 100);
}

TEST(TileWidth, FitsTheCacheAndTheChains) {
  EXPECT_EQ(default_tile_width(1 << 20, 2, 2), 256);
  EXPECT_EQ(default_tile_width(1 << 20, 1 << 20, 2), 64);
  EXPECT_EQ(default_tile_width(100, 2, 2), 112);
  EXPECT_EQ(default_tile_width(1, 2, 2), 16);
  for (Index d : {1, 100, 1000, 3000, 10000}) EXPECT_EQ(default_tile_width(1 << 20, d, 3) % pitch_quantum, 0);
}

}  // namespace
