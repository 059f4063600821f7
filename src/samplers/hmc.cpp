#include "samplers/hmc.hpp"

namespace partita {

deck::Schema hmc_schema() {
  using O = HmcOptions;
  return deck::schema<O>(
      "hmc", "Hamiltonian Monte Carlo; exact; a step is one trajectory",
      {deck::key("step_size", &O::step_size, "length of a leapfrog step at the start; adapted during the warm-up").required().above(0),
       deck::key("leapfrogs", &O::leapfrogs, "leapfrog steps of a trajectory").at_least(1),
       deck::key("temperature", &O::temperature, "T: samples exp(-E/T)").above(0),
       deck::key("target_acceptance", &O::target_acceptance, "acceptance that the warm-up adapts the step to; 0: it stays as given")
           .at_least(0)
           .below(1)});
}

void Hmc::advance(Model const& model, Chains& chains, random::Key key, TileRange local, Index first_step, Index steps) {
  HamiltonianScheme const scheme{static_cast<Real>(step_size_), static_cast<Real>(1 / temperature_), leapfrogs_};
  partita::advance(scheme, model, chains, work_, key, local, first_step, steps);
}

}  // namespace partita
