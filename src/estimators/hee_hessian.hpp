// Hessians of -log p of the linear-Gaussian HEE, which are constant (arXiv 2310.08431, supplement, section 2): how fast Langevin dynamics
// relaxes when it generates jointly (x_0:L), infers (x_1:L given x_0) or generates marginally (x_0).
#pragma once
#include "estimators/hee_likelihood.hpp"

namespace partita {

class Fit;

template <class Number>
struct HessianSpectrum {
  Number smallest_eigenvalue, log_determinant;
};
template <class Number>
struct HeeHessians {
  HessianSpectrum<Number> joint, posterior, marginal;
};

HeeHessians<double> hee_hessians(std::vector<Hee::Layer> const&);

struct HessianTrend {
  Index layers;               // L
  std::vector<Index> widths;  // n_0 .. n_L, which differ by at most 1
  HeeHessians<Estimate> hessians;
};
// Failure(usage) for fewer units than layers.
void require_shareable(Index units, Index layers);
// One entry for each L, all with n_0 + .. + n_L = units: means over `repeats` models with random initial parameters.
// The model's own widths are not used. Failure(usage) if the model is not linear-Gaussian or a layer would be empty.
std::vector<HessianTrend> hessian_trend(HeeOptions model, Index units, std::vector<Index> const& layers, Index repeats, random::Key);

// Whether the deck's hee is linear-Gaussian; Hessians of others depend on x, and are refused.
bool require_linear_gaussian(Fit const&);

}  // namespace partita
