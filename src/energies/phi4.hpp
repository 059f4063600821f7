// The phi^4 (Allen-Cahn) chain on [0, 1] with phi = 0 at both ends, d interior sites, spacing h = 1/(d+1), in the form of
// Gabrie, Rotskoff, Vanden-Eijnden, PNAS 119 e2109420119 (2022): E = beta sum_i a/(2h) (phi_i - phi_{i-1})^2 + beta h/(4a) sum_i (1 -
// phi_i^2)^2.
#pragma once
#include "deck/schema.hpp"
#include "models/model.hpp"

namespace partita {

struct Phi4Options {
  Index dimension = 64;
  double beta = 20;
  double stiffness = 0.1;
};
deck::Schema phi4_schema();
std::unique_ptr<DifferentiableModel> make_phi4(Phi4Options const&);

}  // namespace partita
