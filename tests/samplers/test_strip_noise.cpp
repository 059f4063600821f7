#include <gtest/gtest.h>

#include <vector>

#include "samplers/strip_noise.hpp"

namespace {

using namespace partita;
using random::Stream;

constexpr std::uint64_t first_chain = (std::uint64_t{1} << 32) - strip_lanes;

// Normal i of a step, straight from the counter: four coordinates a call, or in two and one dimensions two and four steps a call.
Real reference(random::Key key, std::uint64_t chain, Index dimension, Index step, Index i) {
  Index const shared = dimension > 2 ? 1 : dimension == 2 ? 2 : 4;
  Index const number = dimension > 2 ? i % 4 : dimension == 2 ? step % 2 * 2 + i : step % 4;
  auto const w = random::words(key, chain, Stream::test, std::uint64_t(step / shared), std::uint32_t(i / 4));
  auto const pair = number < 2 ? random::normal_pair(w.w[0], w.w[1], Real()) : random::normal_pair(w.w[2], w.w[3], Real());
  return number % 2 == 0 ? pair.a : pair.b;
}

// Steps in and out of order, odd ones first, repeated, and past 2^32: held words never serve the wrong step.
TEST(StripNoise, NormalsAreAFunctionOfChainStepAndCoordinate) {
  auto const key = random::make_key(5);
  auto const keys = random::round_keys(key);
  for (Index d : {1, 2, 3, 4, 5, 6, 7, 32}) {
    StripNoise noise(keys, Stream::test, first_chain);
    for (Index step : {Index{3}, Index{4}, Index{5}, Index{5}, Index{0}, Index{1}, Index{7}, Index{6}, (Index{1} << 34) + 1,
                       (Index{1} << 34) + 2, Index{2}}) {
      std::vector<int> visits(d * strip_lanes);
      noise.each(d, step, [&](Index i, Index l, Real xi) {
        visits[i * strip_lanes + l]++;
        EXPECT_EQ(xi, reference(key, first_chain + std::uint64_t(l), d, step, i))
            << "d " << d << " step " << step << " i " << i << " lane " << l;
      });
      for (int v : visits) ASSERT_EQ(v, 1) << "d " << d;
    }
  }
}

TEST(StripNoise, LaneWordsAreAFunctionOfChainAndStep) {
  auto const key = random::make_key(5);
  auto const keys = random::round_keys(key);
  StripStreams<Stream::test, Stream::metropolis> noise(keys, first_chain);
  for (Index step : {7, 0, 1, 2, 3, 4, 6, 5, 3}) {
    noise.from<Stream::test>().each(3, step, [](Index, Index, Real) {});  // normals in between do not disturb them
    auto const* words = noise.from<Stream::metropolis>().lane_words(step);
    for (int l = 0; l < strip_lanes; l++)
      EXPECT_EQ(words[l], random::words(key, first_chain + unsigned(l), Stream::metropolis, std::uint64_t(step / 4), 0).w[step % 4]);
  }
}

}  // namespace
