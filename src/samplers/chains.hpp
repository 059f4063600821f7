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
  // Number of chain 0 for the random numbers, a multiple of lane_quantum: it lets several sets of chains use one stream without overlap.
  Index first_number = 0;
  TileStorage x;                                                             // (tile, dimension, pitch)
  TileStorage velocity;                                                      // the same, empty unless the sampler keeps velocities
  Kokkos::View<std::int32_t**, Kokkos::LayoutRight, DeviceMemory> accepted;  // (tile, pitch): accepted proposals since the last reset
  Kokkos::View<std::int32_t**, Kokkos::LayoutRight, DeviceMemory>
      diverging;  // (tile, pitch): proposals with a non-finite or huge energy error

  // (dimension): 1 for coordinates that samplers do not change, the same in all chains; empty: none are held.
  Held held;

  Chains() = default;
  Chains(std::string const& name, Tiling, TileRange mine, Index dimension, Arrays = {});

  // View of x of `count` of this rank's tiles from local index `first`, with `lanes` lanes.
  Tiles tiles(Index first, Index count, Index lanes) const;
  // The numbers that key the random numbers of its chains.
  ChainNumbers numbers() const { return {tiling, mine, first_number}; }
  void describe_state(State&, std::string const& group) const;
};

// Number of tiles that large models advance at once: one on a CPU, for its caches, all on a GPU. At least one, for rungs of other ranks.
inline Index tiles_in_flight(Index tiles) { return runs_on_host ? 1 : std::max<Index>(1, tiles); }

// Chains per tile where the deck gives no width: a multiple of a strip, such that state, gradient and work rows of a tile stay in a
// core's L2 cache. Depends on global numbers only.
Index default_tile_width(Index chains, Index dimension, Index rows_per_dimension);

// (tile, dimension, pitch), for chains so dealt.
TileStorage make_velocities(Arrays, Tiling const&, TileRange mine, Index dimension);
// Gives the chains velocities, each coordinate N(0, scale^2) and held ones 0, drawn like initial positions, from a stream of their own.
void start_velocities(Chains&, random::Key, double scale);

// Copies the last chain into the lanes of the last tile beyond it, where that is among the local tiles [range). What these lanes computed,
// NaN for example, then cannot reach anything that follows, such as a sum with weight 0 or a checkpoint.
void repeat_last_chain(Chains const&, TileRange local);
// The same for a quantity of chains tiled like this, (tile, rows, pitch) or (tile, pitch).
void repeat_last_chain(TileStorage const&, Tiling const&, TileRange mine, TileRange local);
void repeat_last_chain(Kokkos::View<double**, Kokkos::LayoutRight, DeviceMemory> const&, Tiling const&, TileRange mine, TileRange local);

// Where chains start, each coordinate independent: centre + scale N(0, 1), centre + scale U(-1, 1), or centre.
enum class InitialState { normal, uniform, zero };
struct InitialDistribution {
  InitialState kind = InitialState::normal;
  double scale = 1, centre = 0;
};
// How the random numbers of a start are keyed: by chain number and by these, four entries per draw from first_draw on. Only a share
// `fraction` of the chains is moved; `group` neighbouring chains start at the same point.
struct StartKey {
  random::Key key;
  random::Stream stream;
  Index step = 0, first_draw = 0, group = 1;
  double fraction = 1;
};
// Sets the tiles x (tile, dimension, pitch) of chains with these numbers to their starting points.
void place(TileStorage const& x, ChainNumbers, StartKey const&, InitialDistribution const&);
// Sets chains to their starting points, keyed by chain number and `step`.
void initialise(Chains const&, random::Key, random::Stream, Index step, InitialDistribution const&);
// The same for a random share of the chains, each with probability `fraction`.
void restart_some(Chains const&, random::Key, Index step, InitialDistribution const&, double fraction);

// Number of proposals that this rank's real chains have accepted since the last reset.
Index count_acceptance(Chains const&);

// The first chain with an entry of x (tile, dimension, pitch) that is not finite, over this rank's real chains; -1 if none.
Index first_nonfinite_chain(TileStorage const& x, Tiling const&, TileRange mine);
inline Index first_nonfinite_chain(Chains const& c) { return first_nonfinite_chain(c.x, c.tiling, c.mine); }

}  // namespace partita
