#include <gtest/gtest.h>

#include <cmath>

#include "core/require.hpp"
#include "estimators/hee_hessian.hpp"
#include "hee_reference.hpp"

namespace partita {
namespace {

constexpr double rounding = 1e-12;  // of eigenvalues of order one and of log-determinants of up to a hundred

std::vector<Hee::Layer> random_layers(std::vector<Index> const& widths, double scale, std::uint64_t seed) {
  HeeOptions options;
  options.widths = widths;
  options.initial_scale = scale;
  return Hee(options, random::make_key(seed)).host_layers();
}

double largest_singular_value(Matrix const& w) { return std::sqrt(largest_eigenvalue(transpose(w) * w)); }

TEST(HeeHessian, ReferenceModel) {
  auto const h = hee_hessians(reference_layers());
  EXPECT_NEAR(h.joint.log_determinant, 7 * std::log(2.), 1e-14);
  // From the covariances printed in docs/theory/hee.md, whose six decimals leave errors of a few 1e-6 in their inverses.
  Matrix const covariance = matrix(3, 3, {.694375, -.015906, -.139969, -.015906, .600441, .016672, -.139969, .016672, .601066});
  EXPECT_NEAR(h.marginal.smallest_eigenvalue, 1 / largest_eigenvalue(covariance), 5e-6);
  EXPECT_NEAR(h.marginal.log_determinant, -log_determinant(covariance), 5e-6);
  Matrix const latent = matrix(4, 4,
                               {.411625, .032611, .144413, .048284, .032611, .437447, -.057136, .121489,  //
                                .144413, -.057136, .463961, .003873, .048284, .121489, .003873, .492121});
  EXPECT_NEAR(h.posterior.smallest_eigenvalue, 1 / largest_eigenvalue(latent), 5e-6);
  EXPECT_NEAR(h.posterior.log_determinant, -log_determinant(latent), 1e-5);
}

// Two units: H = [[2, -w], [-w, 2 + w^2/2]] by hand.
TEST(HeeHessian, OneUnitALayer) {
  for (double w : {0., 0.7, -3.}) {
    auto const h = hee_hessians({{matrix(1, 1, {w}), {0.3}, identity(1)}, {Matrix(), {0.1}, identity(1)}});
    EXPECT_NEAR(h.joint.smallest_eigenvalue, 2 + w * w / 4 - std::abs(w) * std::sqrt(1 + w * w / 16), 1e-14);
    EXPECT_NEAR(h.joint.log_determinant, std::log(4.), 1e-14);
    EXPECT_NEAR(h.posterior.smallest_eigenvalue, 2 + w * w / 2, 1e-14);
    EXPECT_NEAR(h.marginal.smallest_eigenvalue, 2 / (1 + w * w / 4), 1e-14);
  }
}

TEST(HeeHessian, Inequalities) {
  for (std::uint64_t seed = 0; seed < 5; seed++)
    for (double scale : {0.3, 1., 2.})
      for (auto const& widths : {std::vector<Index>{30, 30}, {20, 15, 10, 5}, {5, 10, 20}, {8, 8, 8, 8, 8, 8}}) {
        auto const layers = random_layers(widths, scale, seed);
        auto const h = hee_hessians(layers);
        double largest = 0, units = 0;
        for (Index n : widths) units += double(n);
        for (std::size_t l = 0; l + 1 < layers.size(); l++) largest = std::max(largest, largest_singular_value(layers[l].weight) / 2);
        EXPECT_NEAR(h.joint.log_determinant, units * std::log(2.), 100 * rounding);
        EXPECT_GE(std::sqrt(h.joint.smallest_eigenvalue / 2), 1 - largest - rounding);       // sigma_min(I + D)
        EXPECT_GE(h.posterior.smallest_eigenvalue, h.joint.smallest_eigenvalue - rounding);  // interlacing
        EXPECT_GE(h.marginal.smallest_eigenvalue, h.joint.smallest_eigenvalue - rounding);
        EXPECT_NEAR(h.joint.log_determinant, h.posterior.log_determinant + h.marginal.log_determinant, 100 * rounding);  // Schur
      }
}

TEST(HeeHessian, LateralConnections) {
  auto const layers = lateral_layers();
  double log_determinant_of_couplings = 0;
  for (auto const& layer : layers) log_determinant_of_couplings += log_determinant(layer.coupling);
  auto const h = hee_hessians(layers);
  EXPECT_NEAR(h.joint.log_determinant, 7 * std::log(2.) + log_determinant_of_couplings, rounding);
  EXPECT_NEAR(h.joint.log_determinant, h.posterior.log_determinant + h.marginal.log_determinant, rounding);
}

TEST(HeeHessian, TrendSharesTheUnits) {
  auto const trend = hessian_trend({}, 50, {1, 2, 6}, 4, {1, 2});
  ASSERT_EQ(trend.size(), 3u);
  EXPECT_EQ(trend[0].widths, (std::vector<Index>{25, 25}));
  EXPECT_EQ(trend[1].widths, (std::vector<Index>{17, 17, 16}));
  EXPECT_EQ(trend[2].widths, (std::vector<Index>{8, 7, 7, 7, 7, 7, 7}));
  for (auto const& t : trend) {
    EXPECT_NEAR(t.hessians.joint.log_determinant.value, 50 * std::log(2.), 1e-11);
    EXPECT_GT(t.hessians.marginal.smallest_eigenvalue.error, 0);
    EXPECT_GT(t.hessians.marginal.smallest_eigenvalue.value, t.hessians.joint.smallest_eigenvalue.value);
  }
  // Each number of layers has draws of its own, whatever else is asked for.
  EXPECT_EQ(hessian_trend({}, 50, {6}, 4, {1, 2})[0].hessians.posterior.smallest_eigenvalue.value,
            trend[2].hessians.posterior.smallest_eigenvalue.value);
  EXPECT_NE(hessian_trend({}, 50, {6}, 4, {2, 2})[0].hessians.posterior.smallest_eigenvalue.value,
            trend[2].hessians.posterior.smallest_eigenvalue.value);
}

// One unit a layer, w ~ N(0, scale^2): E[2 / (1 + w^2/4)] by the trapezoidal rule.
TEST(HeeHessian, TrendAveragesOverTheWeights) {
  HeeOptions model;
  model.initial_scale = 1.5;
  auto const found = hessian_trend(model, 2, {1}, 2000, {3, 4})[0].hessians.marginal.smallest_eigenvalue;
  double sum = 0, weight = 0;
  for (double z = -8; z <= 8; z += 0.01) {
    double const density = std::exp(-z * z / 2);
    weight += density;
    sum += density * 2 / (1 + 1.5 * 1.5 * z * z / 4);
  }
  EXPECT_NEAR(found.value, sum / weight, 4 * found.error);
  EXPECT_LT(found.error, 0.02);
}

TEST(HeeHessian, RefusesWhatHasNoConstantHessian) {
  HeeOptions model;
  model.f = "tanh";
  EXPECT_THROW(hessian_trend(model, 10, {1}, 1, {}), Failure);
  EXPECT_THROW(hessian_trend({}, 10, {10}, 1, {}), Failure);
  EXPECT_THROW(hessian_trend({}, 10, {0}, 1, {}), Failure);
}

}  // namespace
}  // namespace partita
