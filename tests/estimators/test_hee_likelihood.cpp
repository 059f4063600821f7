#include <gtest/gtest.h>

#include <cmath>

#include "core/require.hpp"
#include "estimators/hee_likelihood.hpp"
#include "hee_reference.hpp"

namespace partita {
namespace {

constexpr double printed = 6e-7;  // docs/theory/hee.md gives six decimals
constexpr double pi = 3.14159265358979323846;

void expect_near(std::vector<double> const& a, std::vector<double> const& b, double tolerance) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); i++) EXPECT_NEAR(a[i], b[i], tolerance) << "entry " << i;
}

void expect_symmetric_near(Matrix const& a, std::vector<double> const& upper, double tolerance) {
  std::size_t k = 0;
  for (Index i = 0; i < a.rows; i++)
    for (Index j = i; j < a.columns; j++, k++) {
      EXPECT_NEAR(a(i, j), upper[k], tolerance) << i << "," << j;
      EXPECT_NEAR(a(j, i), upper[k], tolerance) << j << "," << i;
    }
}

double log_p(std::vector<Hee::Layer> const& layers, std::vector<double> const& x0) {
  return log_density(layer_marginals(layers).front(), x0).front();
}

MultivariateNormal joint_law(std::vector<Hee::Layer> const& layers) {
  MultivariateNormal joint{{}, inverse(joint_precision(layers))};
  for (auto const& law : layer_marginals(layers)) joint.mean.insert(joint.mean.end(), law.mean.begin(), law.mean.end());
  return joint;
}

// log p(x_0:L) as the product of the conditionals that define the model.
double log_chain(std::vector<Hee::Layer> const& layers, std::vector<std::vector<double>> const& x) {
  double sum = 0;
  for (std::size_t l = 0; l < layers.size(); l++) {
    auto eta = layers[l].bias;
    if (l + 1 < layers.size()) {
      auto const drive = layers[l].weight * x[l + 1];
      for (std::size_t i = 0; i < eta.size(); i++) eta[i] += drive[i];
    }
    Matrix const covariance = 0.5 * inverse(layers[l].coupling);
    sum += log_density({covariance * eta, covariance}, x[l]).front();
  }
  return sum;
}

std::vector<double> normals(std::size_t n) {
  std::vector<double> out;
  for (std::size_t i = 0; i < n; i++) out.push_back(standard_normal(int(i)));
  return out;
}

TEST(HeeLikelihood, ReferenceMoments) {
  auto const laws = layer_marginals(reference_layers());
  expect_near(laws[0].mean, {0.18, -0.033125, 0.143625}, 1e-15);
  expect_near(laws[1].mean, {0.1525, -0.015}, 1e-15);
  expect_near(laws[2].mean, {-0.05, 0.25}, 1e-15);
  expect_symmetric_near(laws[0].covariance, {.694375, -.015906, -.139969, .600441, .016672, .601066}, printed);
  expect_symmetric_near(laws[2].covariance, {.5, 0, .5}, 0);
}

TEST(HeeLikelihood, ReferenceLogLikelihood) { EXPECT_NEAR(log_p(reference_layers(), reference_x0), -2.479524313146, 1e-12); }

TEST(HeeLikelihood, ReferencePosterior) {
  auto const law = posterior(reference_layers(), reference_x0);
  expect_near(law.mean, {0.220112, -0.153561, -0.003584, 0.218990}, printed);
  expect_symmetric_near(law.covariance, {.411625, .032611, .144413, .048284, .437447, -.057136, .121489, .463961, .003873, .492121},
                        printed);
}

