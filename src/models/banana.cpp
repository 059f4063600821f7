#include "models/banana.hpp"

namespace partita {

deck::Schema banana_schema() {
  using O = BananaOptions;
  return deck::schema<O>(
      "banana", "Twisted Gaussian, E = x_0^2 / (2 a^2) + (x_1 + b x_0^2 - a^2 b)^2 / 2",
      {deck::key("scale", &O::scale, "a, standard deviation of x_0").above(0), deck::key("bend", &O::bend, "b, strength of the twist")});
}

Banana make_banana(BananaOptions const& o) { return {2, static_cast<Real>(o.scale), static_cast<Real>(o.bend)}; }

}  // namespace partita
