#include "samplers/ula.hpp"

#include "core/require.hpp"
#include "samplers/advance.hpp"
#include "samplers/stability.hpp"

namespace partita {

deck::Schema ula_schema() {
  using O = UlaOptions;
  return deck::schema<O>(
      "ula", "unadjusted Langevin, x <- x - eta dE/dx + sqrt(2 eta T) s xi",
      {deck::key("step_size", &O::step_size, "step size eta; papers that write lambda/2 dE/dx have lambda = 2 eta").required().above(0),
       deck::key("temperature", &O::temperature, "temperature T: samples exp(-E/T)").at_least(0),
       deck::key("noise_scale", &O::noise_scale, "factor s of the noise; other than 1, the chain does not sample exp(-E/T)").at_least(0)});
}

void Ula::require_fit(Model const& model) const {
  require_stable(model, step_size_, "ula", [](double lambda) { return 2 / lambda; });
}

void Ula::advance(Model const& model, Chains& chains, random::Key key, TileRange local, Index first_step, Index steps) {
  UlaScheme const scheme{Real(step_size_), Real(std::sqrt(2 * step_size_ * temperature_) * noise_scale_)};
  partita::advance(scheme, model, chains, work_, key, local, first_step, steps);
}

std::optional<Matrix> Ula::stationary_covariance(Matrix const& h) const {
  Matrix m = h * h;
  for (std::size_t i = 0; i < m.values.size(); i++) m.values[i] = h.values[i] - 0.5 * step_size_ * m.values[i];
  return scaled(inverse(m), temperature_ * noise_scale_ * noise_scale_);
}

}  // namespace partita