// d log p(x_0) / d(W, b) of docs/theory/hee.md, by central differences: at step 1e-5 their own error is 1e-10.
TEST(HeeLikelihood, ReferenceGradient) {
  auto layers = reference_layers();
  auto const gradient = [&](std::vector<double>& parameters) {
    std::vector<double> g;
    for (double& v : parameters) {
      double const here = v, step = 1e-5;
      v = here + step;
      double const above = log_p(layers, reference_x0);
      v = here - step;
      g.push_back((above - log_p(layers, reference_x0)) / (2 * step));
      v = here;
    }
    return g;
  };
  expect_near(gradient(layers[0].weight.values), {-.098267, .023715, -.123563, -.145842, .227297, -.138690}, printed);
  expect_near(gradient(layers[1].weight.values), {-.064935, .008240, .034924, -.051646}, printed);
  expect_near(gradient(layers[0].bias), {.451554, -.221592, .407751}, printed);
  expect_near(gradient(layers[1].bias), {.049825, -.119975}, printed);
  expect_near(gradient(layers[2].bias), {.046416, -.031010}, printed);
}

TEST(HeeLikelihood, ReferenceJointDensity) {
  std::vector<double> const x = {.7, -.3, .5, .25, -.4, .6, .1};
  EXPECT_NEAR(log_density(joint_law(reference_layers()), x).front(), -4.903492100473, 1e-12);
  EXPECT_NEAR(log_chain(reference_layers(), {{.7, -.3, .5}, {.25, -.4}, {.6, .1}}), -4.903492100473, 1e-12);
}

TEST(HeeLikelihood, JointPrecisionIsTwiceMtM) {
  auto const layers = reference_layers();
  Matrix m = identity(7);
  for (Index l = 0, row = 0; l < 2; l++) {
    Matrix const& w = layers[l].weight;
    for (Index i = 0; i < w.rows; i++)
      for (Index j = 0; j < w.columns; j++) m(row + i, row + w.rows + j) = -w(i, j) / 2;
    row += w.rows;
  }
  expect_near(joint_precision(layers).values, (2 * transpose(m) * m).values, 1e-15);
  std::vector<double> half_bias;
  for (auto const& layer : layers)
    for (double b : layer.bias) half_bias.push_back(b / 2);
  expect_near(m * joint_law(layers).mean, half_bias, 1e-15);
}

// Marginals, joint precision and posterior are three routes to the same laws; the model's definition is the fourth.
TEST(HeeLikelihood, RoutesAgreeWithAndWithoutLateralConnections) {
  for (auto const& layers : {reference_layers(), lateral_layers()}) {
    auto const joint = joint_law(layers);
    auto const laws = layer_marginals(layers);
    for (Index l = 0, at = 0; l < 3; l++) {
      Matrix const& c = laws[l].covariance;
      for (Index i = 0; i < c.rows; i++)
        for (Index j = 0; j < c.rows; j++) EXPECT_NEAR(joint.covariance(at + i, at + j), c(i, j), 1e-14);
      at += c.rows;
    }
    for (int trial = 0; trial < 3; trial++) {
      auto const z = normals(7 * (std::size_t(trial) + 1));
      std::vector<double> const x(z.end() - 7, z.end()), x0(x.begin(), x.begin() + 3), latent(x.begin() + 3, x.end());
      double const together = log_density(joint, x).front();
      EXPECT_NEAR(together, log_chain(layers, {x0, {x[3], x[4]}, {x[5], x[6]}}), 1e-12);
      EXPECT_NEAR(together - log_p(layers, x0), log_density(posterior(layers, x0), latent).front(), 1e-12);
    }
  }
}

TEST(HeeLikelihood, ManyPoints) {
  auto const law = layer_marginals(reference_layers()).front();
  auto const points = normals(3 * 1100);  // more than are done at once
  auto const all = log_density(law, points);
  ASSERT_EQ(all.size(), 1100u);
  for (std::size_t p : {0u, 511u, 512u, 1099u})
    EXPECT_NEAR(all[p],
                log_density(law, {points.begin() + static_cast<long>(3 * p), points.begin() + static_cast<long>(3 * p + 3)}).front(),
                1e-13);
  double squares = 0;
  auto const mean = mean_log_density(law, points);
  for (double v : all) squares += (v - mean.value) * (v - mean.value);
  EXPECT_NEAR(mean.error, std::sqrt(squares / 1099 / 1100), 1e-15);
  EXPECT_NEAR(mean.value, mean_log_density(law, moments(points, 3)), 1e-12);
  EXPECT_TRUE(std::isnan(mean_log_density(law, reference_x0).error));
  EXPECT_THROW(log_density(law, {1, 2}), Failure);
}

