// Averages over samples: moments and probabilities.
#include <algorithm>
#include <cmath>

#include "estimators/entry.hpp"

namespace partita {
namespace {

struct MomentsOptions {
  Index coordinates = 8;
};
struct ProbabilityOptions {
  Index coordinate = 0;
  double below = 0;
};

std::string numbered(std::string const& stem, Index i, Index of) { return of == 1 ? stem : fmt::format("{}_{}", stem, i); }

Metrics moments(Subject const& s, deck::Block const& block) {
  Index const d = s.samples.dimension, shown = std::min(d, block.as<MomentsOptions>().coordinates);
  auto const first = expectations(s.samples, shown + 1, [&](float const* x, double energy, double* out) {
    std::copy(x, x + shown, out);
    out[shown] = energy;
  });
  bool const single = s.samples.tiling.chains * s.samples.draws < 2;  // a single point has no variance
  auto second = expectations(s.samples, shown, [&](float const* x, double, double* out) {
    for (Index i = 0; i < shown; i++) out[i] = (x[i] - first[i].value) * (x[i] - first[i].value);
  });
  Metrics out;
  for (Index i = 0; i < shown; i++) {
    auto const k = std::size_t(i);
    if (single) second[k].value = std::numeric_limits<double>::quiet_NaN();
    out.push_back(metric(numbered("mean", i, d), first[k],
                         fmt::format("mean of x_{}; standard error from {}", i,
                                     s.samples.tiling.chains > 1 ? "independent chains" : "the chain's effective sample size")));
    out.push_back(metric(numbered("variance", i, d), second[k], fmt::format("variance of x_{}", i)));
  }
  if (s.samples.has_energy) out.push_back(metric("mean_energy", first.back(), "mean of E(x)"));
  return with_reason(std::move(out), s.samples.tiling.chains > 1 ? "it is the same number in all chains, or in all draws of each"
                                                                 : "the single chain has too few draws, or they are all the same");
}

Metrics probability(Subject const& s, deck::Block const& block) {
  auto const o = block.as<ProbabilityOptions>();
  auto const e = expectations(s.samples, 1, [&](float const* x, double, double* out) { out[0] = x[o.coordinate] < o.below; });
  return with_reason(
      {metric("probability_below", e[0], fmt::format("P(x_{} < {})", o.coordinate, o.below))},
      "the share below is the same in all chains; if it is 0 or 1 the samples give only a bound, and more of them are needed");
}

void has_the_coordinate(Fit const& fit) {
  auto const d = fit.points_dimension();
  Index const i = fit.own.as<ProbabilityOptions>().coordinate;
  if (d && i >= *d) fit.refuse("coordinate", fmt::format("estimator.coordinate = {}, but x has {} coordinates, counted from 0", i, *d));
}

}  // namespace

EstimatorEntry moments_estimator() {
  using O = MomentsOptions;
  return {deck::schema<O>("moments", "mean and variance of coordinates, mean energy, with standard errors from independent chains",
                          {deck::key("coordinates", &O::coordinates, "number of coordinates, from the first on").at_least(0)}),
          moments};
}
EstimatorEntry probability_estimator() {
  using O = ProbabilityOptions;
  return {deck::schema<O>("probability", "P(x_i < threshold)",
                          {deck::key("coordinate", &O::coordinate, "coordinate i, counted from 0").at_least(0),
                           deck::key("below", &O::below, "threshold of x_i").required()}),
          probability,
          LooksAt::samples,
          {},
          false,
          has_the_coordinate};
}

}  // namespace partita
