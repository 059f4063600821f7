#include "samplers/hmc.hpp"

#include "samplers/advance.hpp"

namespace partita {

deck::Schema hmc_schema() {
  using O = HmcOptions;
  return deck::schema<O>(
      "hmc", "Hamiltonian Monte Carlo: trajectories by leapfrog steps, accepted or rejected; exact; a step is one trajectory",
      {deck::key("step_size", &O::step_size, "length of a leapfrog step at the start; adapted in the warm-up").required().above(0),
       deck::key("leapfrog_steps", &O::leapfrog_steps, "number of leapfrog steps of a trajectory; their mean with random_length = true")
           .at_least(1)
           .formerly("leapfrogs"),
       deck::key("random_length", &O::random_length,
                 "whether the number of leapfrog steps is random, uniform on 1 to 2 leapfrog_steps - 1; with a fixed number, "
                 "oscillations whose period is near the length of a trajectory, or twice it, are hardly sampled"),
       deck::key("temperature", &O::temperature, "temperature T: samples exp(-E/T)").above(0),
       deck::key("target_acceptance", &O::target_acceptance,
                 "acceptance rate to which the warm-up adapts the step size; 0: it stays as given")
           .at_least(0)
           .below(1),
       deck::key("adapt_mass", &O::adapt_mass,
                 "whether the warm-up also gives each coordinate a mass from the variance of the chains, so that wide coordinates take "
                 "longer steps")});
}

void Hmc::prepare(Model const&, Chains& chains, random::Key) {
  if (!options_.adapt_mass) return;
  places_ = PositionMoments(chains.dimension);
  scales_ = equal_scales(chains.dimension);
}

void Hmc::list(Arrays arrays, Model const& model, Share const& share) const {
  SchemeSampler::list(arrays, model, share);
  if (!options_.adapt_mass) return;
  PositionMoments(model.dimension(), arrays);
  equal_scales(model.dimension(), arrays);
}

void Hmc::advance(Model const& model, Chains& chains, random::Key key, TileRange local, Index first_step, Index steps) {
  auto const with = [&]<class Lengths>(Lengths lengths) {
    HamiltonianScheme<Lengths> const scheme{Real(step_size_), Real(1 / temperature_), options_.leapfrog_steps,
                                            lengths,          options_.random_length, key};
    partita::advance(scheme, model, chains, work_, key, local, first_step, steps);
  };
  if (options_.adapt_mass) with(LengthsByCoordinate{scales_.data()});
  else with(EqualLengths{});
}

void Hmc::adapt_to(Model const&, Chains const& chains, Communicator const& ranks) {
  if (!options_.adapt_mass) return;
  if (auto const places = places_.gather(chains, ranks); places && set_scales(*places, scales_)) places_.forget();
}

void Hmc::describe_state(State& state) {
  AdjustedSampler::describe_state(state);
  if (!options_.adapt_mass) return;
  state.add("sampler/scales", scales_);
  places_.describe_state(state, "sampler/places");
}

}  // namespace partita
