#include "samplers/underdamped.hpp"

#include "core/require.hpp"
#include "samplers/advance.hpp"
#include "samplers/stability.hpp"

namespace partita {

deck::Schema underdamped_schema() {
  using O = UnderdampedOptions;
  return deck::schema<O>(
      "underdamped", "underdamped Langevin by BAOAB; exact positional variance on harmonic targets",
      {deck::key("step_size", &O::step_size, "time step h").required().above(0),
       deck::key("friction", &O::friction, "friction gamma").above(0).in("1/time"), deck::key("mass", &O::mass, "mass m").above(0),
       deck::key("temperature", &O::temperature, "temperature T: samples exp(-E/T)").at_least(0)});
}

void Underdamped::require_fit(Model const& model) const {
  require_stable(model, step_size_, "underdamped", [mass = options_.mass](double lambda) { return 2 / std::sqrt(lambda / mass); });
}

void Underdamped::prepare(Model const& model, Chains& chains, random::Key key) {
  require_fit(model);
  start_velocities(chains, key, std::sqrt(options_.temperature / options_.mass));  // in equilibrium
}

void Underdamped::advance(Model const& model, Chains& chains, random::Key key, TileRange local, Index first_step, Index steps) {
  double const h = step_size_, decay = std::exp(-options_.friction * h);
  BaoabScheme const scheme{Real(h / (2 * options_.mass)), Real(h / 2), Real(decay),
                           Real(std::sqrt((1 - decay * decay) * options_.temperature / options_.mass))};
  partita::advance(scheme, model, chains, work_, key, local, first_step, steps);
}

}  // namespace partita
