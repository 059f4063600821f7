#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numbers>

#include "optimizers/optimizer.hpp"
#include "vectors.hpp"

namespace partita {
namespace {

using test::epsilon, test::values_of, test::vector_of;

TEST(Schedule, ConstantStaysAfterTheWarmUp) {
  OptimizerOptions const o{.learning_rate = 0.5, .warmup_updates = 4};
  std::vector<double> const expected = {0.125, 0.25, 0.375, 0.5, 0.5, 0.5};
  for (Index u = 0; u < 6; u++) EXPECT_DOUBLE_EQ(scheduled_rate(o, u, 100), expected[u]);
  EXPECT_DOUBLE_EQ(scheduled_rate(o, 99, 100), 0.5);
}

TEST(Schedule, LinearAndCosineAtTheEndsAndInTheMiddle) {
  for (char const* name : {"linear", "cosine"})
    for (Index warmup : {Index{0}, Index{20}}) {
      OptimizerOptions const o{.learning_rate = 0.1, .schedule = name, .warmup_updates = warmup, .final_fraction = 0.2};
      EXPECT_DOUBLE_EQ(scheduled_rate(o, warmup, warmup + 80), 0.1) << name;
      EXPECT_DOUBLE_EQ(scheduled_rate(o, warmup + 40, warmup + 80), 0.1 * 0.6) << name;
      EXPECT_DOUBLE_EQ(scheduled_rate(o, warmup + 80, warmup + 80), 0.1 * 0.2) << name;
      EXPECT_DOUBLE_EQ(scheduled_rate(o, warmup + 500, warmup + 80), 0.1 * 0.2) << name;
      for (Index u = warmup; u < warmup + 79; u++)
        EXPECT_GT(scheduled_rate(o, u, warmup + 80), scheduled_rate(o, u + 1, warmup + 80)) << name;
    }
}

TEST(Schedule, FormulasAtAQuarter) {
  OptimizerOptions o{.learning_rate = 1, .schedule = "linear"};
  EXPECT_DOUBLE_EQ(scheduled_rate(o, 25, 100), 0.75);
  o.schedule = "cosine";
  EXPECT_DOUBLE_EQ(scheduled_rate(o, 25, 100), 0.5 * (1 + std::numbers::sqrt2 / 2));
  EXPECT_GT(scheduled_rate(o, 99, 100), 0);  // no update is wasted
}

TEST(Schedule, WarmUpMayFillTheRun) {
  OptimizerOptions const o{.learning_rate = 1, .schedule = "linear", .warmup_updates = 10};
  EXPECT_DOUBLE_EQ(scheduled_rate(o, 9, 10), 1);
}

TEST(Norm, IsEuclideanInDouble) {
  EXPECT_DOUBLE_EQ(norm(vector_of({3, -4, 12})), 13);
  // 1e6 equal entries: a sum of float squares would be off by 1e-3.
  EXPECT_NEAR(norm(vector_of(std::vector<double>(1'000'000, 0.1))), double(Real(0.1)) * 1e3, 1e-9);
  EXPECT_DOUBLE_EQ(norm(vector_of({0x1p+100, 0})), 0x1p+100);  // beyond a float's range when squared
  EXPECT_EQ(norm(vector_of({})), 0);
  EXPECT_TRUE(std::isnan(norm(vector_of({1, std::numeric_limits<double>::quiet_NaN()}))));
}

TEST(Scale, ShortensToTheClippingNorm) {
  Vector const g = vector_of({3, -4, 12});
  scale(g, 2 / norm(g));
  EXPECT_NEAR(norm(g), 2, 4 * epsilon);
  EXPECT_NEAR(values_of(g)[0], 6. / 13, epsilon);
}

TEST(Average, StartsFastAndThenDecays) {
  Vector const mean = vector_of({0}), one = vector_of({1});
  average(mean, one, 0.5, 0);
  EXPECT_NEAR(values_of(mean)[0], 0.9, epsilon);
  double expected = 0.9;
  for (Index u = 1; u < 30; u++) {
    average(mean, one, 0.5, u);
    double const n = double(u), d = std::min(0.5, (1 + n) / (10 + n));
    expected = d * expected + (1 - d);
    EXPECT_NEAR(values_of(mean)[0], expected, 4 * epsilon) << u;
  }
}

TEST(Average, OfConstantParametersIsThem) {
  Vector const mean = vector_of({0.1, -3}), parameters = vector_of({0.1, -3});
  for (Index u = 0; u < 100; u++) average(mean, parameters, 0.99, u);
  EXPECT_EQ(values_of(mean), values_of(parameters));
}

}  // namespace
}  // namespace partita
