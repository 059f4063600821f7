#include "samplers/barker.hpp"

#include "samplers/advance.hpp"

namespace partita {

deck::Schema barker_schema() {
  using O = BarkerOptions;
  return deck::schema<O>(
      "barker",
      "Barker's proposal: each coordinate moves by a random length, more probably down the energy than up, and all are accepted or "
      "rejected; exact",
      {deck::key("step_size", &O::step_size, "standard deviation of a coordinate's move at the start; adapted in the warm-up").above(0),
       deck::key("temperature", &O::temperature, "temperature T: samples exp(-E/T)").above(0),
       deck::key("target_acceptance", &O::target_acceptance,
                 "acceptance rate to which the warm-up adapts the step size; 0: it stays as given")
           .at_least(0)
           .below(1)});
}

void Barker::advance(Model const& model, Chains& chains, random::Key key, TileRange local, Index first_step, Index steps) {
  BarkerScheme const scheme{Real(step_size_), Real(1 / temperature_)};
  partita::advance(scheme, model, chains, work_, key, local, first_step, steps);
}

}  // namespace partita
