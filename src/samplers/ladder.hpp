// Rungs of chains that lead from the law of a sampler's chains to laws that mix fast, and exchange their states (Swendsen and Wang 1986;
// Geyer 1991). Each chain that the caller knows is the coldest rung of a ladder of its own: rung r has a chain of the same tile and lane.
// Two neighbours on a ladder swap with probability min(1, exp(U_r(x_r) + U_s(x_s) - U_r(x_s) - U_s(x_r))), U = -log of a rung's law up to
// its constant. Even and odd pairs take turns, which makes round trips far shorter than random pairs do (Okabe et al. 2001; Syed et al.
// 2022). Laws belong to rungs and states move, so that a tile's kernels have one law; noise is keyed by rung.
#pragma once
#include <map>

#include "comm/communicator.hpp"
#include "samplers/sampler.hpp"

namespace partita {

// Where the further rungs of a tile live: with the tile, or dealt over the ranks so that few tiles keep all ranks busy. The bits are the
// same.
enum class Placement { together, across };

struct LadderOptions {
  std::string placement = "together";
  Index swap_every = 1;
};
std::vector<deck::Key> ladder_keys();

// What two rungs of a tile need of one another: here, or in a buffer with what came from the other rank. Rows are a pitch apart.
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
  // Rungs that start independently of each other free a chain that starts where it cannot move.
  void start_rungs_by(Start const& start) override { start_ = start; }
  // Makes the further rungs of these chains, where start_rungs_by says or in the chains' present states. Sets of chains are told apart by
  // their first_number.
  void prepare(Model const&, Chains&, random::Key) override;
  using Sampler::advance;
  // Pairs swap after each step whose number plus one is a multiple of swap_every. Rungs that live across ranks advance all tiles at once,
  // and that is collective.
  void advance(Model const&, Chains&, random::Key, TileRange local, Index first_step, Index steps) override;
  Index rungs() const override { return rungs_; }
  bool compares_energies() const override { return true; }
  // Swap rates of neighbours and completed round trips.
  std::vector<Result> results() const override;
  void describe_state(State&) override;
  void list(Arrays, Model const&, Share const&) const override;

 protected:
  // `rungs` are held at most, that of the caller's chains included.
  LadderSampler(double step_size, Index rungs, LadderOptions const&, Communicator);

  // The rungs in use, from the caller's chains, rung 0, to the hottest.
  virtual std::vector<Index> order() const = 0;
  virtual void prepare_rung(Index rung, Model const&, Chains&, random::Key) = 0;
  // Lists what the moves of a rung keep for its chains.
  virtual void list_rung(Arrays, Index rung, Model const&, Share const&) const = 0;
  virtual void advance_rung(Index rung, Model const&, Chains&, random::Key, TileRange local, Index first_step, Index steps) = 0;
  // difference = U_rung(x) - U_neighbour(x), (tile, lane).
  virtual void compare(Index rung, Index neighbour, Model const&, ConstTiles x, TileEnergies difference) const = 0;
  // Called before the chains advance; collective where the chains' advance() is.
  virtual void before_advance(Model const&, Index /*first_step*/) {}

  // Of each rung in use and its hotter neighbour, over all sets and ranks; collective.
  struct Swaps {
    Index attempted = 0, accepted = 0;
    double rate() const { return static_cast<double>(accepted) / static_cast<double>(attempted); }  // NaN where there was none
  };
  std::vector<Swaps> count_swaps() const;
  void forget_swaps();
  // The share of accepted proposals of a rung's moves over `steps` steps, over all sets and ranks, and starts to count anew; collective.
  double take_acceptance(Index rung, Index steps);
  // In every set: what is in rung `from` is copied to rung `to`. Collective where rungs live across ranks.
  void copy_rung(Index from, Index to);
  Communicator const& ranks() const { return ranks_; }

 private:
  using Counts = Kokkos::View<std::int32_t***, Kokkos::LayoutRight, DeviceMemory>;
  enum Counter { attempted, accepted, round_trips };
  struct Rung {
    Chains chains;  // of rung 0: the caller's
    // What travels with a state, (tile, pitch): 0, or 1 once it has been coldest, 2 when it has been hottest since.
    TileScalarStorage visited;
    Kokkos::View<double**, Kokkos::LayoutRight, DeviceMemory> difference;  // (tile, pitch), of compare()
    Counts counts;  // (tile, Counter, pitch): swaps with the hotter neighbour; at rung 0 round trips
    Rung(Arrays, Chains of_rung);
  };
  struct Set {
    std::vector<Rung> rungs;
  };
  struct Meeting {
    Index colder, hotter, tile;  // the tile's global number
    LadderColumn a, b;
    Index tile_of_a;  // local number of the colder tile; -1 where it lives elsewhere
  };
  using Pair = std::pair<Index, Index>;

  TileRange share(Index rung, Chains const& coldest) const;
  int owner(Index rung, Index tile, Index tiles) const;
  TileRange range(Rung const&, TileRange local) const;
  LadderColumn column(Rung const&, Index tile) const;
  std::vector<Meeting> meet(Set&, std::vector<Pair> const&, TileRange local);
  void copy_states(Set&, std::vector<Pair> const&, TileRange local, Held only);
  void swap(Set&, Model const&, random::Key, Index event, TileRange local);
  void swap_lanes(Set&, Meeting const&, random::Key, Index event) const;
  Index count(Set const&, Index rung, Counter) const;

  Index rungs_, swap_every_;
  Placement placement_;
  Communicator ranks_;
  Start start_;
  std::map<Index, Set> sets_;  // by first_number
  TileStorage incoming_;       // (column, dimension + 1 + reals_of_a_double, pitch): x, visited, difference from other ranks
};

}  // namespace partita
