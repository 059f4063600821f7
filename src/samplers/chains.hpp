// Many parallel chains, in tiles, of which this rank holds a contiguous range.
#pragma once
#include <string>

#include "core/arrays.hpp"
#include "core/random.hpp"
#include "core/state.hpp"
#include "core/tiling.hpp"

namespace partita {

struct Chains {
  Tiling tiling;
  TileRange mine;
  Index dimension = 0;
  // Number of chain 0 for the random numbers, a multiple of lane_quantum: several sets of chains share one stream without overlap.
  Index first_number = 0;
  TileStorage x;                                                             // (tile, dimension, pitch)
  TileStorage velocity;                                                      // the same, empty unless the sampler keeps velocities
  Kokkos::View<std::int32_t**, Kokkos::LayoutRight, DeviceMemory> accepted;  // (tile, pitch): accepted proposals since the last reset
  Kokkos::View<std::int32_t**, Kokkos::LayoutRight, DeviceMemory>
      diverging;  // (tile, pitch): proposals with a non-finite or huge energy error

  // (dimension): 1 for coordinates that samplers leave as they are, the same in all chains; empty: none.
  Held held;

  Chains() = default;
  Chains(std::string const& name, Tiling, TileRange mine, Index dimension, Arrays = {});

  // x of `count` of this rank's tiles from local index `first`, seen with `lanes` lanes.
  Tiles tiles(Index first, Index count, Index lanes) const;
  // Which numbers key the chains of its tiles.
  ChainNumbers numbers() const { return {tiling, mine, first_number}; }
  void describe_state(State&, std::string const& group) const;
};

// Tiles that large models advance at once: one through the caches of a CPU, all of them on a GPU. At least one, for rungs of other ranks.
inline Index tiles_in_flight(Index tiles) { return runs_on_host ? 1 : std::max<Index>(1, tiles); }

// Chains per tile where the deck names no width: a multiple of a strip, such that state, gradient and work rows of a tile stay in a
// core's L2 cache. Depends on global numbers only.
Index default_tile_width(Index chains, Index dimension, Index rows_per_dimension);

// (tile, dimension, pitch), for chains so dealt.
TileStorage make_velocities(Arrays, Tiling const&, TileRange mine, Index dimension);
// Gives the chains velocities, each coordinate N(0, scale^2) and held ones 0, drawn like initial positions, from a stream of their own.
void start_velocities(Chains&, random::Key, double scale);

// The lanes of the last tile past the last chain repeat it, where it is among the local tiles [range): what they did on their own, leave
// the numbers, say, is seen by nothing that follows, be it a sum with weight 0 or a checkpoint.
void repeat_last_chain(Chains const&, TileRange local);
// The same of a quantity of chains so tiled, (tile, rows, pitch) or (tile, pitch).
void repeat_last_chain(TileStorage const&, Tiling const&, TileRange mine, TileRange local);
void repeat_last_chain(Kokkos::View<double**, Kokkos::LayoutRight, DeviceMemory> const&, Tiling const&, TileRange mine, TileRange local);

// Where chains start, each coordinate independent: centre + scale N(0, 1), centre + scale U(-1, 1), or centre.
enum class InitialState { normal, uniform, zero };
struct InitialDistribution {
  InitialState kind = InitialState::normal;
  double scale = 1, centre = 0;
};
// How the numbers of a start are keyed: by chain number and by these, four entries a draw from first_draw on. Only the share `fraction` of
// the chains is moved; `group` neighbouring chains start alike.
struct StartKey {
  random::Key key;
  random::Stream stream;
  Index step = 0, first_draw = 0, group = 1;
  double fraction = 1;
};
// Puts the tiles x (tile, dimension, pitch) of chains, so numbered, where they start.
void place(TileStorage const& x, ChainNumbers, StartKey const&, InitialDistribution const&);
// Puts chains where they start, keyed by chain number and `step`.
void initialise(Chains const&, random::Key, random::Stream, Index step, InitialDistribution const&);
// The same for a random share of the chains, each with probability `fraction`.
void restart_some(Chains const&, random::Key, Index step, InitialDistribution const&, double fraction);

// Proposals that this rank's real chains have accepted since the last reset.
Index count_acceptance(Chains const&);

// The first chain with an entry of x (tile, dimension, pitch) that is not finite, over this rank's real chains; -1 if none.
Index first_nonfinite_chain(TileStorage const& x, Tiling const&, TileRange mine);
inline Index first_nonfinite_chain(Chains const& c) { return first_nonfinite_chain(c.x, c.tiling, c.mine); }

}  // namespace partita
