// Random words for the lanes of a strip, which are those of core/random.hpp: Philox over the lanes of a vector register on a CPU.
#pragma once
#include "core/random.hpp"
#include "core/tiling.hpp"

namespace partita::random {

// The words of one Philox call for every lane of a strip.
struct StripWords {
  alignas(64) std::uint32_t w[4][strip_lanes];
};

// The same ten round keys serve every call of a kernel.
struct RoundKeys {
  Key key;
#if !defined(__CUDA_ARCH__)
  std::uint64_t round[10][2];
#endif
};
KOKKOS_INLINE_FUNCTION RoundKeys round_keys(Key key) {
  RoundKeys r{};
  r.key = key;
#if !defined(__CUDA_ARCH__)
  std::uint32_t k0 = key.k0, k1 = key.k1;
  for (auto& k : r.round) {
    k[0] = k0, k[1] = k1;
    k0 += 0x9E3779B9u, k1 += 0xBB67AE85u;
  }
#endif
  return r;
}

// Words of chains first_chain .. first_chain + strip_lanes - 1; first_chain is a multiple of lane_quantum, so that the low counter
// word does not carry inside a vector.
#if defined(__CUDACC__)
KOKKOS_FORCEINLINE_FUNCTION void fill(StripWords& out, RoundKeys const& keys, std::uint64_t first_chain, Stream stream, std::uint64_t step,
                                      std::uint32_t draw) {
  for (int l = 0; l < strip_lanes; l++) {
    Words const w = words(keys.key, first_chain + unsigned(l), stream, step, draw);
    for (int k = 0; k < 4; k++) out.w[k][l] = w.w[k];
  }
}
#else
// Not inline: the call costs nothing beside its 64 lanes, and the many kernels that use it are compiled much faster.
void fill(StripWords& out, RoundKeys const& keys, std::uint64_t first_chain, Stream stream, std::uint64_t step, std::uint32_t draw);
#endif

}  // namespace partita::random
