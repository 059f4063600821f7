// Counter-based random numbers: Philox4x32-10 (Salmon, Moraes, Dror, Shaw, SC11). A number is a pure function of
// (key; chain, stream, step, draw), so it is the same on any rank, on CPU and GPU, and after any restart.
//
// Budget of the 128-bit counter:  chain 48 bits | stream 16 | step 40 | draw 24; check_budget refuses runs that exceed it.
#pragma once
#include <Random123/philox.h>

#include <bit>
#include <cmath>
#include <cstdint>

#include "core/random_streams.hpp"
#include "core/types.hpp"

namespace partita::random {

constexpr int chain_bits = 48, stream_bits = 16, step_bits = 40, draw_bits = 24;

struct Key {
  std::uint32_t k0 = 0, k1 = 0;
};

// The key of a run from the deck's seed; keys of neighbouring seeds, and of one seed and several numbers, are unrelated.
Key make_key(std::uint64_t seed, std::uint64_t number = 0);

// The key of chains that run beside those of `key` and draw from the same streams.
Key derived_key(Key key, Stream stream, std::uint64_t which = 0);

// Failure(usage) where a run would use more chains, steps or draws than the counter holds.
void check_budget(Index chains, Index steps, Index draws);

struct Words {
  std::uint32_t w[4];
};

// The four counter words. Lanes of a strip differ in word 0 alone.
KOKKOS_INLINE_FUNCTION Words counter(std::uint64_t chain, Stream stream, std::uint64_t step, std::uint32_t draw) {
  return {{std::uint32_t(chain), std::uint32_t(chain >> 32) | std::uint32_t(stream) << 16, std::uint32_t(step),
           std::uint32_t(step >> 32) << 24 | draw}};
}

// Four random 32-bit words: the scalar reference, and the form used on GPUs.
KOKKOS_INLINE_FUNCTION Words philox(Words c, Key key) {
  r123::Philox4x32 const generator;
  r123::Philox4x32::ctr_type const out = generator({{c.w[0], c.w[1], c.w[2], c.w[3]}}, {{key.k0, key.k1}});
  return {{out[0], out[1], out[2], out[3]}};
}
KOKKOS_INLINE_FUNCTION Words words(Key key, std::uint64_t chain, Stream stream, std::uint64_t step, std::uint32_t draw) {
  return philox(counter(chain, stream, step, draw), key);
}

// Uniform in (0, 1): the midpoints of 2^32 (double) or 2^23 (float) cells, so never 0 and never 1.
KOKKOS_INLINE_FUNCTION double uniform_double(std::uint32_t word) { return (word + 0.5) * 0x1p-32; }
KOKKOS_INLINE_FUNCTION Real uniform(std::uint32_t word) {
#ifdef PARTITA_DOUBLE
  return uniform_double(word);
#else
  return (float(word >> 9) + 0.5f) * 0x1p-23f;
#endif
}

// Uniform integer in [0, n), n < 2^32, by multiplication (Lemire 2019 without rejection: bias below n / 2^32).
KOKKOS_INLINE_FUNCTION std::uint32_t below(std::uint32_t word, std::uint32_t n) { return std::uint32_t((std::uint64_t(word) * n) >> 32); }

// Two independent standard normals from two words (Box and Muller 1958). Branch-free and free of library calls in float, so that a
// loop over lanes vectorizes: log through the exponent and a polynomial of the mantissa, the angle through octants.
template <class T>
struct NormalPair {
  T a, b;
};

namespace detail {
KOKKOS_FORCEINLINE_FUNCTION float horner(float, float c0) { return c0; }
template <class... C>
KOKKOS_FORCEINLINE_FUNCTION float horner(float x, float c0, C... c) {
  return std::fma(x, horner(x, c...), c0);
}
template <class To, class From>
KOKKOS_FORCEINLINE_FUNCTION To bits(From const& from) {
  static_assert(sizeof(To) == sizeof(From));
  To to;
  __builtin_memcpy(&to, &from, sizeof to);
  return to;
}
// -2 ln((word + 1/2) / 2^32): never infinite, at most 2 ln 2^33 = 45.7 (6.76 standard deviations). Within 4 ulp of the logarithm of the
// word rounded to float, plus 1/2 in float: 2^32, so a radius of 0, for the 128 largest words.
KOKKOS_FORCEINLINE_FUNCTION float minus_two_log(std::uint32_t word) {
  std::uint32_t const b = bits<std::uint32_t>(std::fma(float(word), 0x1p-32f, 0x1p-33f));
  std::uint32_t const exponent = (b - 0x3f3504f3u) & 0xff800000u;  // times 2^23; leaves a mantissa in [sqrt(1/2), sqrt(2))
  float const y = bits<float>(b - exponent) - 1.f;
  float const minus_two_log1p_over_y = horner(y, -0x1.fffffep+0f, 0x1.00007ap+0f, -0x1.5559dcp-1f, 0x1.ff623cp-2f, -0x1.978e2ep-2f,
                                              0x1.614c08p-2f, -0x1.4c3d08p-2f, 0x1.9dfa6ep-3f);
  return std::fma(float(std::int32_t(exponent)), -0x1.62e43p-23f, y * minus_two_log1p_over_y);
}
}  // namespace detail

KOKKOS_FORCEINLINE_FUNCTION NormalPair<float> normal_pair(std::uint32_t a, std::uint32_t b, float) {
  float const radius = std::sqrt(detail::minus_two_log(a));
  // Word b is an angle: t in [-1, 1) spans two octants, bit 0 picks the cosine's sign, bit 1 exchanges sine and cosine.
  float const t = float(std::int32_t(b)) * 0x1p-31f, z = t * t;
  float const sine = t * detail::horner(z, 0x1.921fb6p-1f, -0x1.4abbbap-4f, 0x1.465ec6p-9f, -0x1.2d9bb8p-15f);
  float cosine = detail::horner(z, 1.f, -0x1.3bd392p-2f, 0x1.03af5cp-6f, -0x1.4e5ed6p-12f);
  cosine = detail::bits<float>(detail::bits<std::uint32_t>(cosine) ^ (b << 31));
  bool const exchange = b & 2u;
  return {radius * (exchange ? sine : cosine), radius * (exchange ? cosine : sine)};
}
KOKKOS_INLINE_FUNCTION NormalPair<double> normal_pair(std::uint32_t a, std::uint32_t b, double) {
  double const radius = std::sqrt(-2. * std::log(uniform_double(a))), angle = 6.283185307179586 * uniform_double(b);
  return {radius * std::cos(angle), radius * std::sin(angle)};
}

}  // namespace partita::random
