#include "estimators/hee_likelihood.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/require.hpp"

namespace partita {
namespace {

constexpr Index points_at_once = 512;

void add_block(Matrix& to, Index row, Index column, Matrix const& block) {
  for (Index i = 0; i < block.rows; i++)
    for (Index j = 0; j < block.columns; j++) to(row + i, column + j) += block(i, j);
}

Matrix lower_right(Matrix const& from, Index first) {
  Matrix block(from.rows - first, from.columns - first);
  for (Index i = 0; i < block.rows; i++)
    for (Index j = 0; j < block.columns; j++) block(i, j) = from(first + i, first + j);
  return block;
}

std::vector<double> sum(std::vector<double> a, std::vector<double> const& b, double factor = 1) {
  for (std::size_t i = 0; i < a.size(); i++) a[i] += factor * b[i];
  return a;
}

Index points_of(std::vector<double> const& points, Index dimension) {
  auto const size = std::ssize(points);
  require(size > 0 && size % dimension == 0, ExitCode::internal, "{} numbers are not points in {} dimensions", size, dimension);
  return size / dimension;
}

// Calls visit(x - centre) for all points in turn, as columns of matrices (dimension, some points).
template <class Visit>
void for_centred_blocks(std::vector<double> const& points, std::vector<double> const& centre, Visit const& visit) {
  auto const d = std::ssize(centre), n = points_of(points, d);
  for (Index first = 0; first < n; first += points_at_once) {
    Matrix block(d, std::min(points_at_once, n - first));
    for (Index p = 0; p < block.columns; p++)
      for (Index i = 0; i < d; i++) block(i, p) = points[(first + p) * d + i] - centre[i];
    visit(block);
  }
}

double log_normalisation(MultivariateNormal const& law, double log_determinant_of_covariance) {
  return 0.5 * (double(law.mean.size()) * std::log(2 * std::numbers::pi) + log_determinant_of_covariance);
}

}  // namespace

std::vector<Index> widths_of(Hee const& model) {
  std::vector<Index> widths;
  for (Index l = 0; l <= model.layers(); l++) widths.push_back(model.width(l));
  return widths;
}

void list_host_layers(Arrays arrays, std::vector<Index> const& widths) {
  Index numbers = 0;
  for (std::size_t l = 0; l < widths.size(); l++) numbers += widths[l] * (widths[l] + (l + 1 < widths.size() ? widths[l + 1] : 0));
  arrays.count<double>("couplings and weights of layers", numbers);
}

std::vector<MultivariateNormal> layer_marginals(std::vector<Hee::Layer> const& layers) {
  std::vector<MultivariateNormal> laws(layers.size());
  for (std::size_t l = layers.size(); l-- > 0;) {
    Matrix const noise = 0.5 * inverse(layers[l].coupling);
    if (l + 1 == layers.size()) {
      laws[l] = {noise * layers[l].bias, noise};
    } else {
      auto const& above = laws[l + 1];
      Matrix const gain = noise * layers[l].weight;
      laws[l] = {sum(gain * above.mean, noise * layers[l].bias), noise + gain * above.covariance * transpose(gain)};
    }
  }
  return laws;
}

Matrix joint_precision(std::vector<Hee::Layer> const& layers) {
  Index units = 0;
  for (auto const& layer : layers) units += layer.coupling.rows;
  Matrix h(units, units);
  for (Index l = 0, at = 0; l < std::ssize(layers); l++) {
    Matrix const &weight = layers[l].weight, &coupling = layers[l].coupling;
    Index const next = at + coupling.rows;
    add_block(h, at, at, 2 * coupling);
    if (l + 1 < std::ssize(layers)) {
      add_block(h, at, next, -1 * weight);
      add_block(h, next, at, -1 * transpose(weight));
      add_block(h, next, next, 0.5 * (transpose(weight) * solve(coupling, weight)));
    }
    at = next;
  }
  return h;
}

Matrix posterior_precision(std::vector<Hee::Layer> const& layers) {
  return lower_right(joint_precision(layers), layers.front().coupling.rows);
}

MultivariateNormal posterior(std::vector<Hee::Layer> const& layers, std::vector<double> const& x0) {
  auto const laws = layer_marginals(layers);
  std::vector<double> mean;
  for (std::size_t l = 1; l < laws.size(); l++) mean.insert(mean.end(), laws[l].mean.begin(), laws[l].mean.end());
  // In the precision's rows for x_1:L, the columns of x_0 are -W_0' for x_1 and zero for the others.
  std::vector<double> pull = transpose(layers.front().weight) * sum(x0, laws.front().mean, -1);
  pull.resize(mean.size());
  Matrix const covariance = inverse(posterior_precision(layers));
  return {sum(mean, covariance * pull), covariance};
}

std::vector<double> log_density(MultivariateNormal const& law, std::vector<double> const& points) {
  Matrix const factor = cholesky(law.covariance);
  double log_determinant_of_factor = 0;
  for (Index i = 0; i < factor.rows; i++) log_determinant_of_factor += std::log(factor(i, i));
  std::vector<double> out;
  for_centred_blocks(points, law.mean, [&](Matrix const& x) {
    Matrix const whitened = solve_lower(factor, x);
    std::size_t const first = out.size();
    out.resize(first + std::size_t(x.columns), -log_normalisation(law, 2 * log_determinant_of_factor));
    for (Index i = 0; i < x.rows; i++)
      for (Index p = 0; p < x.columns; p++) out[first + std::size_t(p)] -= 0.5 * whitened(i, p) * whitened(i, p);
  });
  return out;
}

Estimate mean_log_density(MultivariateNormal const& law, std::vector<double> const& points) {
  return mean_and_error(log_density(law, points));
}

double mean_log_density(MultivariateNormal const& law, MultivariateNormal const& points) {
  std::vector<double> const shift = sum(points.mean, law.mean, -1);
  Matrix second = points.covariance;  // becomes the second moment about the mean of the distribution
  for (Index i = 0; i < second.rows; i++)
    for (Index j = 0; j < second.columns; j++) second(i, j) += shift[i] * shift[j];
  Matrix const whitened = solve(law.covariance, second);
  double trace = 0;
  for (Index i = 0; i < whitened.rows; i++) trace += whitened(i, i);
  return -log_normalisation(law, log_determinant(law.covariance)) - 0.5 * trace;
}

MultivariateNormal moments(std::vector<double> const& points, Index dimension) {
  auto const n = double(points_of(points, dimension));
  MultivariateNormal m{std::vector<double>(dimension), Matrix(dimension, dimension)};
  for (std::size_t i = 0; i < points.size(); i++) m.mean[i % m.mean.size()] += points[i] / n;
  for_centred_blocks(points, m.mean, [&](Matrix const& x) { m.covariance = m.covariance + 1 / n * x * transpose(x); });
  return m;
}

MultivariateNormal likelihood_optimum(MultivariateNormal const& data, Index rank) {
  auto const [values, vectors] = symmetric_eigen(data.covariance);
  Index const d = vectors.rows;
  Matrix scaled(d, std::min(rank, d));  // U (Lambda - I/2)_+^1/2
  for (Index k = 0; k < scaled.columns; k++)
    for (Index i = 0; i < d; i++) scaled(i, k) = vectors(i, d - 1 - k) * std::sqrt(std::max(values[d - 1 - k] - 0.5, 0.));
  return {data.mean, 0.5 * identity(d) + scaled * transpose(scaled)};
}

}  // namespace partita
