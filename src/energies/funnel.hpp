// Neal's funnel (Neal, Annals of Statistics 31, 705 (2003)): v = x_0 ~ N(0, sigma^2), x_i | v ~ N(0, e^v).
// E = v^2 / (2 sigma^2) + (d-1) v / 2 + e^-v sum_i x_i^2 / 2; log Z = log sigma + d/2 log(2 pi).
#pragma once
#include "deck/schema.hpp"
#include "models/model.hpp"

namespace partita {

struct FunnelOptions {
  Index dimension = 10;
  double sigma = 3;
};
deck::Schema funnel_schema();
std::unique_ptr<DifferentiableModel> make_funnel(FunnelOptions const&);

}  // namespace partita
