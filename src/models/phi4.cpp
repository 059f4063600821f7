#include "models/phi4.hpp"

namespace partita {

deck::Schema phi4_schema() {
  using O = Phi4Options;
  return deck::schema<O>(
      "phi4", "phi^4 chain with fixed ends, E = beta sum a/(2h) (phi_i - phi_{i-1})^2 + beta h/(4a) (1 - phi_i^2)^2, h = 1/(d+1)",
      {deck::key("dimension", &O::dimension, "number of interior sites d").at_least(1),
       deck::key("beta", &O::beta, "inverse temperature").above(0), deck::key("stiffness", &O::stiffness, "a").above(0)});
}

Phi4Chain make_phi4(Phi4Options const& o) {
  double const h = 1 / static_cast<double>(o.dimension + 1);
  return {o.dimension, static_cast<Real>(o.beta * o.stiffness / h), static_cast<Real>(o.beta * h / (4 * o.stiffness))};
}

}  // namespace partita
