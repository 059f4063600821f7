#include <gtest/gtest.h>

#include <cmath>

#include "copy_state.hpp"
#include "optimizers/adam.hpp"
#include "vectors.hpp"

namespace partita {
namespace {

using test::epsilon, test::values_of, test::vector_of;

// Algorithm 1 of Kingma and Ba with algorithm 2 of Loshchilov and Hutter, in double.
struct ByHand {
  AdamOptions o;
  double theta, m = 0, v = 0;
  int t = 0;
  void update(double g, double rate) {
    t++;
    m = o.beta1 * m + (1 - o.beta1) * g;
    v = o.beta2 * v + (1 - o.beta2) * g * g;
    double const m_hat = m / (1 - std::pow(o.beta1, t)), v_hat = v / (1 - std::pow(o.beta2, t));
    theta -= rate * (m_hat / (std::sqrt(v_hat) + o.epsilon) + o.weight_decay * theta);
  }
};

void compare_with_formula(AdamOptions const& options, int updates) {
  Adam adam(options, 3);
  Vector const theta = vector_of({1, -2, 0.5});
  ByHand hand[] = {{options, 1}, {options, -2}, {options, 0.5}};
  for (int k = 0; k < updates; k++) {
    double const g[] = {0.3 + 0.1 * k, std::sin(k + 1.), 1e-3 * (k % 2 == 0 ? 1 : -1)}, rate = 0.01 * (1 + k % 3);
    adam.update(theta, vector_of({g[0], g[1], g[2]}), rate);
    for (int i = 0; i < 3; i++) hand[i].update(double(Real(g[i])), rate);
  }
  // A few roundings of theta, at most 2 in size, at each update. The decays are rounded to Real as well, by half an epsilon: of beta2 =
  // 0.999 that moves the weights by epsilon / (2 * 0.001), but the newer ones no more than the older ones.
  for (int i = 0; i < 3; i++) EXPECT_NEAR(values_of(theta)[i], hand[i].theta, 2 * epsilon * (updates + 1)) << i;
}

TEST(Adam, FirstUpdatesAreTheFormulas) {
  compare_with_formula({}, 1);
  compare_with_formula({}, 2);
  compare_with_formula({}, 3);
}
TEST(Adam, ManyUpdatesAreTheFormulas) { compare_with_formula({}, 50); }
TEST(Adam, WithoutMomentum) { compare_with_formula({.beta1 = 0}, 10); }
TEST(Adam, LargeEpsilon) { compare_with_formula({.epsilon = 0.1}, 10); }
TEST(Adam, DecoupledWeightDecay) { compare_with_formula({.weight_decay = 0.1}, 10); }

TEST(Adam, FirstStepIsTheRateWhateverTheGradientsSize) {
  std::vector<double> const g = {1e-3, -1e-3, 1, -1, 1e3, -1e3, 3e7};
  for (AdamOptions const& options : {AdamOptions{.epsilon = 1e-25}, AdamOptions{.beta1 = 0, .beta2 = 0.5, .epsilon = 1e-25}}) {
    Adam adam(options, std::ssize(g));
    Vector const theta = vector_of(std::vector<double>(g.size()));
    adam.update(theta, vector_of(g), 0.01);
    for (std::size_t i = 0; i < g.size(); i++) EXPECT_NEAR(values_of(theta)[i], g[i] > 0 ? -0.01 : 0.01, 0.01 * 4 * epsilon) << g[i];
  }
}

TEST(Adam, ZeroGradientMovesNothing) {
  Adam adam({}, 2);
  Vector const theta = vector_of({1, -2});
  for (int k = 0; k < 3; k++) adam.update(theta, vector_of({0, 0}), 0.1);
  EXPECT_EQ(values_of(theta), (std::vector<double>{1, -2}));
}

TEST(Adam, StateContinuesWithTheSameBits) {
  Adam first({}, 2), second({}, 2);
  Vector const a = vector_of({1, 2}), gradient = vector_of({0.3, -0.7});
  for (int k = 0; k < 3; k++) first.update(a, gradient, 0.1);
  Vector const b = vector_of(values_of(a));
  test::copy_state(first, second);
  first.update(a, gradient, 0.1);
  second.update(b, gradient, 0.1);
  EXPECT_EQ(values_of(a), values_of(b));
}

}  // namespace
}  // namespace partita
