#include "samplers/rejection_runs.hpp"

#include <algorithm>
#include <cmath>

#include "core/copy.hpp"

namespace partita {

RejectionRuns::RejectionRuns(Tiling const& tiling, TileRange mine, Arrays arrays)
    : tiling_(tiling), mine_(mine), counts_(arrays.make<Counts>("rejection runs", mine.count, Index(counters), tiling.pitch())) {}

void RejectionRuns::look(Chains const& chains, Index proposals) {
  auto const counts = counts_;
  auto const accepts = chains.accepted, diverges = chains.diverging;
  Kokkos::parallel_for(
      "partita::look_at_acceptance", all_lanes(), KOKKOS_LAMBDA(std::int64_t t, std::int64_t l) {
        auto const fresh = accepts(t, l) - counts(t, seen, l);
        counts(t, seen, l) = accepts(t, l);
        counts(t, in_window, l) += fresh;
        counts(t, accepted, l) += fresh;
        counts(t, diverging, l) += diverges(t, l) > 0 ? 1 : 0;
      });
  in_window_ += proposals - seen_;
  proposals_ += proposals - seen_;
  seen_ = proposals;
}

void RejectionRuns::counts_cleared() {
  auto const counts = counts_;
  Kokkos::parallel_for(
      "partita::nothing_seen", all_lanes(), KOKKOS_LAMBDA(std::int64_t t, std::int64_t l) { counts(t, seen, l) = 0; });
  seen_ = 0;
}

void RejectionRuns::end_window() {
  auto const counts = counts_;
  auto const rejected = std::int32_t(in_window_);
  Kokkos::parallel_for(
      "partita::end_window", all_lanes(), KOKKOS_LAMBDA(std::int64_t t, std::int64_t l) {
        counts(t, present, l) = counts(t, in_window, l) > 0 ? 0 : counts(t, present, l) + rejected;
        if (counts(t, present, l) > counts(t, longest, l)) counts(t, longest, l) = counts(t, present, l);
        counts(t, in_window, l) = 0;
      });
  in_window_ = 0;
}

void RejectionRuns::forget() {
  fill_array(counts_, 0);
  proposals_ = in_window_ = seen_ = 0;
}

Index RejectionRuns::sum(Communicator const& ranks, std::function<Index(ChainCounts const&)> const& of_chain) const {
  auto const counts = values_on_host(counts_);
  Index total = 0;
  for (Index t = 0; t < mine_.count; t++)
    for (Index l = 0; l < tiling_.chains_in(mine_.first + t); l++) {
      ChainCounts chain;
      for (std::size_t k = 0; k < chain.size(); k++) chain[k] = counts(t, k, l);
      total += of_chain(chain);
    }
  return ranks.all_reduce(total, Reduction::sum);
}

Index RejectionRuns::still(Communicator const& ranks, Index proposals) const {
  return sum(ranks, [proposals](auto const& chain) { return chain[present] >= proposals ? 1 : 0; });
}

RejectionRuns::Found RejectionRuns::find(Communicator const& ranks) const {
  Found f;
  f.proposals = proposals_;
  double const chains = double(tiling_.chains), tries = double(proposals_);
  f.acceptance = double(sum(ranks, [](auto const& chain) { return Index(chain[accepted]); })) / (chains * tries);
  Index const usual =
      f.acceptance > 0 && f.acceptance < 1 ? Index(std::ceil(std::log(1e-3 / (chains * tries)) / std::log1p(-f.acceptance))) : 1;
  f.length = std::max(std::min(3 * usual, proposals_ / 2), std::min<Index>(200, proposals_));
  f.stuck = sum(ranks, [&](auto const& chain) { return chain[longest] >= f.length ? 1 : 0; });
  f.diverging = sum(ranks, [](auto const& chain) { return chain[diverging] > 0 ? 1 : 0; });
  return f;
}

void RejectionRuns::describe_state(State& state) {
  state.add_by_tile("rejection_runs/counts", counts_, mine_, tiling_.tiles());
  state.add_scalar("rejection_runs/proposals", proposals_);
  state.add_scalar("rejection_runs/in_window", in_window_);
  state.add_scalar("rejection_runs/seen", seen_);
}

}  // namespace partita
