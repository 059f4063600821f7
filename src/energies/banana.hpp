// The twisted Gaussian of Haario, Saksman and Tamminen (Comput. Stat. 14, 375 (1999)): x_0 ~ N(0, a^2), x_1 + b x_0^2 - a^2 b ~ N(0, 1).
// Twisting keeps volumes: log Z = log a + log(2 pi), mean 0, variances a^2 and 1 + 2 a^4 b^2.
#pragma once
#include "deck/schema.hpp"
#include "models/model.hpp"

namespace partita {

struct BananaOptions {
  double scale = 2;
  double bend = 0.5;
};
deck::Schema banana_schema();
std::unique_ptr<DifferentiableModel> make_banana(BananaOptions const&);

}  // namespace partita
