#include "optimizers/adam.hpp"

#include <cmath>

namespace partita {

deck::Schema adam_schema() {
  using O = AdamOptions;
  return deck::schema<O>(
      "adam", "theta <- theta - rate m / (sqrt v + epsilon) with running means m of the gradient and v of its square",
      {deck::key("beta1", &O::beta1, "decay rate of the running mean m; 0 suits chains that move fast").at_least(0).below(1),
       deck::key("beta2", &O::beta2, "decay rate of the running mean v").at_least(0).below(1),
       deck::key("epsilon", &O::epsilon, "keeps the quotient finite").above(0),
       deck::key("weight_decay", &O::weight_decay, "theta <- (1 - rate weight_decay) theta at each update").at_least(0)});
}

void Adam::update(Vector parameters, ConstVector gradient, double rate) {
  updates_++;
  // The bias correction uses the decays as rounded to Real: 1 - 0.999f differs from 0.001 by a relative 1e-5.
  Real const decay1 = Real(options_.beta1), decay2 = Real(options_.beta2);
  auto const weight_so_far = [this](Real decay) { return 1 - std::pow(double(decay), double(updates_)); };
  Real const step = Real(rate / weight_so_far(decay1)), root = Real(1 / std::sqrt(weight_so_far(decay2)));
  Real const epsilon = Real(options_.epsilon), keep = Real(1 - rate * options_.weight_decay);
  auto const mean = mean_, square = square_;
  Kokkos::parallel_for(
      "partita::adam", Kokkos::RangePolicy<Execution, Kokkos::IndexType<Index>>(0, extent(parameters, 0)), KOKKOS_LAMBDA(Index i) {
        Real const g = gradient(i);
        mean(i) = std::fma(decay1, mean(i), (1 - decay1) * g);
        square(i) = std::fma(decay2, square(i), (1 - decay2) * g * g);
        parameters(i) = std::fma(-step, mean(i) / std::fma(std::sqrt(square(i)), root, epsilon), keep * parameters(i));
      });
}

void Adam::describe_state(State& state) {
  state.add("optimizer/mean", mean_);
  state.add("optimizer/square", square_);
  state.add_scalar("optimizer/updates", updates_);
}

}  // namespace partita