TEST(HeeLikelihood, MomentsOfPoints) {
  auto const m = moments({1, 2, 3, 6, 5, 1}, 2);
  expect_near(m.mean, {3, 3}, 1e-15);
  expect_symmetric_near(m.covariance, {8. / 3, -2. / 3, 14. / 3}, 1e-15);
}

// Population eigenvalues 4, 2, .5, .45, .4 in a random basis.
MultivariateNormal population() {
  Matrix basis(5, 5);
  basis.values = normals(25);
  Matrix const u = symmetric_eigen(basis + transpose(basis)).vectors;
  Matrix values(5, 5);
  for (Index i = 0; i < 5; i++) values(i, i) = std::vector{4., .45, 2., .5, .4}[i];
  return {{.3, -.2, .1, .5, -1}, u * values * transpose(u)};
}

TEST(HeeLikelihood, OptimumOfThePopulation) {
  auto const data = population();
  auto const optimum = likelihood_optimum(data, 2);
  expect_near(eigenvalues(optimum.covariance), {.5, .5, .5, 2, 4}, 1e-14);
  EXPECT_EQ(optimum.mean, data.mean);
  EXPECT_NEAR(mean_log_density(optimum, data), -(5 * std::log(2 * pi) + 4.7) / 2, 1e-13);
  EXPECT_NEAR(mean_log_density(optimum, data), -6.944693, printed);
  // Directions of variance 1/2 and below cannot be learnt, however many latent units there are.
  expect_near(likelihood_optimum(data, 9).covariance.values, optimum.covariance.values, 1e-14);
  expect_near(eigenvalues(likelihood_optimum(data, 1).covariance), {.5, .5, .5, .5, 4}, 1e-14);
}

// The optimum is a HEE-1's, and W moved in any direction is worse; near it by the square of the distance.
TEST(HeeLikelihood, PerturbedWeightsAreWorse) {
  auto const data = population();
  double const best = mean_log_density(likelihood_optimum(data, 2), data);
  auto const [values, vectors] = symmetric_eigen(data.covariance);
  Matrix w(5, 2);
  for (Index k = 0; k < 2; k++)
    for (Index i = 0; i < 5; i++) w(i, k) = vectors(i, 4 - k) * std::sqrt(8 * (values[4 - k] - 0.5));
  auto const likelihood = [&](Matrix const& weight, double bias_shift) {
    std::vector<double> bias = data.mean;
    for (double& b : bias) b = 2 * b + bias_shift;
    return mean_log_density(layer_marginals({{weight, bias, identity(5)}, {Matrix(), {0, 0}, identity(2)}}).front(), data);
  };
  EXPECT_NEAR(likelihood(w, 0), best, 1e-13);
  EXPECT_LT(likelihood(w, 0.01), best - 1e-5);
  auto const noise = normals(200);
  for (std::size_t trial = 0; trial < 20; trial++)
    for (double size : {1., 0.1, 0.01}) {
      Matrix moved = w;
      for (std::size_t i = 0; i < 10; i++) moved.values[i] += size * noise[10 * trial + i];
      EXPECT_LT(likelihood(moved, 0), best) << "trial " << trial << ", size " << size;
      EXPECT_GT(likelihood(moved, 0), best - 20 * size * size) << "trial " << trial << ", size " << size;
    }
}

}  // namespace
}  // namespace partita
