// Random words for the lanes of a strip, which are those of core/random.hpp: Philox over the lanes of a vector register on a CPU.
#pragma once
#include <type_traits>

#include "core/random.hpp"
#include "core/tiling.hpp"

namespace partita::random {

// The words of one Philox call for every lane of a strip.
struct StripWords {
  alignas(64) std::uint32_t w[4][strip_lanes];
};

// What the calls of a kernel share: on a CPU the keys of the ten rounds.
struct HostRoundKeys {
  Key key;
  std::uint64_t round[10][2];
};
struct DeviceRoundKeys {
  Key key;
};
using RoundKeys = std::conditional_t<(strip_lanes > 1), HostRoundKeys, DeviceRoundKeys>;
template <class Keys = RoundKeys>
Keys round_keys(Key key) {
  Keys r{};
  r.key = key;
  if constexpr (std::is_same_v<Keys, HostRoundKeys>) {
    std::uint32_t k0 = key.k0, k1 = key.k1;
    for (auto& k : r.round) {
      k[0] = k0, k[1] = k1;
      k0 += 0x9E3779B9u, k1 += 0xBB67AE85u;
    }
  }
  return r;
}

// Words of chains first_chain .. first_chain + strip_lanes - 1; first_chain is a multiple of lane_quantum, so that the low counter
// word does not carry inside a vector. Not inline: the call costs nothing beside its 64 lanes, and the many kernels that use it are
// compiled much faster.
void fill(StripWords& out, HostRoundKeys const& keys, std::uint64_t first_chain, Stream stream, std::uint64_t step, std::uint32_t draw);
KOKKOS_FORCEINLINE_FUNCTION void fill(StripWords& out, DeviceRoundKeys const& keys, std::uint64_t first_chain, Stream stream,
                                      std::uint64_t step, std::uint32_t draw) {
  for (int l = 0; l < strip_lanes; l++) {
    Words const w = words(keys.key, first_chain + unsigned(l), stream, step, draw);
    for (int k = 0; k < 4; k++) out.w[k][l] = w.w[k];
  }
}

}  // namespace partita::random
