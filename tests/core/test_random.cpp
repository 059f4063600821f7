#include <gmock/gmock.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <set>
#include <vector>

#include "core/require.hpp"
#include "core/strip_words.hpp"

namespace {

using namespace partita;
using random::Stream;

constexpr double pi = 3.14159265358979323846;

std::vector<std::uint32_t> list(random::Words w) { return {w.w, w.w + 4}; }

// Random123's published known answers for philox4x32-10: zeros, ones, digits of pi.
TEST(Philox, KnownAnswers) {
  using testing::ElementsAre;
  constexpr std::uint32_t ones = 0xffffffffu;
  EXPECT_THAT(list(random::philox({{0, 0, 0, 0}}, {0, 0})), ElementsAre(0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u));
  EXPECT_THAT(list(random::philox({{ones, ones, ones, ones}}, {ones, ones})),
              ElementsAre(0x408f276du, 0x41c83b0eu, 0xa20bc7c6u, 0x6d5451fdu));
  EXPECT_THAT(list(random::philox({{0x243f6a88u, 0x85a308d3u, 0x13198a2eu, 0x03707344u}}, {0xa4093822u, 0x299f31d0u})),
              ElementsAre(0xd16cfe09u, 0x94fdccebu, 0x5001e420u, 0x24126ea1u));
}

TEST(Philox, VectorLanesEqualScalarReference) {
  auto const near = [](std::uint64_t edge) {
    return std::vector<std::uint64_t>{edge - strip_lanes, edge - 3 * lane_quantum, edge - lane_quantum};
  };
  std::vector<std::uint64_t> chains = {0, 16, 48, 64, std::uint64_t{1} << 32, (std::uint64_t{5} << 32) + 16, std::uint64_t{1} << 47};
  for (auto c : near(std::uint64_t{1} << 32)) chains.push_back(c);
  chains.push_back((std::uint64_t{1} << 48) - strip_lanes);
  std::uint64_t const steps[] = {0, 1, 0xfffffffeu, 0xffffffffu, std::uint64_t{1} << 32, (std::uint64_t{1} << 40) - 1};
  std::uint32_t const draws[] = {0, 1, 2, 3, 255, 65536, (1u << 24) - 1};
  for (std::uint64_t seed : {std::uint64_t{0}, std::uint64_t{1}, ~std::uint64_t{0}}) {
    auto const key = random::make_key(seed);
    auto const keys = random::round_keys(key);
    for (auto chain : chains)
      for (auto step : steps)
        for (auto draw : draws)
          for (Stream stream : {Stream::langevin_noise, Stream::test, static_cast<Stream>(0xffff)}) {
            random::StripWords strip;
            random::fill(strip, keys, chain, stream, step, draw);
            for (int l = 0; l < strip_lanes; l++) {
              auto const expected = random::words(key, chain + unsigned(l), stream, step, draw);
              for (int k = 0; k < 4; k++)
                ASSERT_EQ(strip.w[k][l], expected.w[k]) << "chain " << chain + unsigned(l) << " step " << step << " draw " << draw;
            }
          }
  }
}

// Each field has bits of its own: every combination of the extreme values of all four gives another counter, and all 128 bits are used.
TEST(Counter, FieldsDoNotOverlap) {
  std::uint64_t const chains[] = {0, 1, 0xffffffffu, std::uint64_t{1} << 32, (std::uint64_t{1} << random::chain_bits) - 1};
  std::uint32_t const streams[] = {0, 1, (1u << random::stream_bits) - 1};
  std::uint64_t const steps[] = {0, 1, 0xffffffffu, std::uint64_t{1} << 32, (std::uint64_t{1} << random::step_bits) - 1};
  std::uint32_t const draws[] = {0, 1, (1u << random::draw_bits) - 1};
  std::set<std::vector<std::uint32_t>> seen;
  std::size_t combinations = 0;
  for (auto c : chains)
    for (auto s : streams)
      for (auto n : steps)
        for (auto d : draws) seen.insert(list(random::counter(c, static_cast<Stream>(s), n, d))), combinations++;
  EXPECT_EQ(seen.size(), combinations);
  auto const full = random::counter(chains[4], static_cast<Stream>(streams[2]), steps[4], draws[2]);
  EXPECT_THAT(list(full), testing::Each(0xffffffffu));
  EXPECT_EQ(random::chain_bits + random::stream_bits + random::step_bits + random::draw_bits, 128);
}

TEST(Counter, BudgetIsChecked) {
  auto const message = [](Index chains, Index steps, Index draws) -> std::string {
    try {
      random::check_budget(chains, steps, draws);
    } catch (Failure const& f) {
      EXPECT_EQ(f.code(), ExitCode::usage);
      return f.what();
    }
    return "accepted";
  };
  Index const chains = Index{1} << 48, steps = Index{1} << 40, draws = Index{1} << 24;
  EXPECT_EQ(message(chains, steps - 1, draws), "accepted");
  EXPECT_THAT(message(chains + 1, 1, 1), testing::HasSubstr("2^48"));
  EXPECT_THAT(message(1, steps, 1), testing::HasSubstr("2^40"));
  EXPECT_THAT(message(1, 1, draws + 1), testing::HasSubstr("2^24"));
}

TEST(Key, DistinctForNeighbouringSeedsAndSweepPoints) {
  std::set<std::uint64_t> keys;
  std::size_t made = 0;
  for (std::uint64_t seed : {std::uint64_t{0}, ~std::uint64_t{0} - 100, std::uint64_t{1} << 32})
    for (std::uint64_t s = 0; s <= 100; s++)
      for (std::uint64_t point = 0; point <= 100; point++) {
        auto const k = random::make_key(seed + s, point);
        keys.insert(std::uint64_t(k.k1) << 32 | k.k0), made++;
      }
  EXPECT_EQ(keys.size(), made);
  // (seed, point) and (point, seed) differ, and half the 64 bits change between neighbours: 32 with standard deviation 4.
  auto const differing = [](random::Key a, random::Key b) { return std::popcount(a.k0 ^ b.k0) + std::popcount(a.k1 ^ b.k1); };
  EXPECT_NEAR(differing(random::make_key(3, 4), random::make_key(4, 3)), 32, 16);
  EXPECT_NEAR(differing(random::make_key(0), random::make_key(1)), 32, 16);
  EXPECT_NEAR(differing(random::make_key(0, 0), random::make_key(0, 1)), 32, 16);
}

TEST(Uniform, NeverZeroOrOne) {
  for (std::uint32_t word : {0u, 1u, 0x7fffffffu, 0x80000000u, 0xfffffffeu, 0xffffffffu}) {
    EXPECT_GT(random::uniform(word), Real(0));
    EXPECT_LT(random::uniform(word), Real(1));
    EXPECT_GT(random::uniform_double(word), 0);
    EXPECT_LT(random::uniform_double(word), 1);
  }
  EXPECT_EQ(random::below(0, 10), 0u);
  EXPECT_EQ(random::below(0xffffffffu, 10), 9u);
  EXPECT_EQ(random::below(0xffffffffu, 1), 0u);
}

// ---- distributions: 2^21 numbers at a fixed seed, bounds of four standard errors ----

constexpr std::size_t count = std::size_t{1} << 21;

// The normals of one stream, four a call; `chains` of them side by side, then the next step.
std::vector<double> normals(Stream stream, std::uint64_t seed, std::uint64_t chains = 256) {
  auto const key = random::make_key(seed);
  std::vector<double> out;
  out.reserve(count);
  for (std::uint64_t step = 0; out.size() < count; step++)
    for (std::uint64_t chain = 0; chain < chains; chain++) {
      auto const w = random::words(key, chain, stream, step, 0);
      auto const p = random::normal_pair(w.w[0], w.w[1], Real()), q = random::normal_pair(w.w[2], w.w[3], Real());
      for (Real x : {p.a, p.b, q.a, q.b}) out.push_back(double(x));
    }
  return out;
}

TEST(Normals, MomentsAndDistribution) {
  auto x = normals(Stream::test, 20);
  double m1 = 0, m2 = 0, m3 = 0, m4 = 0;
  for (double v : x) m1 += v, m2 += v * v, m3 += v * v * v, m4 += v * v * v * v;
  double const n = double(count), se = 4 / std::sqrt(n);
  EXPECT_NEAR(m1 / n, 0, se);
  EXPECT_NEAR(m2 / n, 1, se * std::sqrt(2));  // variance of x^k: (2k-1)!! - ((k-1)!!)^2
  EXPECT_NEAR(m3 / n, 0, se * std::sqrt(15));
  EXPECT_NEAR(m4 / n, 3, se * std::sqrt(96));

  std::sort(x.begin(), x.end());
  double distance = 0;
  for (std::size_t i = 0; i < count; i++) {
    double const cdf = 0.5 * std::erfc(-x[i] / std::sqrt(2.));
    distance = std::max({distance, cdf - double(i) / n, double(i + 1) / n - cdf});
  }
  EXPECT_LT(distance * std::sqrt(n), 2.2);  // Kolmogorov-Smirnov: exceeded with probability 1.3e-4
}

// Within a call, between chains, between steps and between streams, and of squares, which see the shared radius of a pair.
TEST(Normals, AreUncorrelated) {
  constexpr std::uint64_t chains = 256;
  auto const x = normals(Stream::test, 21, chains), other_stream = normals(Stream::langevin_noise, 21, chains),
             other_seed = normals(Stream::test, 22, chains);
  auto const correlation = [](auto const& a, auto const& b, std::size_t lag, bool squares) {
    double sum = 0;
    for (std::size_t i = 0; i + lag < count; i++)
      sum += squares ? (a[i] * a[i] - 1) * (b[i + lag] * b[i + lag] - 1) / 2 : a[i] * b[i + lag];
    return sum / std::sqrt(double(count - lag));
  };
  for (bool squares : {false, true}) {
    for (std::size_t lag :
         {std::size_t{1}, std::size_t{2}, std::size_t{3}, std::size_t{4}, std::size_t{8}, std::size_t{64}, 4 * chains, 8 * chains})
      EXPECT_LT(std::abs(correlation(x, x, lag, squares)), 4) << "lag " << lag;
    EXPECT_LT(std::abs(correlation(x, other_stream, 0, squares)), 4);
    EXPECT_LT(std::abs(correlation(x, other_seed, 0, squares)), 4);
  }
}

// Words spread over the whole range with both ends.
template <class Visit>
void each_word(Visit const& visit) {
  for (std::uint64_t w = 0; w < 4096; w++) visit(std::uint32_t(w)), visit(~std::uint32_t(w));
  for (std::uint64_t w = 0; w < std::uint64_t{1} << 32; w += 8191) visit(std::uint32_t(w));
}

double ulps(float value, long double exact) {
  float const magnitude = std::fabs(float(exact));
  float const spacing = std::nextafterf(magnitude, INFINITY) - magnitude;
  return double(std::fabs(static_cast<long double>(value) - exact) / static_cast<long double>(spacing));
}

TEST(Normals, LogarithmIsAccurate) {
  double worst = 0;
  each_word([&](std::uint32_t word) {
    float const rounded = float(word) + 0.5f;  // a rounding, which moves the normal but not its distribution's tail
    long double const exact = -2 * std::log(static_cast<long double>(rounded) * 0x1p-32L);
    float const value = random::detail::minus_two_log(word);
    ASSERT_TRUE(value >= 0 && value < 46) << word;
    if (exact == 0) ASSERT_EQ(value, 0) << word;
    else worst = std::max(worst, ulps(value, exact));
  });
  RecordProperty("worst_ulp", std::to_string(worst));
  EXPECT_LE(worst, 4);
}

TEST(Normals, BoxMullerIsAccurate) {
  double worst_radius = 0, worst_angle = 0;
  each_word([&](std::uint32_t word) {
    // The word as radius at a fixed angle of its own, and as angle at a fixed radius.
    long double const radius = std::sqrt(-2 * std::log((static_cast<long double>(word) + 0.5L) * 0x1p-32L));
    auto const p = random::normal_pair(word, 0u, 0.f);
    worst_radius =
        std::max(worst_radius, double(std::fabs(std::hypot(static_cast<long double>(p.a), static_cast<long double>(p.b)) - radius)));
    auto const q = random::normal_pair(0u, word, 0.f);
    long double const t = static_cast<long double>(std::int32_t(word)) * 0x1p-31L * static_cast<long double>(pi) / 4,
                      big = std::sqrt(66 * std::log(2.0L));
    long double const cosine = (word & 1 ? -1 : 1) * std::cos(t), sine = std::sin(t);
    long double const a = big * (word & 2 ? sine : cosine), b = big * (word & 2 ? cosine : sine);
    worst_angle = std::max({worst_angle, ulps(q.a, a), ulps(q.b, b)});
  });
  // The uniform has 24 bits in float, so close to 1 the radius moves by up to sqrt(2^-24); elsewhere by rounding alone.
  EXPECT_LE(worst_radius, 0x1p-12);
  EXPECT_LE(worst_angle, 4);
}

TEST(Normals, ExtremesAreFinite) {
  for (std::uint32_t a : {0u, 1u, 0x7fffffffu, 0x80000000u, 0xfffffffeu, 0xffffffffu})
    for (std::uint32_t b : {0u, 1u, 2u, 3u, 0x7fffffffu, 0x80000000u, 0x80000001u, 0xfffffffeu, 0xffffffffu}) {
      auto const f = random::normal_pair(a, b, 0.f);
      auto const d = random::normal_pair(a, b, 0.);
      for (double x : {double(f.a), double(f.b), d.a, d.b}) EXPECT_LE(std::abs(x), 6.77) << a << ' ' << b;  // sqrt(2 ln 2^33)
    }
}

}  // namespace
