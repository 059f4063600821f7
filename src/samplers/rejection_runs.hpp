// Chains that do not move: for how long each chain of a Metropolis-adjusted sampler has rejected every proposal. Such a chain is at a place
// where its step is far too long, in a tail for example, and averages that include it are wrong although the sampler is exact.
#pragma once
#include <array>
#include <functional>

#include "comm/communicator.hpp"
#include "samplers/chains.hpp"

namespace partita {

class RejectionRuns {
 public:
  RejectionRuns(Tiling const&, TileRange mine, Arrays = {});

  // Takes over the chains' counts of accepted and diverging proposals, for the `proposals` since these counts were last cleared.
  void look(Chains const&, Index proposals);
  // To be called when the chains' counts are cleared.
  void counts_cleared();
  // Ends a window. A chain that has accepted nothing in it has rejected the whole window; runs of rejections are sums of such windows.
  void end_window();
  // Resets all counts, at the end of a warm-up.
  void forget();

  // Number of real chains on all ranks that have rejected at least this many proposals up to the end of the last window; collective.
  Index still(Communicator const&, Index proposals) const;

  struct Found {
    Index proposals = 0;    // per chain
    double acceptance = 0;  // average over all chains
    Index length = 0;       // a run of rejections of this length counts as stuck
    Index stuck = 0;        // number of chains that had such a run at any time
    Index diverging = 0;    // number of chains with a diverging proposal
  };
  // Over the real chains of all ranks; collective. The length is three times the run that any chain of average acceptance reaches with
  // probability 1/1000, because acceptance depends on the position; at most half of all proposals; but at least 200 (or all, if fewer
  // were made).
  Found find(Communicator const&) const;

  void describe_state(State&);

 private:
  using Counts = Kokkos::View<std::int32_t***, Kokkos::LayoutRight, DeviceMemory>;
  // For each chain: rejections up to the end of the last window, the longest such run, accepted proposals in this window, accepted in all,
  // the chain's own count at the last look(), number of looks with a diverging proposal.
  enum Counter { present, longest, in_window, accepted, seen, diverging, counters };
  using ChainCounts = std::array<std::int32_t, counters>;
  // The sum over the real chains of all ranks of a function of a chain's counts; collective.
  Index sum(Communicator const&, std::function<Index(ChainCounts const&)> const& of_chain) const;
  auto all_lanes() const {
    using Policy = Kokkos::MDRangePolicy<Execution, Kokkos::Rank<2>>;
    return Policy({0, 0}, {std::int64_t(counts_.extent(0)), std::int64_t(counts_.extent(2))});
  }

  Tiling tiling_;
  TileRange mine_;
  Counts counts_;                                   // (tile, Counter, pitch)
  Index proposals_ = 0, in_window_ = 0, seen_ = 0;  // proposals of each chain: in all, in this window, at the last look()
};

}  // namespace partita
