// How chains are grouped in tiles, and tiles dealt to ranks. A function of global counts only, never of the number of ranks.
#pragma once
#include <algorithm>

#include "core/types.hpp"

namespace partita {

constexpr Index lane_quantum = 16;  // lanes are computed in multiples of a 512-bit vector of floats
// Lanes that a kernel of an analytic energy advances together: a few vector registers on a CPU, one thread's chain on a GPU.
constexpr int strip_lanes = runs_on_host ? 64 : 1;
constexpr Index pitch_quantum = 64;  // rows are stored in whole strips

struct Tiling {
  Index chains = 0;  // global number of chains
  Index width = 0;   // lanes of a full tile, a multiple of lane_quantum

  Index tiles() const { return divide_up(chains, width); }
  Index pitch() const { return round_up(width, pitch_quantum); }
  Index first_chain(Index tile) const { return tile * width; }
  Index chains_in(Index tile) const { return std::min(width, chains - tile * width); }
  // Lanes computed: the last tile is narrower. Lanes past chains_in are chains like any other, left out of results.
  Index lanes(Index tile) const { return round_up(chains_in(tile), lane_quantum); }
};

// A contiguous range of tiles.
struct TileRange {
  Index first = 0;
  Index count = 0;
  Index end() const { return first + count; }
};

// The tiles of one rank: contiguous, in rank order, as even as whole tiles allow.
inline TileRange share_of_tiles(Index tiles, int rank, int ranks) {
  Index const first = tiles * rank / ranks;
  return {first, tiles * (rank + 1) / ranks - first};
}

}  // namespace partita
