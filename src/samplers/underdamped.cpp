#include "samplers/underdamped.hpp"

#include "core/require.hpp"
#include "samplers/stability.hpp"

namespace partita {

deck::Schema underdamped_schema() {
  using O = UnderdampedOptions;
  return deck::schema<O>("underdamped", "underdamped Langevin by BAOAB; exact positional variance on harmonic targets",
                         {deck::key("step_size", &O::step_size, "time step h").required().above(0),
                          deck::key("friction", &O::friction, "gamma").above(0).in("1/time"), deck::key("mass", &O::mass, "m").above(0),
                          deck::key("temperature", &O::temperature, "T: samples exp(-E/T)").at_least(0)});
}

void Underdamped::require_fit(Model const& model) const {
  require_stable(model, step_size_, "underdamped", [mass = options_.mass](double lambda) { return 2 / std::sqrt(lambda / mass); });
}

void Underdamped::prepare(Model const& model, Chains& chains, random::Key key) {
  require_fit(model);
  double const mass = options_.mass;
  // Velocities start in equilibrium; they are drawn like initial positions, from a stream of their own.
  Chains start = chains;
  start.x = TileStorage("chains velocity", chains.x.extent(0), chains.x.extent(1), chains.x.extent(2));
  initialise(start, key, random::Stream::momentum, 0, {InitialState::normal, std::sqrt(options_.temperature / mass)});
  chains.velocity = start.x;
  auto const held = Kokkos::create_mirror_view_and_copy(Kokkos::HostSpace(), chains.held);
  for (std::size_t i = 0; i < held.extent(0); i++)
    if (held(i)) Kokkos::deep_copy(Kokkos::subview(start.x, Kokkos::ALL, i, Kokkos::ALL), Real(0));
}

void Underdamped::advance(Model const& model, Chains& chains, random::Key key, TileRange local, Index first_step, Index steps) {
  double const h = step_size_, decay = std::exp(-options_.friction * h);
  BaoabScheme const scheme{static_cast<Real>(h / (2 * options_.mass)), static_cast<Real>(h / 2), static_cast<Real>(decay),
                           static_cast<Real>(std::sqrt((1 - decay * decay) * options_.temperature / options_.mass))};
  partita::advance(scheme, model, chains, work_, key, local, first_step, steps);
}

}  // namespace partita
