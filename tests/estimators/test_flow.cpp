// Weighted samples of flows: normalisation constants, divergences and probabilities against closed forms, and what coverage sees.
#include <gtest/gtest.h>

#include <cmath>

#include "../models/flow.hpp"
#include "energies/double_well.hpp"
#include "energies/gaussian.hpp"
#include "estimators/flow.hpp"

namespace partita::test {
namespace {

random::Key const key{27, 18};

// x = s z + nothing, y on its own: a Gaussian of one dimension with redundant latents, (x, y) = diag(s, 1) z + a shift by the couplings.
Nice gaussian_flow(double centre, double s) {
  Nice flow({.dimension = 1, .latent_dimension = 2, .couplings = 2, .hidden = {3}});
  set_block(flow, "scale", {std::log(s), 0});
  set_block(flow, "coupling1/layer1/bias", {centre / s});  // the second coupling moves x, the even coordinate
  return flow;
}

TEST(Flow, MeanWeightIsTheNormalisationConstant) {
  // A target wider than the flow would have weights of infinite variance; this one is narrower, in every direction.
  Nice flow =
      make_flow({.dimension = 3, .latent_dimension = 5, .couplings = 2, .hidden = {6}, .scale = "lu", .covariance = "cholesky"}, 0.1);
  auto const target = make_gaussian({.dimension = 3, .diagonal = {2, 1.5, 3}});
  auto const found = importance(draw_flow(flow, *target, 100000, Communicator::world(), key));
  double const exact = 1.5 * std::log(2 * M_PI) - 0.5 * std::log(9.);
  EXPECT_NEAR(found.log_z.value, exact, 4 * found.log_z.error());
  EXPECT_LT(found.log_z.error(), 0.01);
  EXPECT_GT(found.criterion.value, -exact);  // -mean log w >= -log Z
}

TEST(Flow, DivergenceIsThatOfGaussians) {
  // N(0.5, 0.8^2) for N(0, 1), and y ~ N(0, 1) for N(0, 1): KL = (0.64 + 0.25 - 1) / 2 - log 0.8, ESS/N = 1 / mean w^2.
  Nice flow = gaussian_flow(0.5, 0.8);
  auto const target = make_gaussian({.dimension = 1});
  auto const samples = draw_flow(flow, *target, 100000, Communicator::world(), key);
  auto const found = importance(samples);
  double const log_z = 0.5 * std::log(2 * M_PI), kl = 0.5 * (0.64 + 0.25 - 1) - std::log(0.8);
  EXPECT_NEAR(found.criterion.value + log_z, kl, 4 * found.criterion.error);
  EXPECT_NEAR(found.log_z.value, log_z, 5 * found.log_z.error());
  auto const right = probability(samples, [](float const* x) { return x[0] > 0.5f; });
  EXPECT_NEAR(right.direct.value, 0.5, 4 * right.direct.error);
  EXPECT_NEAR(right.direct.error, 0.5 / std::sqrt(1e5), 1e-5);
  EXPECT_NEAR(right.weighted.value, 0.5 * std::erfc(0.5 / std::sqrt(2.)), 4 * right.weighted.error);
}

// The error of a weighted probability is that of its spread over seeds: z-scores of 100 of them have a mean square of 1, with standard
// deviation sqrt(2 / 100). A flow wider than its target, whose weights are bounded.
TEST(Flow, ErrorOfAWeightedProbabilityIsItsSpread) {
  constexpr int seeds = 100;
  Nice flow = gaussian_flow(0.5, 1.3);
  auto const target = make_gaussian({.dimension = 1});
  double const exact = 0.5 * std::erfc(0.8 / std::sqrt(2.));
  double squares = 0;
  for (int seed = 0; seed < seeds; seed++) {
    auto const found =
        probability(draw_flow(flow, *target, 1000, Communicator::world(), random::make_key(std::uint64_t(seed))), [](float const* x) {
          return x[0] > 0.8f;
        }).weighted;
    squares += (found.value - exact) * (found.value - exact) / (found.error * found.error) / seeds;
  }
  EXPECT_NEAR(squares, 1, 4 * std::sqrt(2. / seeds));
}

TEST(Flow, PerfectFlowHasEqualWeights) {
  Nice flow = gaussian_flow(0, 1);
  auto const target = make_gaussian({.dimension = 1});
  auto const found = importance(draw_flow(flow, *target, 1000, Communicator::world(), key));
  EXPECT_NEAR(found.log_z.effective / 1000, 1, 1e-6);
  EXPECT_NEAR(found.criterion.value, -0.5 * std::log(2 * M_PI), 1e-6);
}

TEST(Quadrature, FindsTheDoubleWell) {
  auto const law = quadrature(
      [](std::vector<double> const& points) {
        std::vector<double> u;
        for (double x : points) u.push_back(x * x * x * x - 4 * x * x + x);
        return u;
      },
      -4, 4, 100);
  EXPECT_NEAR(law.log_z, 5.0322840086, 1e-9);
  double left = 0;
  for (std::size_t k = 0; k < 50; k++) left += law.masses[k];
  EXPECT_NEAR(left, 0.9323, 1e-3);  // P(x < 0)
}

// The collapse that the divergence hardly sees: a flow in the left well alone (of deviation .24) has weights as equal as its shape allows.
// Among 2,000 samples few come near the barrier; among 1e5 the rarest, five deviations out, may weigh as much as thousands of others.
TEST(Coverage, SeesAWellThatTheWeightsCannot) {
  Nice flow = gaussian_flow(-1.44, 0.34);
  auto const target = make_double_well({1});
  auto const weights = importance(draw_flow(flow, *target, 2000, Communicator::world(), key));
  EXPECT_GT(weights.log_z.effective / 2000, 0.8);
  EXPECT_LT(weights.log_z.value, 5.032284 - 4 * weights.log_z.error());  // log 0.93 = -.07 is missing, 8 standard errors
  auto const samples = draw_flow(flow, *target, 100000, Communicator::world(), key);
  auto const law = quadrature(
      [](auto const& points) {
        auto u = points;
        for (double& x : u) x = x * x * x * x - 4 * x * x + x;
        return u;
      },
      -3, 3, 60);
  auto const found = masses(samples, 60, [](float const* x) { return Index(std::floor((x[0] + 3) * 10)); });
  EXPECT_NEAR(covered(law.masses, found.weighted, 100000), 0.935, 0.01);
  Nice wide = gaussian_flow(0, 1.3);
  auto const all = masses(draw_flow(wide, *target, 100000, Communicator::world(), key), 60,
                          [](float const* x) { return x[0] < -3 || x[0] >= 3 ? Index{-1} : Index(std::floor((x[0] + 3) * 10)); });
  EXPECT_EQ(covered(law.masses, all.weighted, 100000), 1);
  // With 20 samples no cell is expected to hold ten: nothing is seen, and nothing is said.
  EXPECT_TRUE(std::isnan(covered(law.masses, all.weighted, 20)));
}

// Two coordinates that each have the right law, and not together: a pair of them tells.
TEST(Coverage, ComparesPairsOfCoordinatesWithAReference) {
  Nice free({.dimension = 3, .couplings = 0}), tied({.dimension = 3, .couplings = 0, .scale = "dense"});
  set_block(tied, "scale", {1, 0, 0, 0, 1, 0, 0, 0.995, 0.1});
  auto const target = make_gaussian({.dimension = 3});
  auto const drawn = [&](Nice& flow, random::Key k) {
    auto samples = draw_flow(flow, *target, 20000, Communicator::world(), k);
    std::fill(samples.log_weight.begin(), samples.log_weight.end(), 0.);
    return samples;
  };
  auto const reference = drawn(free, {1, 1}).samples;
  std::vector<double> const mine(reference.x.begin(), reference.x.end()), points = reference.ranks.all_gather(mine);
  EXPECT_GT(coverage(drawn(free, key), points, 3, 10).covered, 0.999);
  auto const worst = coverage(drawn(tied, key), points, 3, 10);
  EXPECT_LT(worst.covered, 0.8);
  EXPECT_EQ(worst.first, 1);
  EXPECT_EQ(worst.second, 2);
  EXPECT_GT(coverage(drawn(tied, key), points, 2, 10).covered, 0.999);
}

}  // namespace
}  // namespace partita::test
