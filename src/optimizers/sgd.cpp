#include "optimizers/sgd.hpp"

#include <cmath>

namespace partita {

deck::Schema sgd_schema() {
  using O = SgdOptions;
  return deck::schema<O>(
      "sgd", "v <- momentum v + gradient, theta <- theta - rate v",
      {deck::key("momentum", &O::momentum, "fraction of the velocity that is kept from update to update").at_least(0).below(1),
       deck::key("initial_momentum", &O::initial_momentum, "momentum in the first initial_updates updates").at_least(0).below(1),
       deck::key("initial_updates", &O::initial_updates, "number of first updates with initial_momentum").at_least(0)});
}

void Sgd::update(Vector parameters, ConstVector gradient, double rate) {
  double const share = updates_++ < options_.initial_updates ? options_.initial_momentum : options_.momentum;
  Real const momentum = Real(share), step = Real(rate);
  auto const velocity = velocity_;
  Kokkos::parallel_for(
      "partita::sgd", Kokkos::RangePolicy<Execution, Kokkos::IndexType<Index>>(0, extent(parameters, 0)), KOKKOS_LAMBDA(Index i) {
        velocity(i) = std::fma(momentum, velocity(i), gradient(i));
        parameters(i) = std::fma(-step, velocity(i), parameters(i));
      });
}

}  // namespace partita
