#include "optimizers/optimizer.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace partita {
namespace {

constexpr Index block_of_norm = 512;  // entries that one thread sums

}  // namespace

std::vector<deck::Key> optimizer_keys() {
  using O = OptimizerOptions;
  return {deck::key("learning_rate", &O::learning_rate, "learning rate, the size of the step of an update").above(0),
          deck::key("schedule", &O::schedule, "how the learning rate falls over train.schedule_updates, after its own warm-up")
              .one_of({"constant", "linear", "cosine"}),
          deck::key("warmup_updates", &O::warmup_updates,
                    "learning-rate warm-up: number of updates over which the learning rate rises linearly from zero")
              .at_least(0),
          deck::key("final_fraction", &O::final_fraction, "learning rate after the last update, as a fraction of learning_rate")
              .at_least(0)
              .at_most(1)
              .only_with("schedule", {"linear", "cosine"}),
          deck::key("clip_norm", &O::clip_norm, "norm to which longer gradients are shortened; 0: never").at_least(0)};
}

double scheduled_rate(OptimizerOptions const& o, Index update, Index updates) {
  if (update < o.warmup_updates) return o.learning_rate * double(update + 1) / double(o.warmup_updates);
  double const left = double(std::max<Index>(updates - o.warmup_updates, 1));
  double const done = std::min(1., double(update - o.warmup_updates) / left);
  double fall = 1;
  if (o.schedule == "linear") fall = 1 - done;
  if (o.schedule == "cosine") fall = 0.5 * (1 + std::cos(std::numbers::pi * done));
  return o.learning_rate * (o.final_fraction + (1 - o.final_fraction) * fall);
}

double norm(ConstVector values) {
  // Eight independent sums: in a single one each addition would wait for the one before.
  constexpr Index sums = 8;
  Index const n = extent(values, 0);
  double sum = 0;
  Kokkos::parallel_reduce(
      "partita::norm", Kokkos::RangePolicy<Execution, Kokkos::IndexType<Index>>(0, divide_up(n, block_of_norm)),
      KOKKOS_LAMBDA(Index block, double& s) {
        Index const first = block * block_of_norm, end = first + block_of_norm < n ? first + block_of_norm : n;
        double partial[sums] = {};
        Index i = first;
        for (; i + sums <= end; i += sums)
          for (Index k = 0; k < sums; k++) partial[k] += double(values(i + k)) * double(values(i + k));
        for (; i < end; i++) partial[0] += double(values(i)) * double(values(i));
        for (double p : partial) s += p;
      },
      sum);
  return std::sqrt(sum);
}

void scale(Vector values, double factor) {
  Real const f = Real(factor);
  Kokkos::parallel_for(
      "partita::scale", Kokkos::RangePolicy<Execution, Kokkos::IndexType<Index>>(0, extent(values, 0)),
      KOKKOS_LAMBDA(Index i) { values(i) *= f; });
}

void average(Vector mean, ConstVector parameters, double decay, Index update) {
  double const u = double(update);
  Real const take = Real(1 - std::min(decay, (1 + u) / (10 + u)));
  Kokkos::parallel_for(
      "partita::parameter_average", Kokkos::RangePolicy<Execution, Kokkos::IndexType<Index>>(0, extent(mean, 0)),
      KOKKOS_LAMBDA(Index i) { mean(i) = std::fma(take, parameters(i) - mean(i), mean(i)); });
}

}  // namespace partita
