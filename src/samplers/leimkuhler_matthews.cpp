#include "samplers/leimkuhler_matthews.hpp"

#include "core/require.hpp"
#include "samplers/advance.hpp"
#include "samplers/stability.hpp"

namespace partita {

deck::Schema leimkuhler_matthews_schema() {
  using O = LeimkuhlerMatthewsOptions;
  return deck::schema<O>("leimkuhler_matthews", "x <- x - eta dE/dx + sqrt(2 eta T) (xi_n + xi_{n+1}) / 2; exact covariance on Gaussians",
                         {deck::key("step_size", &O::step_size, "step size eta").required().above(0),
                          deck::key("temperature", &O::temperature, "temperature T: samples exp(-E/T)").at_least(0)});
}

void LeimkuhlerMatthews::require_fit(Model const& model) const {
  require_stable(model, step_size_, "leimkuhler_matthews", [](double lambda) { return 2 / lambda; });
}

void LeimkuhlerMatthews::advance(Model const& model, Chains& chains, random::Key key, TileRange local, Index first_step, Index steps) {
  LeimkuhlerMatthewsScheme const scheme{Real(step_size_), Real(0.5 * std::sqrt(2 * step_size_ * options_.temperature))};
  partita::advance(scheme, model, chains, work_, key, local, first_step, steps);
}

}  // namespace partita
