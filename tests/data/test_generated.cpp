#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "data/generated.hpp"

namespace partita::data {
namespace {

random::Key const key = random::make_key(11);
constexpr Index count = 40000;

template <class Set>
std::vector<Point> points(Set const& set, Index number = 0) {
  Table const table = generate(set, key, number, count);
  auto const& values = std::get<std::vector<float>>(table.values);
  std::vector<Point> out;
  for (std::size_t i = 0; i < values.size(); i += 2) out.push_back({values[i], values[i + 1]});
  return out;
}

// Mean of f over the points against `expected`, within 4 standard errors.
template <class F>
void expect_mean(std::vector<Point> const& x, double expected, F const& f, char const* what) {
  double sum = 0, squares = 0;
  for (Point const& p : x) sum += f(p), squares += f(p) * f(p);
  double const n = double(x.size()), mean = sum / n;
  EXPECT_NEAR(mean, expected, 4 * std::sqrt((squares / n - mean * mean) / n) + 1e-6) << what;
}
double x1(Point const& p) { return p[0]; }
double x2(Point const& p) { return p[1]; }
double radius_squared(Point const& p) { return p[0] * p[0] + p[1] * p[1]; }

// With t = pi u: E cos t = 0, E sin t = 2/pi. Mean of p = (1/2, 1/4), then x = 2 p - (1, 0.2).
TEST(TwoMoons, MomentsAndNoise) {
  auto const x = points(TwoMoons{});
  expect_mean(x, 0, x1, "x1");
  expect_mean(x, 0.3, x2, "x2");
  // Without noise every point is on one of the half circles of radius 2 around (-1, -0.2) and (1, 0.8).
  TwoMoons exact;
  exact.noise = 0;
  for (Point const& p : points(exact)) {
    double const upper = std::hypot(p[0] + 1, p[1] + 0.2), lower = std::hypot(p[0] - 1, p[1] - 0.8);
    EXPECT_NEAR(std::min(std::abs(upper - 2), std::abs(lower - 2)), 0, 1e-6);
  }
}

// Centres at distance 2 sqrt 2; variance noise^2 / 2 a coordinate: E |x|^2 = 8 + noise^2. Each octant holds one eighth.
TEST(EightGaussians, RadiusAndOctants) {
  auto const x = points(EightGaussians{});
  expect_mean(x, 8.25, radius_squared, "|x|^2");
  for (int k = 0; k < 8; k++)
    expect_mean(
        x, 0.125, [k](Point const& p) { return (std::lround(std::atan2(p[1], p[0]) * 4 / std::numbers::pi) + 8) % 8 == k ? 1. : 0.; },
        "octant");
}

// E |x|^2 = 9 (1 + 4 + 9 + 16) / 16 / 4 + 2 noise^2.
TEST(Rings, RadiusSquared) { expect_mean(points(Rings{}), 9 * 30. / 64 + 2 * 0.08 * 0.08, radius_squared, "|x|^2"); }

// Each of the 8 squares of side 2 whose column and row numbers agree in parity holds one eighth, the others nothing.
TEST(Checkerboard, EverySecondSquare) {
  auto const x = points(Checkerboard{});
  for (int column = 0; column < 4; column++)
    for (int row = 0; row < 4; row++)
      expect_mean(
          x, (column + row) % 2 == 0 ? 0.125 : 0,
          [=](Point const& p) { return std::floor(p[0] / 2) + 2 == column && std::floor(p[1] / 2) + 2 == row ? 1. : 0.; }, "square");
}

// A turn keeps |x|^2 = 4 |f|^2: E = 4 (1 + 0.09 + 0.01).
TEST(Pinwheel, RadiusSquaredAndArms) {
  auto const x = points(Pinwheel{});
  expect_mean(x, 4.4, radius_squared, "|x|^2");
  expect_mean(x, 0, x1, "x1");  // five-fold symmetry
  expect_mean(x, 0, x2, "x2");
}

// t uniform on [3 pi/2, 9 pi/2]: E t^2 = 39/4 pi^2, so E |x|^2 = (39/4 pi^2 + 2 noise^2) / 25.
TEST(SwissRoll, RadiusSquared) {
  expect_mean(points(SwissRoll{}), (39 * std::numbers::pi * std::numbers::pi / 4 + 2) / 25, radius_squared, "|x|^2");
}

// Symmetric under x -> -x. With t = 3 pi sqrt u the density of t is 2 t / T^2, T = 3 pi: E t^2 = T^2 / 2, E t cos t = 2 E_T[t^2 cos t] /
// T^2 = 2 (2 T cos T) / T^2 and E t sin t = 2 ((2 - T^2) cos T - 2) / T^2 at sin T = 0, cos T = -1; |x|^2 = (t^2 - t cos t u + t sin t u' +
// (u^2 + u'^2) / 4) / 9 + 2 noise^2.
TEST(TwoSpirals, RadiusSquared) {
  auto const x = points(TwoSpirals{});
  double const T = 3 * std::numbers::pi, t_cos = -4 / T, t_sin = 2 * ((T * T - 2) - 2) / (T * T);
  expect_mean(x, 0, x1, "x1");
  expect_mean(x, 0, x2, "x2");
  expect_mean(x, (T * T / 2 - t_cos / 2 + t_sin / 2 + 1. / 6) / 9 + 2 * 0.01, radius_squared, "|x|^2");
}

TEST(Generated, PointsDependOnTheirIndexAndSetAlone) {
  Rings const rings;
  auto const few = std::get<std::vector<float>>(generate(rings, key, 4, 10).values),
             many = std::get<std::vector<float>>(generate(rings, key, 4, 50).values);
  EXPECT_TRUE(std::equal(few.begin(), few.end(), many.begin()));
  auto const a = points(rings, 0), b = points(rings, 1);
  double product = 0, squares = 0;  // correlation of two sets: standard error 1/sqrt(n)
  for (std::size_t i = 0; i < a.size(); i++) product += a[i][0] * b[i][0], squares += a[i][0] * a[i][0];
  EXPECT_NEAR(product / squares, 0, 4 / std::sqrt(double(count)));
}

}  // namespace
}  // namespace partita::data
