#include "samplers/mala.hpp"

#include "samplers/advance.hpp"

namespace partita {

deck::Schema mala_schema() {
  using O = MalaOptions;
  return deck::schema<O>(
      "mala", "Metropolis-adjusted Langevin: the ula proposal, accepted or rejected; exact",
      {deck::key("step_size", &O::step_size, "step size eta at the start; adapted in the warm-up").required().above(0),
       deck::key("temperature", &O::temperature, "temperature T: samples exp(-E/T)").above(0),
       deck::key("target_acceptance", &O::target_acceptance, "acceptance rate to which the warm-up adapts eta; 0: eta stays as given")
           .at_least(0)
           .below(1)});
}

void Mala::advance(Model const& model, Chains& chains, random::Key key, TileRange local, Index first_step, Index steps) {
  // x - eta dE/dx + sqrt(2 eta T) xi is one leapfrog of length sqrt(2 eta T) on E / T.
  HamiltonianScheme<> const scheme{Real(std::sqrt(2 * step_size_ * temperature_)), Real(1 / temperature_), 1};
  partita::advance(scheme, model, chains, work_, key, local, first_step, steps);
}

}  // namespace partita
