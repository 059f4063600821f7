// Step-size bounds of integrators on Gaussians, where the largest curvature is known.
#pragma once
#include "models/model.hpp"

namespace partita {

// Refuses step_size >= bound(lambda_max) with Failure(usage) when the model is Gaussian; says nothing about other models.
template <class Bound>
void require_stable(Model const& model, double step_size, char const* sampler, Bound const& bound) {
  auto const lambda = model.largest_curvature();
  if (!lambda) return;
  require_all(step_size < bound(*lambda), ExitCode::usage,
              "sampler.step_size = {} is unstable for {} (the largest eigenvalue of the precision is {:.6g}, which needs a step below "
              "{:.6g}); use a smaller step",
              step_size, sampler, *lambda, bound(*lambda));
}

}  // namespace partita
