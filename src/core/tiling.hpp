// How chains are grouped in tiles, and tiles dealt to ranks. A function of global counts only, never of the number of ranks.
#pragma once
#include <algorithm>

#include "core/types.hpp"

namespace partita {

constexpr Index lane_quantum = 16;  // lanes are computed in multiples of a 512-bit vector of floats
// A strip: the lanes that one kernel instance advances together. On a CPU 64, so that every loop over lanes is a few vector instructions;
// on a GPU one lane a thread, where the same loops vanish and neighbouring threads touch neighbouring lanes.
constexpr int strip_lanes = runs_on_host ? 64 : 1;
constexpr Index pitch_quantum = 64;  // rows are stored in whole strips
constexpr Index pitch_of(Index lanes) { return round_up(lanes, pitch_quantum); }

// Rows of a strip inside a tile: row i is `lanes` consecutive numbers.
template <class T, int lanes = strip_lanes>
struct Rows {
  T* data;
  Index pitch;
  KOKKOS_FORCEINLINE_FUNCTION T* operator[](Index i) const { return data + i * pitch; }
};

struct Tiling {
  Index chains = 0;  // global number of chains
  Index width = 0;   // lanes of a full tile, a multiple of lane_quantum

  Index tiles() const { return divide_up(chains, width); }
  Index pitch() const { return pitch_of(width); }
  Index first_chain(Index tile) const { return tile * width; }
  Index chains_in(Index tile) const { return std::min(width, chains - tile * width); }
  // Lanes computed: the last tile is narrower. Lanes past chains_in are computed like any other chain, but left out of results.
  Index lanes(Index tile) const { return round_up(chains_in(tile), lane_quantum); }
};

// A contiguous range of tiles.
struct TileRange {
  Index first = 0;
  Index count = 0;
  Index end() const { return first + count; }
};

// Calls body(first, count, lanes) for groups of up to `most` neighbouring tiles of as many lanes each, which can be computed together,
// among the local tiles [local) of a rank that has the tiles `mine`.
template <class Body>
void for_tiles_of_one_width(Tiling const& tiling, TileRange mine, TileRange local, Index most, Body const& body) {
  for (Index first = local.first; first < local.end();) {
    Index const lanes = tiling.lanes(mine.first + first);
    Index count = 1;
    while (count < most && first + count < local.end() && tiling.lanes(mine.first + first + count) == lanes) count++;
    body(first, count, lanes);
    first += count;
  }
}

// The number that keys a chain's random numbers, from its local tile and lane. Several sets of chains use one stream without overlap if
// their first numbers, multiples of lane_quantum, are far enough apart.
struct ChainNumbers {
  Index first = 0, width = 0;
  ChainNumbers() = default;
  ChainNumbers(Tiling const& tiling, TileRange mine, Index first_number = 0)
      : first(first_number + mine.first * tiling.width), width(tiling.width) {}
  // Of the tiles from this local one on.
  ChainNumbers from(Index tile) const {
    ChainNumbers n = *this;
    n.first += tile * width;
    return n;
  }
  KOKKOS_FORCEINLINE_FUNCTION std::uint64_t of(Index tile, Index lane) const { return std::uint64_t(first + tile * width + lane); }
};

// Flags, one per coordinate (dimension): nonzero where the coordinate is held fixed; empty: none is.
using Held = DeviceVector<std::uint8_t const>;

// The tiles of one rank: contiguous, in rank order, as even as whole tiles allow.
inline TileRange share_of_tiles(Index tiles, int rank, int ranks) {
  Index const first = tiles * rank / ranks;
  return {first, tiles * (rank + 1) / ranks - first};
}

// A rank's part of chains so tiled.
struct Share {
  Tiling tiling;
  int rank = 0, ranks = 1;
  TileRange mine() const { return share_of_tiles(tiling.tiles(), rank, ranks); }
};

}  // namespace partita
