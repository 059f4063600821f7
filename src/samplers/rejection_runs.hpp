// Chains that do not move: how long each chain of a Metropolis-adjusted sampler has rejected every proposal. Such a chain sits where its
// step is far too long, in a tail for example, and averages that include it are wrong although each of its steps was exact.
#pragma once
#include <array>
#include <functional>

#include "comm/communicator.hpp"
#include "samplers/chains.hpp"

namespace partita {

class RejectionRuns {
 public:
  RejectionRuns(Tiling const&, TileRange mine, Arrays = {});

  // Takes over what the chains have counted in the so many proposals since their counts were last cleared.
  void look(Chains const&, Index proposals);
  // The chains' counts are cleared.
  void counts_cleared();
  // Ends a window: a chain that has accepted nothing since the last one ended has rejected the whole window. Runs are sums of windows.
  void end_window();
  // Starts anew, at the end of a warm-up.
  void forget();

  // Real chains of all ranks that have rejected at least so many proposals up to the end of the last window; collective.
  Index still(Communicator const&, Index proposals) const;

  struct Found {
    Index proposals = 0;    // of each chain
    double acceptance = 0;  // of all chains
    Index length = 0;       // of a run of rejections that counts as being stuck
    Index stuck = 0;        // chains that had a run of that length at any time
    Index diverging = 0;    // chains with a diverging proposal
  };
  // Over the real chains of all ranks; collective. The length is three times what with a probability of less than 1/1000 any chain of
  // average acceptance reaches, and at least 200 proposals where there were so many, for acceptance depends on the place; half of all
  // proposals where hardly any is accepted.
  Found find(Communicator const&) const;

  void describe_state(State&);

 private:
  using Counts = Kokkos::View<std::int32_t***, Kokkos::LayoutRight, DeviceMemory>;
  // Of a chain: rejected up to the last window's end, the longest such run, accepted in this window, accepted in all, what the chain's own
  // count was when it was last looked at, looks with a diverging proposal.
  enum Counter { present, longest, in_window, accepted, seen, diverging, counters };
  using ChainCounts = std::array<std::int32_t, counters>;
  // The sum over the real chains of all ranks of a function of a chain's counts; collective.
  Index sum(Communicator const&, std::function<Index(ChainCounts const&)> const& of_chain) const;
  auto all_lanes() const {
    using Policy = Kokkos::MDRangePolicy<Execution, Kokkos::Rank<2>>;
    return Policy({0, 0}, {static_cast<std::int64_t>(counts_.extent(0)), static_cast<std::int64_t>(counts_.extent(2))});
  }

  Tiling tiling_;
  TileRange mine_;
  Counts counts_;                                   // (tile, Counter, pitch)
  Index proposals_ = 0, in_window_ = 0, seen_ = 0;  // of each chain: in all, in this window, when it was last looked at
};

}  // namespace partita
