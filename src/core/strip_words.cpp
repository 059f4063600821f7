#include "core/strip_words.hpp"

#if defined(__AVX512F__) || defined(__AVX2__)
#include <immintrin.h>
#endif

#include <cstring>

#if !defined(__CUDACC__)
namespace partita::random {

// Philox over vector lanes. GNU vector types lack one thing, the 32 x 32 -> 64 bit product of the even lanes; a plain C++
// product is compiled to full 64-bit multiplications, twice as slow. Each Wide holds the even (or odd) lanes' words in its low halves.
namespace {
namespace lanes {
#if defined(__AVX512F__)
constexpr int bytes = 64;
#else
constexpr int bytes = 32;
#endif
typedef std::uint64_t Wide __attribute__((vector_size(bytes)));
constexpr int half = bytes / 8, width = bytes / 4;
inline __attribute__((always_inline)) Wide low_product(Wide a, Wide b) {
#if defined(__AVX512F__)
  return (Wide)_mm512_maskz_mul_epu32(0xff, (__m512i)a, (__m512i)b);
#elif defined(__AVX2__)
  return (Wide)_mm256_mul_epu32((__m256i)a, (__m256i)b);
#else
  return (a & 0xffffffffu) * (b & 0xffffffffu);
#endif
}
// The low words of both, in the order of the lanes.
inline __attribute__((always_inline)) Wide interleave(Wide even, Wide odd) {
#if defined(__AVX512F__)
  return (Wide)_mm512_mask_shuffle_epi32((__m512i)even, 0xaaaa, (__m512i)odd, _MM_PERM_CCAA);
#else
  return (even & 0xffffffffu) | (odd << 32);
#endif
}
// Vectors of counters that are computed together: each round depends on the one before, so interleaving several vectors hides its latency.
constexpr int at_once = bytes / 16;
struct Counters {
  Wide w[4][at_once];
};
inline __attribute__((always_inline)) void philox(Counters& c, HostRoundKeys const& keys) {
#pragma GCC unroll 10
  for (int r = 0; r < 10; r++)
#pragma GCC unroll 4
    for (int i = 0; i < at_once; i++) {
      Wide const p0 = low_product(c.w[0][i], Wide{} + 0xD2511F53u), p1 = low_product(c.w[2][i], Wide{} + 0xCD9E8D57u);
      c.w[0][i] = (p1 >> 32) ^ c.w[1][i] ^ keys.round[r][0], c.w[1][i] = p1;
      c.w[2][i] = (p0 >> 32) ^ c.w[3][i] ^ keys.round[r][1], c.w[3][i] = p0;
    }
}
// `filled` lanes; first(l) is the counter of lane l, of which the next `width` lanes differ in word 0 alone.
constexpr int filled = at_once * half;
template <class First>
inline __attribute__((always_inline)) void fill(StripWords& out, int at, First const& first, HostRoundKeys const& keys) {
  Wide even;
  for (int i = 0; i < half; i++) even[i] = 2u * unsigned(i);
  Counters c;
#pragma GCC unroll 4
  for (int i = 0; i < at_once; i++) {
    Words const f = first(at + i / 2 * width);
    c.w[0][i] = even + (f.w[0] + i % 2);  // even lanes, odd lanes, the next even lanes, ...
    for (int w = 1; w < 4; w++) c.w[w][i] = Wide{} + f.w[w];
  }
  philox(c, keys);
#pragma GCC unroll 4
  for (int i = 0; i < at_once; i += 2)
#pragma GCC unroll 4
    for (int w = 0; w < 4; w++) {
      Wide const merged = interleave(c.w[w][i], c.w[w][i + 1]);
      std::memcpy(&out.w[w][at + i / 2 * width], &merged, sizeof merged);
    }
}
}  // namespace lanes

// A template, of which nothing is compiled for strips of one lane.
template <int n, class First>
void fill_strip(StripWords& out, HostRoundKeys const& keys, First const& first) {
  if constexpr (n > 1) {
    static_assert(n % lanes::filled == 0 && lane_quantum % lanes::width == 0);
    for (int l = 0; l < n; l += lanes::filled) lanes::fill(out, l, first, keys);
  }
}
}  // namespace

void fill(StripWords& out, HostRoundKeys const& keys, std::uint64_t first_chain, Stream stream, std::uint64_t step, std::uint32_t draw) {
  fill_strip<strip_lanes>(out, keys, [=](int lane) { return counter(first_chain + unsigned(lane), stream, step, draw); });
}

}  // namespace partita::random
#endif
