#include "models/funnel.hpp"

namespace partita {

deck::Schema funnel_schema() {
  using O = FunnelOptions;
  return deck::schema<O>("funnel", "Neal's funnel, E = v^2 / (2 sigma^2) + (d-1) v / 2 + exp(-v) sum_i x_i^2 / 2 with v = x_0",
                         {deck::key("dimension", &O::dimension, "number of coordinates d, v included").at_least(2),
                          deck::key("sigma", &O::sigma, "standard deviation of v").above(0)});
}

Funnel make_funnel(FunnelOptions const& o) { return {o.dimension, static_cast<Real>(1 / (o.sigma * o.sigma))}; }

}  // namespace partita
