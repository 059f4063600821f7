// Accuracy of the elementary functions and activations against long double, on grids dense enough to meet every polynomial's worst spots.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>

#include "core/math.hpp"

namespace {

namespace math = partita::math;
using Exact = std::function<long double(long double)>;
constexpr float infinity = std::numeric_limits<float>::infinity(), nan_value = std::numeric_limits<float>::quiet_NaN();

// Distance in units in the last place of the exact value; below the smallest normal number, in units of that number.
double ulps(float got, long double exact) {
  long double const magnitude = std::max(std::fabs(exact), static_cast<long double>(std::numeric_limits<float>::min()));
  int exponent;
  std::frexp(magnitude, &exponent);
  return double(std::fabs(static_cast<long double>(got) - exact) / std::ldexp(1.0L, exponent - 24));
}

// The largest error in ulps over a grid that is uniform in x, and one that is uniform in log |x| on both sides of zero.
template <class Function>
double largest_error(Function const& f, Exact const& exact, float low, float high) {
  constexpr int points = 400000;
  double worst = 0;
  auto const visit = [&](float x) {
    if (x < low || x > high) return;
    worst = std::max(worst, ulps(f(x), exact(x)));
  };
  for (int i = 0; i <= points; i++) visit(low + (high - low) * float(i) / float(points));
  for (int i = 0; i <= points / 4; i++) {
    float const x = float(std::exp(-40. + 45. * i / (points / 4)));
    visit(x);
    visit(-x);
  }
  return worst;
}

template <class Function>
double largest_absolute_error(Function const& f, Exact const& exact, float low, float high) {
  constexpr int points = 400000;
  double worst = 0;
  for (int i = 0; i <= points; i++) {
    float const x = low + (high - low) * float(i) / float(points);
    worst = std::max(worst, double(std::fabs(f(x) - exact(x))));
  }
  return worst;
}

long double sigmoid_exactly(long double x) { return 1 / (1 + std::exp(-x)); }
long double cdf(long double x) { return std::erfc(-x * 0.707106781186547524400844L) / 2; }
long double density(long double x) { return 0.398942280401432677939946L * std::exp(-x * x / 2); }

// The bounds are those that core/math.hpp states.
TEST(Math, ExpIsWithinItsBound) {
  EXPECT_LE(largest_error([](float x) { return math::exp(x); }, [](long double x) { return std::exp(x); }, -87.3f, 88.72f), 1.1);
}

TEST(Math, LogIsWithinItsBound) {
  double worst = 0;
  for (int i = 0; i <= 1000000; i++) {
    float const x = float(std::exp(-103. + 191.7 * i / 1000000));  // subnormal to the largest
    worst = std::max(worst, ulps(math::log(x), std::log(static_cast<long double>(x))));
  }
  EXPECT_LE(worst, 1.3);
  EXPECT_LE(largest_error([](float x) { return math::log(x); }, [](long double x) { return std::log(x); }, 0.5f, 2.f), 1.3);
}

TEST(Math, SigmoidIsWithinItsBound) {
  EXPECT_LE(largest_error([](float x) { return math::sigmoid(x); }, sigmoid_exactly, -87.f, 40.f), 2.5);
}

TEST(Math, SoftplusIsWithinItsBound) {
  EXPECT_LE(largest_error([](float x) { return math::softplus(x); },
                          [](long double x) { return std::max(x, 0.0L) + std::log1p(std::exp(-std::fabs(x))); }, -87.f, 100.f),
            2);
  EXPECT_LE(largest_error([](float x) { return math::softplus_with_slope(x).slope; }, sigmoid_exactly, -87.f, 40.f), 2.5);
}

TEST(Math, TanhIsWithinItsBound) {
  EXPECT_LE(largest_error([](float x) { return math::tanh(x); }, [](long double x) { return std::tanh(x); }, -12.f, 12.f), 2.5);
  EXPECT_LE(largest_error([](float x) { return math::tanh_with_slope(x).slope; },
                          [](long double x) { return 1 / (std::cosh(x) * std::cosh(x)); }, -40.f, 40.f),
            3.5);
}

TEST(Math, SiluIsWithinItsBound) {
  EXPECT_LE(largest_error([](float x) { return math::silu(x); }, [](long double x) { return x * sigmoid_exactly(x); }, -87.f, 100.f), 3.5);
  auto const slope = [](long double x) {
    long double const s = sigmoid_exactly(x);
    return s + x * s * (1 - s);
  };
  EXPECT_LE(largest_absolute_error([](float x) { return math::silu_with_slope(x).slope; }, slope, -90.f, 90.f), 2.4e-7);
}

TEST(Math, GeluIsWithinItsBound) {
  EXPECT_LE(largest_error([](float x) { return math::gelu(x); }, [](long double x) { return x * cdf(x); }, -13.f, 20.f), 4.5);
  EXPECT_LE(largest_absolute_error([](float x) { return math::gelu_with_slope(x).slope; },
                                   [](long double x) { return cdf(x) + x * density(x); }, -15.f, 15.f),
            2.4e-7);
}

// Second and third derivatives against closed forms in long double, absolutely: they cross zero.
struct HigherDerivatives {
  math::Derivatives<float> (*f)(float);
  double second_bound, third_bound;
  Exact second, third;
};

TEST(Math, HigherDerivativesAreWithinTheirBounds) {
  auto const u = [](long double x) { return sigmoid_exactly(x) * sigmoid_exactly(-x); };
  auto const w = [](long double x) { return -std::tanh(x / 2); };
  auto const g = [](long double x) { return 1 / (std::cosh(x) * std::cosh(x)); };
  auto const of_tanh = [=](long double x) { return -2 * std::tanh(x) * g(x); };
  HigherDerivatives const all[] = {
      {math::silu_derivatives<float>, 1.5e-7, 1.5e-7, [=](long double x) { return u(x) * (2 + x * w(x)); },
       [=](long double x) { return u(x) * (3 * w(x) + x * (w(x) * w(x) - 2 * u(x))); }},
      {math::softplus_derivatives<float>, 5e-8, 5e-8, u, [=](long double x) { return u(x) * w(x); }},
      {math::tanh_derivatives<float>, 2.5e-7, 4.5e-7, of_tanh, [=](long double x) { return g(x) * (4 - 6 * g(x)); }},
      {math::gelu_derivatives<float>, 1.5e-7, 2e-7, [](long double x) { return density(x) * (2 - x * x); },
       [](long double x) { return x * density(x) * (x * x - 4); }}};
  for (auto const& one : all) {
    EXPECT_LE(largest_absolute_error([&](float x) { return one.f(x).second; }, one.second, -20.f, 20.f), one.second_bound);
    EXPECT_LE(largest_absolute_error([&](float x) { return one.f(x).third; }, one.third, -20.f, 20.f), one.third_bound);
    for (float x : {-1e30f, -300.f, -88.5f, -80.f, 80.f, 88.5f, 300.f, 1e30f}) {
      EXPECT_NEAR(one.f(x).second, 0, 1e-30);
      EXPECT_NEAR(one.f(x).third, 0, 1e-30);
    }
  }
  EXPECT_LE(largest_error([](float x) { return math::softplus_derivatives(x).second; }, u, -87.f, 87.f), 4.5);
  EXPECT_LE(largest_error([](float x) { return math::tanh_derivatives(x).second; }, of_tanh, -40.f, 40.f), 6);
}

// The functions seen through the double overloads are the same functions: tests of one guard the other.
TEST(Math, DoubleAndFloatAgree) {
  for (float x = -9; x < 9; x += 0.013f) {
    double const y = x;
    EXPECT_NEAR(math::silu_with_slope(x).value, math::silu_with_slope(y).value, 2e-6);
    EXPECT_NEAR(math::silu_with_slope(x).slope, math::silu_with_slope(y).slope, 1e-6);
    EXPECT_NEAR(math::softplus_with_slope(x).value, math::softplus_with_slope(y).value, 2e-6);
    EXPECT_NEAR(math::softplus_with_slope(x).slope, math::softplus_with_slope(y).slope, 1e-6);
    EXPECT_NEAR(math::tanh_with_slope(x).value, math::tanh_with_slope(y).value, 1e-6);
    EXPECT_NEAR(math::tanh_with_slope(x).slope, math::tanh_with_slope(y).slope, 1e-6);
    EXPECT_NEAR(math::gelu_with_slope(x).value, math::gelu_with_slope(y).value, 2e-6);
    EXPECT_NEAR(math::gelu_with_slope(x).slope, math::gelu_with_slope(y).slope, 1e-6);
    auto const agree = [&](math::Derivatives<float> const& a, math::Derivatives<double> const& b) {
      EXPECT_NEAR(a.second, b.second, 1e-6);
      EXPECT_NEAR(a.third, b.third, 1e-6);
    };
    agree(math::silu_derivatives(x), math::silu_derivatives(y));
    agree(math::softplus_derivatives(x), math::softplus_derivatives(y));
    agree(math::tanh_derivatives(x), math::tanh_derivatives(y));
    agree(math::gelu_derivatives(x), math::gelu_derivatives(y));
    EXPECT_NEAR(math::exp(x) / math::exp(y), 1, 1e-6);
    EXPECT_NEAR(math::log(std::fabs(x)), math::log(std::fabs(y)), 1e-6);
  }
}

TEST(Math, ExtremesGoToTheirLimits) {
  EXPECT_EQ(math::exp(0.f), 1.f);
  EXPECT_EQ(math::exp(89.f), infinity);
  EXPECT_EQ(math::exp(infinity), infinity);
  EXPECT_EQ(math::exp(-88.f), 0.f);
  EXPECT_EQ(math::exp(-infinity), 0.f);
  EXPECT_EQ(math::exp(std::numeric_limits<float>::max()), infinity);
  EXPECT_EQ(math::exp(std::numeric_limits<float>::lowest()), 0.f);
  EXPECT_EQ(math::log(1.f), 0.f);
  EXPECT_EQ(math::log(0.f), -infinity);
  EXPECT_EQ(math::log(infinity), infinity);
  EXPECT_TRUE(std::isnan(math::log(-1.f)));
  for (float large : {100.f, 1e30f, infinity}) {
    EXPECT_EQ(math::sigmoid(large), 1.f);
    EXPECT_EQ(math::sigmoid(-large), 0.f);
    EXPECT_EQ(math::softplus(large), large);
    EXPECT_EQ(math::softplus(-large), 0.f);
    EXPECT_EQ(math::softplus_with_slope(large).slope, 1.f);
    EXPECT_EQ(math::softplus_with_slope(-large).slope, 0.f);
    EXPECT_EQ(math::tanh(large), 1.f);
    EXPECT_EQ(math::tanh(-large), -1.f);
    EXPECT_LE(math::tanh_with_slope(large).slope, 1e-36f);
    EXPECT_EQ(math::silu(large), large);
    EXPECT_EQ(math::gelu(large), large);
    EXPECT_EQ(math::gelu_with_slope(large).slope, 1.f);
    EXPECT_EQ(math::gelu_with_slope(-large).slope, 0.f);
  }
  for (float large : {100.f, 1e30f}) {
    EXPECT_EQ(math::silu(-large), 0.f);
    EXPECT_EQ(math::gelu(-large), 0.f);
    EXPECT_EQ(math::silu_with_slope(large).slope, 1.f);
    EXPECT_EQ(math::silu_with_slope(-large).slope, 0.f);
  }
}

TEST(Math, NanPropagatesWhateverItsPayload) {
  for (float x : {nan_value, -nan_value, __builtin_nanf("0x1"), __builtin_nanf("0x3fffff")}) {
    EXPECT_TRUE(std::isnan(math::exp(x)));
    EXPECT_TRUE(std::isnan(math::log(x)));
    EXPECT_TRUE(std::isnan(math::sigmoid(x)));
    for (auto const y : {math::silu_derivatives(x), math::softplus_derivatives(x), math::tanh_derivatives(x), math::gelu_derivatives(x)}) {
      EXPECT_TRUE(std::isnan(y.value));
      EXPECT_TRUE(std::isnan(y.first));
      EXPECT_TRUE(std::isnan(y.second));
      EXPECT_TRUE(std::isnan(y.third));
    }
  }
  EXPECT_TRUE(std::isnan(math::silu(-infinity)));  // as stated: zero times infinity
  EXPECT_TRUE(std::isnan(math::gelu(-infinity)));
}

}  // namespace
