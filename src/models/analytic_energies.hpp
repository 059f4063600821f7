// Every analytic energy: small functors that kernels copy by value. Two kinds:
//   separable      E(x) = sum_i e_i(x_i): coordinate(i) has energy(x_i) and gradient(x_i);
//   not separable  energy_and_gradient(x, g, energy) on the rows of a strip; sums_in_double: of many terms, which LaneSums adds.
// A new one is a file here and a line in the list below; kernels and samplers are instantiated for all of them.
#pragma once
#include <variant>

#include "models/banana.hpp"
#include "models/double_well.hpp"
#include "models/funnel.hpp"
#include "models/gaussian.hpp"
#include "models/gaussian_mixture.hpp"
#include "models/many_well.hpp"
#include "models/mueller_brown.hpp"
#include "models/phi4.hpp"

namespace partita {

using AnalyticEnergy =
    std::variant<DiagonalGaussian, AutoregressiveGaussian, DoubleWell, ManyWell, GaussianMixture, MuellerBrown, Funnel, Banana, Phi4Chain>;

}  // namespace partita
