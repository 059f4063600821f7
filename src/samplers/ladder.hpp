// Rungs of chains that lead from the distribution of a sampler's chains to distributions that mix fast, and exchange their states (Swendsen
// and Wang 1986; Geyer 1991). Each chain of the caller is the coldest rung of its own ladder: rung r has a chain of the same tile and lane.
// Two neighbours on a ladder swap with probability min(1, exp(U_r(x_r) + U_s(x_s) - U_r(x_s) - U_s(x_r))), U = -log of a rung's density up
// to a constant. Even and odd pairs take turns, which makes round trips far shorter than with random pairs (Okabe et al. 2001; Syed et al.
// 2022). Swaps move states, not distributions, so that all chains of a tile have the same one; noise is keyed by rung.
#pragma once
#include <map>

#include "comm/communicator.hpp"
#include "samplers/sampler.hpp"

namespace partita {

// Where the further rungs of a tile are computed: with the tile, or spread over the ranks so that few tiles keep all ranks busy. The bits
// of the results are the same.
enum class Placement { together, across };

struct LadderOptions {
  std::string placement = "together";
  Index swap_every = 1;
};
std::vector<deck::Key> ladder_keys();

// The data of one rung's tile for a swap: on this rank, or in a buffer received from another rank. Rows are a pitch apart.
struct LadderColumn {
  Real *x, *visited;
  double* difference;
};

// Energies of two laws for the lanes of one tile.
class TwoEnergies {
 public:
  // (1, lane) each, for states like x.
  std::pair<TileScalars, TileScalars> of(ConstTiles x);

 private:
  TileScalarStorage storage_;  // (2, pitch)
};

// difference = one - other, for energies of the lanes of one tile, (1, lane).
void subtract(ConstTileScalars one, ConstTileScalars other, TileEnergies difference);

class LadderSampler : public Sampler {
 public:
  // With rungs that start independently, a chain that starts at a place where it cannot move is replaced by swaps.
  void start_rungs_by(Start const& start) override { start_ = start; }
  // Makes the further rungs of these chains, started as given by start_rungs_by, else in the chains' present states. Sets of chains are
  // identified by their first_number.
  void prepare(Model const&, Chains&, random::Key) override;
  using Sampler::advance;
  // Pairs swap after each step whose number plus one is a multiple of swap_every. With Placement::across all tiles must advance at once,
  // and the call is collective.
  void advance(Model const&, Chains&, random::Key, TileRange local, Index first_step, Index steps) override;
  Index rungs() const override { return rungs_; }
  bool compares_energies() const override { return true; }
  // Swap rates of neighbours and completed round trips.
  std::vector<Metric> results() const override;
  void describe_state(State&) override;
  void list(Arrays, Model const&, Share const&) const override;

 protected:
  // `rungs`: their maximum number, the caller's chains included.
  LadderSampler(double step_size, Index rungs, LadderOptions const&, Communicator);

  // The rungs in use, from rung 0, the caller's chains, to the hottest.
  virtual std::vector<Index> order() const = 0;
  virtual void prepare_rung(Index rung, Model const&, Chains&, random::Key) = 0;
  // Lists what the moves of a rung keep for its chains.
  virtual void list_rung(Arrays, Index rung, Model const&, Share const&) const = 0;
  virtual void advance_rung(Index rung, Model const&, Chains&, random::Key, TileRange local, Index first_step, Index steps) = 0;
  // difference = U_rung(x) - U_neighbour(x), (tile, lane).
  virtual void compare(Index rung, Index neighbour, Model const&, ConstTiles x, TileEnergies difference) const = 0;
  // Called before the chains advance; collective where the chains' advance() is.
  virtual void before_advance(Model const&, Index /*first_step*/) {}

  // Swap counts of each rung in use with its hotter neighbour, over all sets and ranks; collective.
  struct Swaps {
    Index attempted = 0, accepted = 0;
    double rate() const { return double(accepted) / double(attempted); }  // NaN where there was none
  };
  std::vector<Swaps> count_swaps() const;
  void forget_swaps();
  // The share of accepted proposals of a rung's moves over `steps` steps, over all sets and ranks; resets the counts; collective.
  double take_acceptance(Index rung, Index steps);
  // Copies the states of rung `from` to rung `to` in every set. Collective with Placement::across.
  void copy_rung(Index from, Index to);
  Communicator const& ranks() const { return ranks_; }

 private:
  using Counts = Kokkos::View<std::int32_t***, Kokkos::LayoutRight, DeviceMemory>;
  enum Counter { attempted, accepted, round_trips };
  struct Rung {
    Chains chains;  // of rung 0: the caller's
    // Moves with a state, (tile, pitch): 0 initially, 1 after it has been at the coldest rung, 2 after it has then been at the hottest.
    TileScalarStorage visited;
    Kokkos::View<double**, Kokkos::LayoutRight, DeviceMemory> difference;  // (tile, pitch), of compare()
    Counts counts;  // (tile, Counter, pitch): swaps with the hotter neighbour; at rung 0 round trips
    Rung(Arrays, Chains of_rung);
  };
  struct Set {
    std::vector<Rung> rungs;
  };
  struct SwapPair {
    Index colder, hotter, tile;  // the tile's global number
    LadderColumn a, b;
    Index tile_of_a;  // local number of the colder tile; -1 where it is on another rank
  };
  using Pair = std::pair<Index, Index>;

  TileRange share(Index rung, Chains const& coldest) const;
  int owner(Index rung, Index tile, Index tiles) const;
  TileRange range(Rung const&, TileRange local) const;
  LadderColumn column(Rung const&, Index tile) const;
  std::vector<SwapPair> meet(Set&, std::vector<Pair> const&, TileRange local);
  void copy_states(Set&, std::vector<Pair> const&, TileRange local, Held only);
  void swap(Set&, Model const&, random::Key, Index event, TileRange local);
  void swap_lanes(Set&, SwapPair const&, random::Key, Index event) const;
  Index count(Set const&, Index rung, Counter) const;

  Index rungs_, swap_every_;
  Placement placement_;
  Communicator ranks_;
  Start start_;
  std::map<Index, Set> sets_;  // by first_number
  TileStorage incoming_;       // (column, dimension + 1 + reals_of_a_double, pitch): x, visited, difference from other ranks
};

}  // namespace partita
