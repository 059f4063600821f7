// Samples of a flow, and chains of its target that take them as proposals.
#include <gtest/gtest.h>

#include <cmath>

#include "../models/flow.hpp"
#include "core/copy.hpp"
#include "energies/double_well.hpp"
#include "energies/gaussian.hpp"
#include "generators/flow_generator.hpp"
#include "samplers/mala.hpp"

namespace partita::test {
namespace {

random::Key const key{5, 6};
constexpr Index chains = 20000;
Tiling const tiling{chains, 256};

// N(0, 1.4^2) for the double well: both wells inside.
Nice wide() {
  Nice flow({.dimension = 1, .latent_dimension = 2, .couplings = 2, .hidden = {3}});
  set_block(flow, "scale", {std::log(1.4), 0});
  return flow;
}
std::unique_ptr<DifferentiableModel> well() { return make_double_well({1}); }

double share_above(TileStorage const& x, double threshold) {
  auto const h = values_on_host(x);
  double count = 0;
  for (Index c = 0; c < chains; c++) count += double(h(c / tiling.width, 0, c % tiling.width)) > threshold ? 1 : 0;
  return count / double(chains);
}

TEST(FlowGenerator, GivesLatentsValuesAndWeights) {
  Nice flow = wide();
  FlowGenerator g(flow, well(), tiling, Communicator::world(), key);
  auto const values = g.samples();
  ASSERT_EQ(g.variables().size(), 2u);
  EXPECT_EQ(g.variables()[1].name, "y");
  auto const x = values_on_host(values[0]);
  auto const energy = values_on_host(g.statistic_values()[0]), weight = values_on_host(g.statistic_values()[1]);
  for (Index l = 0; l < 100; l++) {  // y ~ N(0, 1) under both laws: log w = -U + log 1.4 + z^2 / 2 + log(2 pi) / 2
    double const v = x(3, 0, l), u = v * v * v * v - 4 * v * v + v, z = v / 1.4;
    EXPECT_NEAR(energy(3, l), u, 1e-5 * (1 + std::abs(u)));
    EXPECT_NEAR(weight(3, l), -u + std::log(1.4) + 0.5 * z * z + 0.5 * std::log(2 * M_PI), 1e-5 * (10 + std::abs(u)));
  }
}

TEST(FlowMetropolis, SamplesTheTarget) {
  Nice flow = wide();
  FlowMetropolis g(flow, well(), nullptr, {.steps = 40}, tiling, Communicator::world(), key);
  g.advance(0, 15);
  g.advance(15, 25);
  EXPECT_NEAR(share_above(g.samples()[0], 0.1260002), 0.06648, 4 * std::sqrt(0.06648 * 0.9335 / double(chains)));
  double const acceptance = g.results()[0].value;
  EXPECT_GT(acceptance, 0.2);
  EXPECT_LT(acceptance, 0.5);
}

// A Gaussian N(0, s^2) as proposals for N(0, 1).
FlowMetropolis gaussian_chains(Nice& flow, Index steps) {
  return {flow, make_gaussian({.dimension = 1}), nullptr, {.steps = steps}, tiling, Communicator::world(), key};
}
Nice gaussian_flow(double s) {
  Nice flow({.dimension = 1, .latent_dimension = 2, .couplings = 0, .hidden = {3}});
  set_block(flow, "scale", {std::log(s), 0});
  return flow;
}

// A flow that is its target has equal weights: all proposals are accepted, but for roundings of log w of 1e-6, and the first state is none.
TEST(FlowMetropolis, AcceptsAllProposalsOfThePerfectFlow) {
  Nice flow = gaussian_flow(1);
  FlowMetropolis g = gaussian_chains(flow, 5);
  g.advance(0, 5);
  EXPECT_LE(g.results()[0].value, 1);
  EXPECT_NEAR(g.results()[0].value, 1, 1e-4);
}

// For s > 1 the weight falls with |x|, and of x from the target and y from the flow min(1, w(y) / w(x)) has the mean 2 P(|y| < |x|) =
// 4/pi arctan(1/s). Proposals 21 to 60, when the chains have forgotten their start; neighbouring ones are correlated over fewer than five.
TEST(FlowMetropolis, AcceptanceOfGaussiansHasItsClosedForm) {
  double const s = 1.5, want = 4 / M_PI * std::atan(1 / s);
  Nice flow = gaussian_flow(s);
  auto const accepted = [&](Index steps) {
    FlowMetropolis g = gaussian_chains(flow, steps);
    g.advance(0, steps);
    return g.results()[0].value * double(steps);
  };
  EXPECT_NEAR((accepted(60) - accepted(20)) / 40, want, 4 * std::sqrt(5 * want * (1 - want) / (40. * chains)));
}

TEST(FlowMetropolis, DoesNotDependOnHowItsStepsAreCut) {
  Nice flow = wide();
  auto const run = [&](std::vector<Index> const& cuts) {
    FlowMetropolis g(flow, well(), std::make_unique<Mala>(MalaOptions{.step_size = 0.02}), {.steps = 6, .sampler_steps = 8}, {64, 64},
                     Communicator::world(), key);
    Index at = 0;
    for (Index n : cuts) g.advance(at, n), at += n;
    auto const h = values_on_host(g.samples()[0]);
    return std::vector<Real>(h.data(), h.data() + h.size());
  };
  EXPECT_EQ(run({6, 8}), run({1, 2, 3, 5, 3}));
}

TEST(FlowMetropolis, HandsItsChainsToASampler) {
  Nice flow = wide();
  FlowMetropolis g(flow, well(), std::make_unique<Mala>(MalaOptions{.step_size = 0.02}), {.steps = 30, .sampler_steps = 50}, tiling,
                   Communicator::world(), key);
  EXPECT_EQ(g.steps(), 80);
  EXPECT_EQ(g.next_boundary(0), 30);
  g.advance(0, 30);
  g.advance(30, 50);
  EXPECT_NEAR(share_above(g.samples()[0], 0.1260002), 0.06648, 4 * std::sqrt(0.06648 * 0.9335 / double(chains)));
  EXPECT_GT(g.results().at(1).value, 0.5);
}

}  // namespace
}  // namespace partita::test
