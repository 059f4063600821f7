// Exact results for the linear-Gaussian HEE (f and phi the identity, g quadratic or lateral), where all of x_0:L is one Gaussian with
// p(x_l | x_l+1) = N(Q_l^-1 (W_l x_l+1 + b_l)/2, Q_l^-1/2); Q_l = I where g is quadratic. In matrices and vectors over several layers the
// layers follow one another. Formulas: Dong and Wu, arXiv 2310.08431, and Tipping and Bishop (1999) for the optimum.
#pragma once
#include <vector>

#include "estimators/sample_set.hpp"
#include "models/hee.hpp"

namespace partita {

struct MultivariateNormal {
  std::vector<double> mean;
  Matrix covariance;
};

std::vector<Index> widths_of(Hee const&);  // n_0 .. n_L
// Lists the host_layers() of an hee of these widths.
void list_host_layers(Arrays, std::vector<Index> const& widths);

// Marginal of each layer, x_0 first: Cov(x_l) = Q^-1/2 + G Cov(x_l+1) G' with G = Q^-1 W_l/2. O(n_l^3) operations per layer.
std::vector<MultivariateNormal> layer_marginals(std::vector<Hee::Layer> const&);

// Precision of x_0:L, the Hessian of -log p: 2 Q_l + W_l-1' Q_l-1^-1 W_l-1 / 2 on the diagonal, -W_l above it; 2 M'M where g is quadratic.
Matrix joint_precision(std::vector<Hee::Layer> const&);
// Precision of x_1:L given x_0: the block of the joint precision without x_0.
Matrix posterior_precision(std::vector<Hee::Layer> const&);
// p(x_1:L | x_0).
MultivariateNormal posterior(std::vector<Hee::Layer> const&, std::vector<double> const& x0);

// log p in nats of each point, (point, dimension) row-major, and its mean over them.
std::vector<double> log_density(MultivariateNormal const&, std::vector<double> const& points);
Estimate mean_log_density(MultivariateNormal const&, std::vector<double> const& points);
// The same mean over any set of points with the given mean and covariance (of all of them: sums divided by their number).
double mean_log_density(MultivariateNormal const&, MultivariateNormal const& points);

// Mean and covariance of points (point, dimension); sums divided by their number.
MultivariateNormal moments(std::vector<double> const& points, Index dimension);
// The maximum-likelihood solution of a Gaussian HEE with n_1 = rank and g quadratic for data with these moments: probabilistic PCA with
// noise 1/2, covariance I/2 + U (Lambda - I/2)_+ U' with the `rank` largest eigenvalues Lambda and their eigenvectors U, for any depth.
MultivariateNormal likelihood_optimum(MultivariateNormal const& data, Index rank);

}  // namespace partita
