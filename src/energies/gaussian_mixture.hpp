// Mixture of isotropic Gaussians of one width, E(x) = -log sum_k w_k exp(-|x - mu_k|^2 / (2 sigma^2)); log Z = d/2 log(2 pi sigma^2).
#pragma once
#include "deck/schema.hpp"
#include "models/model.hpp"

namespace partita {

struct GaussianMixtureOptions {
  Index dimension = 2;
  std::vector<double> means = {4,  0, 2.8284271247461903,  2.8284271247461903,  0, 4,  -2.8284271247461903, 2.8284271247461903,
                               -4, 0, -2.8284271247461903, -2.8284271247461903, 0, -4, 2.8284271247461903,  -2.8284271247461903};
  std::vector<double> weights = {1};
  double sigma = 0.5;
};
deck::Schema gaussian_mixture_schema();
std::unique_ptr<DifferentiableModel> make_gaussian_mixture(GaussianMixtureOptions const&, Arrays = {});

}  // namespace partita
