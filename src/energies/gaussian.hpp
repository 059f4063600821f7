// Gaussian targets, E(x) = (x - mu)' H (x - mu) / 2 with precision H: diagonal, AR(1) or dense.
#pragma once
#include <string>

#include "deck/schema.hpp"
#include "models/model.hpp"

namespace partita {

struct GaussianOptions {
  Index dimension = 2;
  std::vector<double> mean = {0};
  std::string precision = "diagonal";
  std::vector<double> diagonal = {1};
  double correlation = 0.9;
  std::vector<double> matrix = {};
};
deck::Schema gaussian_schema();
std::unique_ptr<DifferentiableModel> make_gaussian(GaussianOptions const&, Arrays = {});

}  // namespace partita
