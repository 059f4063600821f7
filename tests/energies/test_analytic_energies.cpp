#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>
#include <vector>

#include "../refusal.hpp"
#include "core/copy.hpp"
#include "core/random.hpp"
#include "core/require.hpp"
#include "energies/banana.hpp"
#include "energies/double_well.hpp"
#include "energies/funnel.hpp"
#include "energies/gaussian.hpp"
#include "energies/gaussian_mixture.hpp"
#include "energies/many_well.hpp"
#include "energies/mueller_brown.hpp"
#include "energies/phi4.hpp"

namespace {

using namespace partita;

constexpr double pi = 3.14159265358979323846;
constexpr bool is_double = sizeof(Real) == 8;
constexpr double rounding = std::numeric_limits<Real>::epsilon();

using Points = std::vector<std::vector<double>>;  // (point, dimension)

struct Evaluation {
  std::vector<double> energy;
  Points gradient;
};

// Point p in lane p % width of tile p / width; lanes without a point hold the last one.
Evaluation evaluate_at(DifferentiableModel& model, Points const& points, Index width = 64) {
  Index const n = std::ssize(points), d = model.dimension(), tiles = divide_up(n, width), pitch = round_up(width, pitch_quantum);
  TileStorage const x("x", tiles, d, pitch), g("g", tiles, d, pitch);
  TileScalarStorage const e("e", tiles, pitch);
  auto const host_x = Kokkos::create_mirror_view(x), host_g = Kokkos::create_mirror_view(g);
  auto const host_e = Kokkos::create_mirror_view(e);
  for (Index p = 0; p < tiles * width; p++)
    for (Index i = 0; i < d; i++) host_x(p / width, i, p % width) = Real(points[std::min(p, n - 1)][i]);
  copy_array(x, host_x);
  auto const lanes = std::pair(Index{0}, width);
  model.reserve(tiles, width);
  model.energy_and_gradient(Kokkos::subview(x, Kokkos::ALL, Kokkos::ALL, lanes), Kokkos::subview(e, Kokkos::ALL, lanes),
                            Kokkos::subview(g, Kokkos::ALL, Kokkos::ALL, lanes));
  copy_array(host_g, g);
  copy_array(host_e, e);
  Evaluation out;
  for (Index p = 0; p < n; p++) {
    out.energy.push_back(double(host_e(p / width, p % width)));
    out.gradient.emplace_back();
    for (Index i = 0; i < d; i++) out.gradient.back().push_back(double(host_g(p / width, i, p % width)));
  }
  return out;
}

// Points uniform in [-range, range]^d, exact in float.
Points random_points(Index count, Index d, double range, std::uint64_t seed = 1) {
  Points points;
  for (Index p = 0; p < count; p++) {
    points.emplace_back();
    for (Index i = 0; i < d; i++) {
      auto const w = random::words(random::make_key(seed), std::uint64_t(p), random::Stream::test, 0, std::uint32_t(i));
      points.back().push_back(float(range * (2 * random::uniform_double(w.w[0]) - 1)));
    }
  }
  return points;
}

struct Case {
  std::string name;
  std::function<std::unique_ptr<DifferentiableModel>()> make;
  double range;  // of the coordinates tested
};
std::ostream& operator<<(std::ostream& out, Case const& c) { return out << c.name; }

std::vector<Case> cases() {
  return {
      {"gaussian_diagonal",
       [] {
         return make_gaussian({.dimension = 5, .mean = {-1, 2}, .diagonal = {1, 0.1}});
       },
       3},
      {"gaussian_ar1",
       [] {
         return make_gaussian({.dimension = 6, .mean = {0.5, -1}, .precision = "ar1", .correlation = 0.7});
       },
       3},
      {"gaussian_ar1_one", [] { return make_gaussian({.dimension = 1, .precision = "ar1", .correlation = 0.7}); }, 3},
      {"gaussian_dense",
       [] {
         return make_gaussian({.dimension = 3, .mean = {1, 2, 3}, .precision = "dense", .matrix = {2, 0.5, 0, 0.5, 1, -0.25, 0, -0.25, 3}});
       },
       3},
      {"double_well", [] { return make_double_well({.dimension = 3}); }, 2},
      {"many_well", [] { return make_many_well({.dimension = 6}); }, 2.5},
      {"gaussian_mixture", [] { return make_gaussian_mixture({}); }, 6},
      {"gaussian_mixture_weighted",
       [] {
         return make_gaussian_mixture({.dimension = 3, .means = {1, 0, -1, -2, 0.5, 0}, .weights = {1, 3}, .sigma = 0.8});
       },
       3},
      {"mueller_brown", [] { return make_mueller_brown({}); }, 1.5},
      {"funnel", [] { return make_funnel({}); }, 2},
      {"banana", [] { return make_banana({}); }, 3},
      {"phi4", [] { return make_phi4({.dimension = 7}); }, 1.5},
      {"phi4_one", [] { return make_phi4({.dimension = 1}); }, 1.5},
  };
}

class AnalyticEnergies : public testing::TestWithParam<Case> {};
INSTANTIATE_TEST_SUITE_P(All, AnalyticEnergies, testing::ValuesIn(cases()), [](auto const& c) { return c.param.name; });

// Five-point differences, error h^4 E'''''/30 and 1.5 rounding |E| / h. Double: h = 2^-10, at 1e-7 of the size of E and dE/dx.
// Float: h = 2^-6, 64 * 1.5 * 6e-8 = 6e-6 in the energies that enter, which are computed to some units in the last place: 1e-4.
TEST_P(AnalyticEnergies, GradientIsThatOfTheEnergy) {
  auto const model = GetParam().make();
  double const h = is_double ? 0x1p-10 : 0x1p-6, tolerance = is_double ? 1e-7 : 1e-4;
  Index const d = model->dimension();
  auto const points = random_points(50, d, GetParam().range);
  auto const exact = evaluate_at(*model, points);
  for (Index i = 0; i < d; i++) {
    std::vector<double> shifted[4];
    double const shifts[4] = {-2 * h, -h, h, 2 * h};
    auto const at = std::size_t(i);
    for (int k = 0; k < 4; k++) {
      Points moved = points;
      for (auto& p : moved) p[at] += shifts[k];
      shifted[k] = evaluate_at(*model, moved).energy;
    }
    for (std::size_t p = 0; p < points.size(); p++) {
      double const difference = (shifted[0][p] - 8 * shifted[1][p] + 8 * shifted[2][p] - shifted[3][p]) / (12 * h);
      double size = std::max(1., std::abs(exact.energy[p]));
      for (double g : exact.gradient[p]) size = std::max(size, std::abs(g));
      EXPECT_NEAR(exact.gradient[p][at], difference, tolerance * size) << "point " << p << " coordinate " << i;
    }
  }
}

// Bitwise for functors. Products of one column and of many are made by other kernels of the matrix library: rounding.
TEST_P(AnalyticEnergies, BatchOfOneEqualsItsRowInABatchOfMany) {
  auto const model = GetParam().make();
  auto const points = random_points(100, model->dimension(), GetParam().range);
  double const tolerance = GetParam().name == "gaussian_dense" ? 10 * rounding : 0;
  for (Index width : {16, 48, 64, 128}) {
    auto const many = evaluate_at(*model, points, width);
    for (std::size_t p = 0; p < points.size(); p += 7) {
      auto const one = evaluate_at(*model, {points[p]}, 16);
      EXPECT_NEAR(one.energy[0], many.energy[p], tolerance * std::abs(many.energy[p]));
      for (std::size_t i = 0; i < points[p].size(); i++)
        EXPECT_NEAR(one.gradient[0][i], many.gradient[p][i], tolerance * (1 + std::abs(many.energy[p])));
    }
  }
}

TEST_P(AnalyticEnergies, NanStaysInItsLane) {
  auto const model = GetParam().make();
  auto points = random_points(64, model->dimension(), GetParam().range);
  auto const clean = evaluate_at(*model, points);
  for (std::size_t i = 0; i < points[0].size(); i++) {
    auto spoilt = points;
    spoilt[17][i] = NAN;
    auto const found = evaluate_at(*model, spoilt);
    EXPECT_TRUE(std::isnan(found.energy[17])) << "coordinate " << i;
    EXPECT_TRUE(std::isnan(found.gradient[17][i])) << "coordinate " << i;
    for (std::size_t p = 0; p < points.size(); p++)
      if (p != 17) {
        ASSERT_EQ(found.energy[p], clean.energy[p]) << "lane " << p;
        ASSERT_EQ(found.gradient[p], clean.gradient[p]) << "lane " << p;
      }
  }
}

// ---- Gaussians ----

void expect_agreement(DifferentiableModel& a, DifferentiableModel& b, double range) {
  auto const points = random_points(64, a.dimension(), range);
  auto const of_a = evaluate_at(a, points), of_b = evaluate_at(b, points);
  for (std::size_t p = 0; p < points.size(); p++) {
    double const size = 1 + std::abs(of_a.energy[p]);
    EXPECT_NEAR(of_a.energy[p], of_b.energy[p], 20 * rounding * size);
    for (std::size_t i = 0; i < points[p].size(); i++) EXPECT_NEAR(of_a.gradient[p][i], of_b.gradient[p][i], 20 * rounding * size);
  }
}

TEST(Gaussian, FormsAgreeWhereTheyCoincide) {
  // White AR(1) noise is the unit diagonal.
  auto const unit = make_gaussian({.dimension = 7, .mean = {-1, 1}});
  auto const white = make_gaussian({.dimension = 7, .mean = {-1, 1}, .precision = "ar1", .correlation = 0});
  expect_agreement(*unit, *white, 3);
  for (auto const& o : {GaussianOptions{.dimension = 7, .mean = {-1, 1}, .diagonal = {1, 0.1}},
                        GaussianOptions{.dimension = 7, .mean = {2}, .precision = "ar1", .correlation = -0.8},
                        GaussianOptions{.dimension = 1, .precision = "ar1", .correlation = 0.5}}) {
    auto const structured = make_gaussian(o);
    auto dense = o;
    dense.precision = "dense";
    dense.matrix = structured->gaussian().at(0).precision.values;
    expect_agreement(*structured, *make_gaussian(dense), 3);
  }
}

TEST(Gaussian, Ar1CovarianceIsAPowerOfTheCorrelation) {
  for (double phi : {0.9, -0.5, 0.}) {
    auto const moments = make_gaussian({.dimension = 6, .precision = "ar1", .correlation = phi})->gaussian().at(0);
    Matrix const covariance = inverse(moments.precision);
    for (Index i = 0; i < 6; i++)
      for (Index j = 0; j < 6; j++) EXPECT_NEAR(covariance(i, j), i == j ? 1 : std::pow(phi, std::abs(double(i - j))), 100 * rounding);
  }
}

TEST(Gaussian, MomentsAreThoseGiven) {
  auto const diagonal = make_gaussian({.dimension = 3, .mean = {-1, 1}, .diagonal = {1, 0.5}})->gaussian().at(0);
  EXPECT_EQ(diagonal.mean, (std::vector<double>{-1, 0, 1}));
  EXPECT_EQ(diagonal.precision.values, (std::vector<double>{1, 0, 0, 0, 0.75, 0, 0, 0, 0.5}));
  auto const dense = make_gaussian({.dimension = 2, .mean = {1, 2}, .precision = "dense", .matrix = {2, 1, 1, 3}})->gaussian().at(0);
  EXPECT_EQ(dense.mean, (std::vector<double>{1, 2}));
  EXPECT_EQ(dense.precision.values, (std::vector<double>{2, 1, 1, 3}));
  EXPECT_TRUE(make_double_well({})->gaussian().empty());
}

TEST(AnalyticOptions, WrongOnesAreRefused) {
  using testing::HasSubstr;
  auto const gaussian = [](GaussianOptions const& o) { return refusal([&] { make_gaussian(o); }); };
  EXPECT_THAT(gaussian({.dimension = 4, .mean = {1, 2, 3}}), HasSubstr("model.mean has 3 values"));
  EXPECT_THAT(gaussian({.dimension = 1, .mean = {1, 2}}), HasSubstr("model.mean has 2 values"));
  EXPECT_THAT(gaussian({.dimension = 4, .mean = {}}), HasSubstr("model.mean has 0 values"));
  EXPECT_THAT(gaussian({.dimension = 4, .diagonal = {1, 2, 3, 4, 5}}), HasSubstr("model.diagonal has 5 values"));
  EXPECT_THAT(gaussian({.dimension = 2, .precision = "dense", .matrix = {1, 0, 1}}), HasSubstr("3 entries (2 x 2"));
  EXPECT_THAT(gaussian({.dimension = 2, .precision = "dense", .matrix = {1, 0, 1, 1}}), HasSubstr("not symmetric"));
  EXPECT_THAT(gaussian({.dimension = 2, .precision = "dense", .matrix = {1, 2, 2, 1}}), HasSubstr("not positive definite"));
  EXPECT_THAT(refusal([] { make_many_well({.dimension = 5}); }), HasSubstr("model.dimension = 5 is odd"));
  EXPECT_THAT(refusal([] { make_gaussian_mixture({.dimension = 2, .means = {1, 2, 3}}); }), HasSubstr("3 numbers"));
  EXPECT_THAT(refusal([] { make_gaussian_mixture({.dimension = 2, .means = {}}); }), HasSubstr("0 numbers"));
  EXPECT_THAT(refusal([] {
                make_gaussian_mixture({.dimension = 2, .means = {1, 2, 3, 4}, .weights = {1, 2, 3}});
              }),
              HasSubstr("3 entries for 2 means"));
}

// ---- known values ----

// log of the integral of exp(-E) over the box [-a, a] x [-b, b] (or [-a, a] in one dimension) by the trapezoidal rule, which converges
// exponentially for integrands that vanish at the ends. `place` maps grid points to states, with the logarithm of its Jacobian.
using Place = std::function<double(std::vector<double>&)>;
double log_partition(
    DifferentiableModel& model, std::vector<double> const& box, std::vector<Index> const& cells,
    Place const& place = [](auto&) { return 0.; }) {
  Points points;
  std::vector<double> log_jacobian;
  double cell = 1;
  for (std::size_t i = 0; i < box.size(); i++) cell *= 2 * box[i] / double(cells[i]);
  for (Index a = 0; a <= cells[0]; a++)
    for (Index b = 0; b <= (box.size() > 1 ? cells[1] : 0); b++) {
      points.push_back({box[0] * (2 * double(a) / double(cells[0]) - 1)});
      if (box.size() > 1) points.back().push_back(box[1] * (2 * double(b) / double(cells[1]) - 1));
      log_jacobian.push_back(place(points.back()));
    }
  auto const energy = evaluate_at(model, points, 256).energy;
  double sum = 0;
  for (std::size_t p = 0; p < energy.size(); p++) sum += std::exp(log_jacobian[p] - energy[p]);
  return std::log(sum * cell);
}

constexpr double quadrature_tolerance = is_double ? 1e-9 : 2e-6;  // float: energies up to 20 to half an ulp, averaged

TEST(DoubleWell, PartitionFunctionAndMinima) {
  auto const model = make_double_well({});
  EXPECT_NEAR(log_partition(*model, {5}, {4000}), 5.032284008600, quadrature_tolerance);
  auto const at = evaluate_at(*model, {{-1.4729976}, {1.3469974}, {.1260002}});
  for (auto const& g : at.gradient) EXPECT_NEAR(g[0], 0, is_double ? 2e-6 : 1e-5);  // positions to 1e-7, curvatures up to 18
  EXPECT_NEAR(at.energy[0], -5.4441920666, 1e-9 + 10 * rounding);  // flat there: exact to the square of the position's error
  auto const pair = evaluate_at(*make_double_well({.dimension = 2}), {{-1.4729976, .1260002}});
  EXPECT_NEAR(pair.energy[0], at.energy[0] + at.energy[2], 10 * rounding);
}

TEST(ManyWell, PartitionFunctionOfAPair) {
  auto const model = make_many_well({.dimension = 2});
  EXPECT_NEAR(log_partition(*model, {5, 9}, {400, 120}), 10.2934797071, quadrature_tolerance);
}

TEST(GaussianMixture, PartitionFunction) {
  for (auto const& o :
       {GaussianMixtureOptions{}, GaussianMixtureOptions{.dimension = 2, .means = {1, 0, -2, 1}, .weights = {1, 4}, .sigma = 0.8}}) {
    auto const model = make_gaussian_mixture(o);
    EXPECT_NEAR(log_partition(*model, {9, 9}, {400, 400}), std::log(2 * pi * o.sigma * o.sigma), quadrature_tolerance);
  }
}

// Far away the nearest mode alone counts: E = |x - mu|^2 / (2 sigma^2) - log w, its gradient linear, and nothing overflows.
TEST(GaussianMixture, FarPointsSeeTheNearestMode) {
  auto const model = make_gaussian_mixture({});
  Points points;
  for (double r : {1e2, 1e4, 1e8, 1e16, 1e18}) points.push_back({r, 0});
  auto const at = evaluate_at(*model, points);
  for (std::size_t p = 0; p < points.size(); p++) {
    double const u = points[p][0] - 4;
    EXPECT_NEAR(at.energy[p] / (2 * u * u + std::log(8.)), 1, 10 * rounding);
    EXPECT_NEAR(at.gradient[p][0] / (4 * u), 1, 10 * rounding);
    EXPECT_LE(std::abs(at.gradient[p][1]), 4 * 4 * rounding);
  }
}

TEST(Funnel, PartitionFunction) {
  FunnelOptions const o{.dimension = 2, .sigma = 1.5};
  auto const model = make_funnel(o);
  // x_1 = e^{v/2} u makes the integrand a product of Gaussians.
  Place const straighten = [](std::vector<double>& p) {
    p[1] *= std::exp(p[0] / 2);
    return p[0] / 2;
  };
  EXPECT_NEAR(log_partition(*model, {12, 9}, {200, 120}, straighten), std::log(o.sigma) + std::log(2 * pi), quadrature_tolerance);
  // In any dimension, at v = 0 and x = 1: (d - 1) / 2.
  EXPECT_NEAR(evaluate_at(*make_funnel({.dimension = 4}), {{0, 1, 1, 1}}).energy[0], 1.5, 1.5 * rounding);
}

TEST(Banana, PartitionFunction) {
  BananaOptions const o;
  auto const model = make_banana(o);
  Place const straighten = [&](std::vector<double>& p) {
    p[1] -= o.bend * (p[0] * p[0] - o.scale * o.scale);
    return 0.;
  };
  EXPECT_NEAR(log_partition(*model, {18, 9}, {200, 120}, straighten), std::log(o.scale) + std::log(2 * pi), is_double ? 1e-9 : 2e-5);
}

// Stationary points and heights as published in many places to three or more digits.
TEST(MuellerBrown, StationaryPoints) {
  double const temperature = 10;
  auto const at = evaluate_at(*make_mueller_brown({.temperature = temperature}), {{-0.558223634, 1.441725842},
                                                                                  {0.623499405, 0.028037759},
                                                                                  {-0.050010823, 0.466694105},
                                                                                  {-0.822001558, 0.624312803},
                                                                                  {0.212486582, 0.292988325}});
  double const heights[] = {-146.69951721, -108.16672412, -80.76781813, -40.66484351, -72.24894011};
  for (std::size_t p = 0; p < 5; p++) {
    EXPECT_NEAR(temperature * at.energy[p], heights[p], is_double ? 1e-6 : 3e-4) << p;
    for (double g : at.gradient[p])
      EXPECT_NEAR(temperature * g, 0, is_double ? 1e-4 : 1e-2) << p;  // positions to 1e-9, curvatures of thousands
  }
}

TEST(Phi4, EnergyIsItsDefinition) {
  Phi4Options const o{.dimension = 5, .beta = 3, .stiffness = 0.2};
  auto const points = random_points(20, o.dimension, 1.5);
  auto const at = evaluate_at(*make_phi4(o), points);
  double const h = 1. / 6;
  for (std::size_t p = 0; p < points.size(); p++) {
    double energy = 0, before = 0;
    for (double phi : points[p]) {
      energy +=
          o.beta * (o.stiffness / (2 * h) * (phi - before) * (phi - before) + h / (4 * o.stiffness) * (1 - phi * phi) * (1 - phi * phi));
      before = phi;
    }
    energy += o.beta * o.stiffness / (2 * h) * before * before;
    EXPECT_NEAR(at.energy[p], energy, 20 * rounding * energy);
  }
}

}  // namespace
