#include "samplers/sampler.hpp"

#include <cmath>

namespace partita {

std::optional<Matrix> Sampler::stationary_covariance(Matrix const& precision) const { return scaled(inverse(precision), temperature_); }

void Sampler::describe_state(State& state) { state.add_scalar("sampler/step_size", step_size_); }

void AdjustedSampler::adapt(double acceptance) {
  if (target_ <= 0) return;
  adaptations_++;
  step_size_ *= std::exp(2 * std::pow(double(adaptations_), -0.6) * (acceptance - target_));
}

void AdjustedSampler::describe_state(State& state) {
  Sampler::describe_state(state);
  state.add_scalar("sampler/adaptations", adaptations_);
}

}  // namespace partita
