// The Mueller-Brown surface (Mueller and Brown, Theor. Chim. Acta 53, 75 (1979)), three minima in two dimensions, divided by `temperature`.
#pragma once
#include "deck/schema.hpp"
#include "models/model.hpp"

namespace partita {

struct MuellerBrownOptions {
  double temperature = 10;
};
deck::Schema mueller_brown_schema();
std::unique_ptr<DifferentiableModel> make_mueller_brown(MuellerBrownOptions const&);

}  // namespace partita
