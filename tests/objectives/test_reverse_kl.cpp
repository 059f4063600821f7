// The reverse KL divergence of a flow: its gradient, its value where there is a closed form, and what it may depend on.
#include <gtest/gtest.h>

#include <cmath>

#include "../models/flow.hpp"
#include "../optimizers/copy_state.hpp"
#include "core/require.hpp"
#include "energies/double_well.hpp"
#include "energies/gaussian.hpp"
#include "objectives/reverse_kl.hpp"
#include "optimizers/adam.hpp"
#include "optimizers/optimizer.hpp"

namespace partita::test {
namespace {

random::Key const key{3, 14};
NiceOptions const small{.dimension = 2, .latent_dimension = 4, .couplings = 3, .hidden = {8}, .scale = "lu", .covariance = "cholesky"};

ReverseKl objective(Nice& flow, Index batch, Index width, ReverseKlOptions const& o = {}, Summation summation = Summation::reproducible) {
  return {flow, make_double_well({flow.dimension()}), o, {batch, width}, 100, Communicator::world(), summation, key};
}

TEST(ReverseKl, BetaRisesOverItsShareOfTheUpdates) {
  Nice flow = make_flow(small);
  auto const o = objective(flow, 16, 16, {.beta_start = 0.2, .annealed_fraction = 0.5});
  EXPECT_DOUBLE_EQ(o.beta(0), 0.2);
  EXPECT_DOUBLE_EQ(o.beta(25), 0.6);
  EXPECT_DOUBLE_EQ(o.beta(50), 1);
  EXPECT_DOUBLE_EQ(o.beta(99), 1);
  EXPECT_DOUBLE_EQ(objective(flow, 16, 16, {.beta_start = 0.2, .annealed_fraction = 0}).beta(0), 1);
}

// J_beta = mean beta U - log N(y | x) - log|det S|, which is the reported criterion + (beta - 1) mean U up to a constant; by fourth-order
// central differences over the same latents (their error: tests/models/test_mlp_energy.cpp).
TEST(ReverseKl, GradientIsThatOfTheAnnealedCriterion) {
  constexpr bool in_double = sizeof(Real) == 8;
  Timers timers;
  Nice flow = make_flow(small);
  auto o = objective(flow, 40, 16, {.beta_start = 0.2, .annealed_fraction = 0.5});
  for (Index update : {0, 30, 60}) {
    double const beta = o.beta(update);
    auto const gradient = host(o.gradient(update, timers)), theta = host(flow.parameters());
    double largest = 1;
    for (double g : gradient) largest = std::max(largest, std::abs(g));
    for (std::size_t k = 0; k < theta.size(); k += in_double ? 3 : 17) {
      auto const loss = [&](double moved) {
        auto at = theta;
        at[k] += moved;
        set(flow.parameters(), at);
        flow.parameters_changed();
        o.gradient(update, timers);
        auto const reported = o.report(update + 1);
        return reported[0] + (beta - 1) * reported[1];
      };
      double const h = in_double ? 1e-3 : 3e-2;
      auto const central = [&](double s) { return (loss(s) - loss(-s)) / (2 * s); };
      EXPECT_NEAR(gradient[k], (4 * central(h) - central(2 * h)) / 3, (in_double ? 1e-7 : 2e-2) * largest)
          << "parameter " << k << ", beta " << beta;
    }
    set(flow.parameters(), theta);
    flow.parameters_changed();
  }
}

// At constant beta nothing but the latents differs between two updates.
TEST(ReverseKl, EachUpdateHasLatentsOfItsOwn) {
  Timers timers;
  Nice flow = make_flow(small);
  auto o = objective(flow, 32, 16, {.beta_start = 1});
  auto const first = host(o.gradient(0, timers)), second = host(o.gradient(1, timers));
  EXPECT_NE(first, second);
  EXPECT_EQ(first, host(o.gradient(0, timers)));
}

// All batches are the first of a larger one, so that a mean over 40 latents, on tiles with lanes that do not count, is known.
TEST(ReverseKl, IsTheMeanOverTheBatchAlone) {
  Timers timers;
  Nice flow = make_flow(small);
  auto whole = objective(flow, 40, 16), one = objective(flow, 40, 48);
  auto const a = host(whole.gradient(7, timers)), b = host(one.gradient(7, timers));
  double largest = 0;
  for (double g : b) largest = std::max(largest, std::abs(g));
  for (std::size_t i = 0; i < a.size(); i++) ASSERT_NEAR(a[i], b[i], 100 * std::numeric_limits<Real>::epsilon() * largest);
  auto const ra = whole.report(8), rb = one.report(8);
  for (std::size_t k = 0; k < ra.size(); k++) EXPECT_NEAR(ra[k], rb[k], 1e-5 * (1 + std::abs(ra[k])));
}

TEST(ReverseKl, FastSumsAreReproducibleOnes) {
  Timers timers;
  Nice flow = make_flow(small);
  auto fast = objective(flow, 96, 16, {}, Summation::fast), reproducible = objective(flow, 96, 16);
  auto const a = host(fast.gradient(3, timers)), b = host(reproducible.gradient(3, timers));
  double largest = 0;
  for (double g : b) largest = std::max(largest, std::abs(g));
  for (std::size_t i = 0; i < a.size(); i++) ASSERT_NEAR(a[i], b[i], 100 * std::numeric_limits<Real>::epsilon() * largest);
}

// Updates depend on the parameters and their number alone: an objective has no state.
TEST(ReverseKl, StartsAnywhere) {
  Timers timers;
  Nice flow = make_flow(small);
  auto first = objective(flow, 32, 16);
  first.gradient(0, timers), first.gradient(1, timers);
  auto const a = host(first.gradient(2, timers));
  auto second = objective(flow, 32, 16);
  copy_state(first, second);
  EXPECT_EQ(a, host(second.gradient(2, timers)));
}

// x = S z without couplings and P(y | x) = N(0, sigma^2) for U = x^2 / 2: everything is Gaussian, and with T = diag(1, sigma^2)
// KL = (tr T^-1 S S' - D + log det T - log det S S') / 2; criterion = KL - log C.
TEST(ReverseKl, CriterionHasTheClosedFormOfGaussians) {
  Timers timers;
  Nice flow({.dimension = 1, .latent_dimension = 2, .couplings = 0, .hidden = {3}, .scale = "dense"});
  set_block(flow, "scale", {1.3, 0.4, -0.2, 0.8});
  set_block(flow, "conditional/layer1/bias", {0, -std::log(0.7)});  // M = 0; A = 1 / sigma
  Index const batch = 65536;
  ReverseKl o(flow, make_gaussian({.dimension = 1}), {.beta_start = 1}, {batch, 256}, 10, Communicator::world(), Summation::fast, key);
  o.gradient(0, timers);
  double const xx = 1.3 * 1.3 + 0.4 * 0.4, yy = 0.2 * 0.2 + 0.8 * 0.8, determinant = 1.3 * 0.8 + 0.4 * 0.2;
  double const kl = 0.5 * (xx + yy / 0.49 - 2 + std::log(0.49)) - std::log(determinant);
  // Of one sample log w is a quadratic form in z with variance below 2.
  EXPECT_NEAR(o.report(1)[0], kl - 0.5 * std::log(2 * M_PI), 4 * std::sqrt(2. / double(batch)));
  EXPECT_NEAR(o.report(1)[1], 0.5 * xx, 4 * xx / std::sqrt(2. * double(batch)));
}

// Trained on a Gaussian target from a wrong start, it becomes that target.
TEST(ReverseKl, LearnsAGaussian) {
  Timers timers;
  Nice flow({.dimension = 2, .couplings = 0, .scale = "dense"});
  set_block(flow, "scale", {2, 0.5, 0, 0.7});
  ReverseKl o(flow, make_gaussian({.dimension = 2, .diagonal = {4, 0.25}}), {.beta_start = 1}, {1024, 256}, 600, Communicator::world(),
              Summation::fast, key);
  Adam adam({}, extent(flow.parameters(), 0));
  OptimizerOptions const schedule{.learning_rate = 0.03, .schedule = "cosine"};
  for (Index update = 0; update < 600; update++) {
    adam.update(flow.parameters(), o.gradient(update, timers), scheduled_rate(schedule, update, 600));
    flow.parameters_changed();
  }
  // KL is quadratic about its minimum 0, and the rate falls to nothing: what is left is far below the noise of one batch's gradient.
  EXPECT_NEAR(o.report(600)[0], -0.5 * std::log(4 * M_PI * M_PI), 1e-3);
}

TEST(ReverseKl, SaysWhereItDiverged) {
  Timers timers;
  Nice flow({.dimension = 2, .couplings = 0, .scale = "dense"});
  set_block(flow, "scale", {1, 1, 1, 1});
  auto o = objective(flow, 16, 16);
  o.gradient(5, timers);
  EXPECT_THROW(o.report(6), Failure);
}

}  // namespace
}  // namespace partita::test
