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
  RejectionRuns(Tiling const&, TileRange mine);

  // Takes over what the chains have counted in so many proposals since they last began to count.
  void add(Chains const&, Index proposals);
  // Starts anew, at the end of a warm-up.
  void forget();

  // Real chains of all ranks that have rejected at least so many proposals up to now; collective.
  Index still(Communicator const&, Index proposals) const;

  struct Found {
    Index proposals = 0;    // of each chain
    double acceptance = 0;  // of all chains
    Index length = 0;       // of a run of rejections that counts as being stuck
    Index stuck = 0;        // chains that had a run of that length at any time
    Index diverging = 0;    // chains with a diverging proposal
  };
  // Over the real chains of all ranks; collective. The length is what with a probability of less than 1/1000 any chain of average
  // acceptance reaches, and at least 100 proposals where there were so many, for acceptance may depend on the place; half of all proposals
  // where hardly any is accepted.
  Found find(Communicator const&) const;

  void describe_state(State&);

 private:
  using Counts = Kokkos::View<std::int32_t***, Kokkos::LayoutRight, DeviceMemory>;
  enum Counter { present, longest, accepted, diverging, counters };
  // The sum over the real chains of all ranks of a function of a chain's counts; collective.
  Index sum(Communicator const&, std::function<Index(std::array<std::int32_t, counters> const&)> const& of_chain) const;

  Tiling tiling_;
  TileRange mine_;
  Counts counts_;  // (tile, Counter, pitch)
  Index proposals_ = 0;
};

}  // namespace partita
