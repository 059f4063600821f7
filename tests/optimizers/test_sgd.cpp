#include <gtest/gtest.h>

#include <cmath>

#include "copy_state.hpp"
#include "optimizers/sgd.hpp"
#include "vectors.hpp"

namespace partita {
namespace {

using test::epsilon, test::values_of, test::vector_of;

TEST(Sgd, WithoutMomentumFollowsTheGradient) {
  Sgd sgd({}, 3);
  Vector const theta = vector_of({1, 2, 3});
  sgd.update(theta, vector_of({4, -8, 0}), 0.25);
  sgd.update(theta, vector_of({1, 1, 1}), 0.5);
  EXPECT_EQ(values_of(theta), (std::vector<double>{-0.5, 3.5, 2.5}));
}

TEST(Sgd, MomentumSumsPastGradients) {
  // v = g1, mu g1 + g2, mu^2 g1 + mu g2 + g3, each with its rate.
  double const mu = 0.75, g[] = {1, -2, 0.5}, rate[] = {0.5, 0.25, 1};
  Sgd sgd({.momentum = mu}, 1);
  Vector const theta = vector_of({3});
  for (int k = 0; k < 3; k++) sgd.update(theta, vector_of({g[k]}), rate[k]);
  EXPECT_EQ(values_of(theta)[0], 3 - 0.5 * 1 - 0.25 * (mu - 2) - (mu * mu - 2 * mu + 0.5));  // all exact in binary
}

// v_k = mu_k v_k-1 + g_k, with the initial momentum in updates 0 and 1, and after them the other.
TEST(Sgd, MomentumIsTheInitialOneDuringTheFirstUpdates) {
  double const early = 0.5, late = 0.75;
  Sgd sgd({.momentum = late, .initial_momentum = early, .initial_updates = 2}, 1);
  Vector const theta = vector_of({0});
  double v = 0, want = 0;
  for (int k = 0; k < 5; k++) {
    sgd.update(theta, vector_of({k + 1.}), 0.5);
    v = (k < 2 ? early : late) * v + k + 1;
    want -= 0.5 * v;
    EXPECT_EQ(values_of(theta)[0], want) << k;  // all exact in binary
  }
}

TEST(Sgd, ConstantGradientReachesTheTerminalVelocity) {
  double const mu = 0.9;
  Sgd sgd({.momentum = mu}, 1);
  Vector const theta = vector_of({0}), gradient = vector_of({1});
  double before = 0;
  for (int k = 0; k < 400; k++) {
    before = values_of(theta)[0];
    sgd.update(theta, gradient, 1e-3);
  }
  // theta is near 4: one step of 1e-2 is known to a rounding of theta.
  EXPECT_NEAR(before - values_of(theta)[0], 1e-3 / (1 - mu), 8 * epsilon);
}

TEST(Sgd, StateContinuesWithTheSameBits) {
  SgdOptions const options{.momentum = 0.9};
  Sgd first(options, 2), second(options, 2);
  Vector const a = vector_of({1, 2}), gradient = vector_of({0.3, -0.7});
  first.update(a, gradient, 0.1);
  Vector const b = vector_of(values_of(a));
  test::copy_state(first, second);
  first.update(a, gradient, 0.1);
  second.update(b, gradient, 0.1);
  EXPECT_EQ(values_of(a), values_of(b));
}

}  // namespace
}  // namespace partita
