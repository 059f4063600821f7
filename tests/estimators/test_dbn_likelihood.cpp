#include <gtest/gtest.h>

#include "core/copy.hpp"
#include "estimators/dbn_likelihood.hpp"
#include "small_machines.hpp"

namespace partita {
namespace {

// Items 0 .. count - 1 whose visible units are the bits of their numbers.
ItemTiles all_states(Index units) {
  return {Index{1} << units, [units](TileStorage to, Tiling const& tiling, TileRange mine) {
            auto const host = Kokkos::create_mirror_view(to);
            for (Index t = 0; t < mine.count; t++)
              for (Index l = 0; l < tiling.lanes(mine.first + t); l++)
                for (Index i = 0; i < units; i++) host(t, i, l) = Real(small::unit(tiling.first_chain(mine.first + t) + l, i));
            copy_array(to, host);
          }};
}

double log_sigmoid(double x) { return -std::log1p(std::exp(-x)); }

// Mean over all v of the bound and of log p, both without log Z_top, of three layers by brute force.
struct Exact {
  double bound = 0, likelihood = 0;
};
Exact by_enumeration(DeepBeliefNetwork const& model) {
  Rbm const &low = model.machine(0), &top = model.top();
  auto const w = to_host(low.weight()), a = to_host(low.visible_bias()), b = to_host(low.hidden_bias());
  Index const d = low.dimension(), f = low.hidden();
  auto const top_weights = small::visible_weights(top);
  Exact out;
  double const states = double(Index{1} << d);
  for (Index v = 0; v < Index{1} << d; v++) {
    double p = 0;
    for (Index h = 0; h < Index{1} << f; h++) {
      double log_p = std::log(top_weights[h]), log_q = 0;
      auto const weight = [&](Index i, Index j) { return w[i * f + j]; };
      for (Index i = 0; i < d; i++) {
        double odds = a[i];
        for (Index j = 0; j < f; j++) odds += weight(i, j) * small::unit(h, j);
        log_p += log_sigmoid(small::unit(v, i) > 0 ? odds : -odds);
      }
      for (Index j = 0; j < f; j++) {
        double odds = b[j];
        for (Index i = 0; i < d; i++) odds += weight(i, j) * small::unit(v, i);
        log_q += log_sigmoid(small::unit(h, j) > 0 ? odds : -odds);
      }
      p += std::exp(log_p);
      out.bound += std::exp(log_q) * (log_p - log_q) / states;
    }
    out.likelihood += std::log(p) / states;
  }
  return out;
}

TEST(DbnLikelihood, BoundAndImportanceEstimateAreThoseOfEnumeration) {
  DeepBeliefNetwork model({.layers = {4, 3, 5}});
  small::randomise(model, 0.7);
  auto const exact = by_enumeration(model);
  // 4000 draws for each of 16 items: log w spreads by less than 1.5, so the means are known to 1.5 / sqrt(64,000) = .006; 4 sigma. The
  // importance estimate is biased by - var(w) / 2 / 4000 of its mean, .001 at most.
  auto const found = dbn_likelihood(model, all_states(4), 4000, Communicator::world(), small::key);
  EXPECT_NEAR(found.bound.value, exact.bound, 0.024);
  EXPECT_NEAR(found.importance.value.value, exact.likelihood, 0.024);
  EXPECT_LT(exact.bound, exact.likelihood);
}

TEST(DbnLikelihood, TheBoundIsNeverAboveTheImportanceEstimate) {
  DeepBeliefNetwork model({.layers = {6, 4, 3, 5}});
  small::randomise(model, 1.5);
  for (Index draws : {1, 2, 5, 50}) {
    auto const found = dbn_likelihood(model, all_states(6), draws, Communicator::world(), small::key);
    EXPECT_LE(found.bound.value, found.importance.value.value + small::rounding) << draws;
  }
}

TEST(DbnLikelihood, ATopMachineUpsideDownLeavesTheLikelihoodOfTheMachineBelow) {
  DeepBeliefNetwork model({.layers = {5, 3, 5}});
  Rbm const low = small::rbm(5, 3, 0.8);
  Rbm& top = model.top();
  copy_array(model.machine(0).parameters(), low.parameters());
  auto const w = to_host(low.weight());
  std::vector<double> turned(w.size());
  for (std::size_t i = 0; i < 5; i++)
    for (std::size_t j = 0; j < 3; j++) turned[j * 5 + i] = w[i * 3 + j];
  assign(top.weight(), turned);
  copy_array(top.visible_bias(), low.hidden_bias());
  copy_array(top.hidden_bias(), low.visible_bias());
  auto const exact = by_enumeration(model);
  double of_machine = 0;
  for (double weight : small::visible_weights(low)) of_machine += std::log(weight) / 32;
  EXPECT_NEAR(exact.likelihood, of_machine, 20 * small::rounding);  // both are sums of 2^8 terms
  // q is then the exact posterior, every draw has the same weight, and bound and estimate are the likelihood itself.
  auto const found = dbn_likelihood(model, all_states(5), 3, Communicator::world(), small::key);
  EXPECT_NEAR(found.bound.value, of_machine, 20 * small::rounding);
  EXPECT_NEAR(found.importance.value.value, of_machine, 20 * small::rounding);
}

}  // namespace
}  // namespace partita
