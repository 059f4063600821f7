// Importance weights: the tail index against ArviZ, means and shares by hand, and when no error is given.
#include <gtest/gtest.h>

#include <cmath>

#include "estimators/importance.hpp"
#include "small_machines.hpp"

namespace partita {
namespace {

template <class F>
std::vector<double> log_weights(int n, F const& of) {
  std::vector<double> w;
  for (int i = 0; i < n; i++) w.push_back(of(i));
  return w;
}
double spread_evenly(int i) { return std::fmod(i * 0.6180339887498949 + 0.5, 1); }

// By arviz.psislw 0.21 of the same log weights.
TEST(Importance, TailIndexIsThatOfArviz) {
  struct Case {
    int n;
    double exponential, heavy, sine, parabola;
  };
  for (auto const& c : {Case{25, 0.6375683403462802, 0.518967386174419, 0.4881180577933048, 0.4384559570033645},
                        Case{100, 0.900763869957386, 0.5722250646869022, -0.720351702164243, 0.02430063139080616},
                        Case{1000, 0.8123134481804164, 0.3847624084041351, -1.5566771373932775, -0.5750336525591121},
                        Case{40000, 0.8961488806071608, 0.4080744121512193, -1.7906763375539092, -0.9088300318273833}}) {
    auto const k = [&](auto const& of) { return log_mean_exp(log_weights(c.n, of)).tail_index; };
    double const tolerance = 1e-9;  // ArviZ drops the least of the posterior's weights on its grid
    EXPECT_NEAR(k([](int i) { return 700 - 0.9 * std::log1p(-spread_evenly(i)); }), c.exponential, tolerance) << c.n;  // scale is nothing
    EXPECT_NEAR(k([](int i) { return -0.4 * std::log1p(-spread_evenly(i)); }), c.heavy, tolerance) << c.n;
    EXPECT_NEAR(k([](int i) { return 3 * std::sin(i); }), c.sine, tolerance) << c.n;
    EXPECT_NEAR(k([](int i) { return 20 * std::pow(spread_evenly(i) - 0.5, 2); }), c.parabola, tolerance) << c.n;
  }
}

TEST(Importance, MeanOfFewWeightsHasNoError) {
  auto const two = log_mean_exp({std::log(1.), std::log(3.)});
  EXPECT_DOUBLE_EQ(two.value, std::log(2.));
  EXPECT_NEAR(two.effective, 16. / 10, 1e-12);
  EXPECT_NEAR(two.largest_share, 0.75, 1e-12);
  EXPECT_TRUE(std::isnan(two.tail_index));
  EXPECT_TRUE(std::isnan(two.error()));
  EXPECT_NE(doubt(two, "use more").find("too few"), std::string::npos);
  EXPECT_TRUE(std::isnan(log_mean_exp({3.}).error()));
  EXPECT_TRUE(std::isnan(log_mean_exp({0, 0, 0, 2000}).error()));
}

TEST(Importance, EqualWeightsHaveNoSpread) {
  auto const equal = log_mean_exp(std::vector<double>(100, 1000.));
  EXPECT_DOUBLE_EQ(equal.value, 1000);
  EXPECT_NEAR(equal.effective, 100, 1e-9);
  EXPECT_TRUE(equal.trusted());
  EXPECT_NEAR(equal.error(), 0, 1e-12);
  EXPECT_TRUE(doubt(equal, "").empty());
}

// One weight is all: a mean without error, and a line that says so, whatever the number of the others.
TEST(Importance, AFewWeightsThatCarryTheSumGiveNoError) {
  auto w = log_weights(10000, [](int i) { return 0.1 * small::normal(i, 11); });
  w[77] = 12;
  auto const one = log_mean_exp(w);
  EXPECT_LT(one.effective, 5);
  EXPECT_TRUE(std::isnan(one.error()));
  auto const heavy = log_mean_exp(log_weights(10000, [](int i) { return 4 * small::normal(i, 12); }));
  EXPECT_GT(heavy.tail_index, 1);
  EXPECT_TRUE(std::isnan(heavy.error()));
  EXPECT_NE(doubt(heavy, "do this").find("PARETO k"), std::string::npos);
  EXPECT_NE(doubt(heavy, "do this").find("do this"), std::string::npos);
}

// A law with a mean and a variance: the error is that of the central limit theorem, and a little.
TEST(Importance, LightTailsHaveTheUsualError) {
  auto const m = log_mean_exp(log_weights(4000, [](int i) { return 0.5 * small::normal(i, 1); }));
  double const delta = std::sqrt((std::exp(0.25) - 1) / 4000);
  EXPECT_NEAR(m.error(), delta, 0.1 * delta);
  EXPECT_NEAR(m.value, 0.125, 4 * delta);
}

// The shares of two modes of equal mass. A proposal that hardly knows one of them gives 0.9999969 +- 4e-6 by the usual error.
TEST(Importance, AShareThatTheSamplesHardlyVisitHasNoError) {
  std::vector<char> in(100000, 1);
  auto w = log_weights(100000, [](int i) { return 0.3 * small::normal(i, 2); });
  EXPECT_EQ(weighted_share(w, in).value, 1);
  EXPECT_TRUE(std::isnan(weighted_share(w, in).error));
  for (int i = 0; i < 20; i++) in[i] = 0;
  auto const few = weighted_share(w, in);
  EXPECT_NEAR(few.value, 0.9998, 2e-4);
  EXPECT_TRUE(std::isnan(few.error));
  EXPECT_NE(few.doubt.find("outside the event"), std::string::npos);
  // Two hundred samples beyond a barrier, the nearer to the mode the heavier: their tail tells.
  for (std::size_t i = 0; i < 200; i++) in[i] = 0, w[i] = -6 + 4 * small::normal(Index(i), 3);
  EXPECT_TRUE(std::isnan(weighted_share(w, in).error));
  // Half of the samples on either side.
  for (std::size_t i = 0; i < in.size(); i++) in[i] = i % 2, w[i] = 0.3 * small::normal(Index(i), 2) + (i % 2 ? std::log(3.) : 0);
  auto const known = weighted_share(w, in);
  EXPECT_TRUE(known.doubt.empty()) << known.doubt;
  EXPECT_NEAR(known.value, 0.75, 4 * known.error);
}

// Equal weights on either side, so that no tail adds to it: the error is that of a ratio of means, sum w^2 (1_in - p)^2 / (sum w)^2.
TEST(Importance, ErrorOfAShareIsThatOfARatio) {
  std::vector<double> w;
  std::vector<char> in;
  for (int i = 0; i < 100; i++) in.push_back(i % 5 < 3), w.push_back(in.back() ? std::log(2.) : 0);
  auto const share = weighted_share(w, in);
  EXPECT_NEAR(share.value, 0.75, 1e-14);  // 60 of weight 2, 40 of weight 1
  EXPECT_NEAR(share.error, std::sqrt(60 * 4 * 0.25 * 0.25 + 40 * 0.75 * 0.75) / 160, 1e-14);
}

}  // namespace
}  // namespace partita
