#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "../refusal.hpp"
#include "core/copy.hpp"
#include "core/require.hpp"
#include "models/mlp_energy.hpp"
#include "models/mlp_score.hpp"

// Score networks, and networks conditioned on noise.
namespace {

using namespace partita;

constexpr bool in_double = sizeof(Real) == 8;
constexpr Index tiles = 2, lanes = 32, d = 3;
constexpr double highest = 2, lowest = 0.25, quadratic = 0.4;

double number(Index i) { return 1.5 * std::sin(12.9898 * double(i) + 0.3); }
Tiles view(TileStorage const& v) { return Kokkos::subview(v, Kokkos::ALL, Kokkos::ALL, std::make_pair(Index{0}, lanes)); }
TileScalars view(TileScalarStorage const& v) { return Kokkos::subview(v, Kokkos::ALL, std::make_pair(Index{0}, lanes)); }
TileStorage storage(Index rows = d) { return TileStorage("test", tiles, rows, 64); }
TileScalarStorage scalars() { return TileScalarStorage("test", tiles, 64); }

template <class F>
void fill(TileStorage const& to, F const& f) {
  auto const host = Kokkos::create_mirror_view(to);
  for (Index t = 0; t < tiles; t++)
    for (std::size_t i = 0; i < to.extent(1); i++)
      for (Index l = 0; l < lanes; l++) host(t, i, l) = Real(f(t, Index(i), l));
  copy_array(to, host);
}
double point(Index t, Index i, Index l) { return 1.2 * std::sin(0.7 * double((t * lanes + l) * d + i)); }
double direction(Index t, Index i, Index l) { return std::cos(1.3 * double((t * lanes + l) * d + i) + 0.2); }
double sigma_of(Index t, Index l) { return 0.3 + 0.05 * double(t * lanes + l); }

template <class Network>
Network make(Index noise_levels, Index extra_inputs = 0, double lambda = quadratic) {
  Index const outputs = std::is_same_v<Network, MlpEnergy> ? 1 : d;
  Network m({.layers = {d + extra_inputs, 14, 10, outputs},
             .activation = "silu",
             .quadratic = lambda,
             .noise_levels = noise_levels,
             .noise_highest = highest,
             .noise_lowest = lowest});
  m.initialise(number);
  return m;
}

// Fourth-order central differences, see test_mlp_energy.cpp.
double difference(std::function<double(double)> const& f) {
  double const h = in_double ? 2e-3 : 6e-2;
  auto const central = [&](double s) { return (f(s) - f(-s)) / (2 * s); };
  return (4 * central(h) - central(2 * h)) / 3;
}
constexpr double tolerance = in_double ? 1e-7 : 3e-3;

auto host(TileStorage const& v) { return values_on_host(v); }
auto host(TileScalarStorage const& v) { return values_on_host(v); }

TileScalarStorage noise_of_lanes() {
  auto const sigma = scalars();
  auto const to = Kokkos::create_mirror_view(sigma);
  for (Index t = 0; t < tiles; t++)
    for (Index l = 0; l < lanes; l++) to(t, l) = Real(sigma_of(t, l));
  copy_array(sigma, to);
  return sigma;
}

template <class Network>
struct Score : testing::Test {};
using Networks = testing::Types<MlpEnergy, MlpScore>;
TYPED_TEST_SUITE(Score, Networks);

// v.g is g along v, and v'(dg/dx)v its difference along v, with and without noise.
TYPED_TEST(Score, DerivativesAlongADirectionAreThoseOfTheGradient) {
  for (Index levels : {0, 4}) {
    auto m = make<TypeParam>(levels);
    m.set_noise(view(noise_of_lanes()));
    auto const x = storage(), v = storage(), g = storage(), moved = storage();
    auto const first = scalars(), second = scalars();
    fill(x, point), fill(v, direction);
    m.gradient(view(x), view(g));
    m.directional_forward(view(x), view(v), 2, view(first), view(second));
    auto const along = [&](Index t, Index l, double s) {
      fill(moved, [&](Index tt, Index i, Index ll) { return point(tt, i, ll) + s * direction(tt, i, ll); });
      m.gradient(view(moved), view(g));
      auto const at = host(g);
      double sum = 0;
      for (Index i = 0; i < d; i++) sum += direction(t, i, l) * at(t, i, l);
      return sum;
    };
    auto const d1 = host(first), d2 = host(second);
    for (Index t = 0; t < tiles; t++)
      for (Index l : {Index{0}, lanes - 1}) {
        double const value = along(t, l, 0), slope = difference([&](double s) { return along(t, l, s); });
        ASSERT_NEAR(d1(t, l), value, 500 * std::numeric_limits<Real>::epsilon() * std::max(1., std::abs(value)));
        ASSERT_NEAR(d2(t, l), slope, tolerance * std::max(1., std::abs(slope))) << levels;
      }
  }
}

TYPED_TEST(Score, ReverseOfSeveralTilesIsTheDifferenceInTheParameters) {
  for (Index levels : {0, 4})
    for (int order : {1, 2}) {
      auto m = make<TypeParam>(levels);
      m.set_noise(view(noise_of_lanes()));
      auto const x = storage(), v = storage();
      auto const first = scalars(), second = scalars(), c1 = noise_of_lanes(), c2 = noise_of_lanes();
      fill(x, point), fill(v, direction);
      Vector const sum("sum", m.parameters().extent(0));
      m.directional_forward(view(x), view(v), order, view(first), order > 1 ? view(second) : TileScalars());
      m.directional_reverse(view(x), view(c1), order > 1 ? ConstTileScalars(view(c2)) : ConstTileScalars(), sum);
      auto const gradient = values_on_host(sum);
      auto const value = [&] {
        m.directional_forward(view(x), view(v), order, view(first), order > 1 ? view(second) : TileScalars());
        auto const a = host(first), b = host(second), c = host(c1);
        double s = 0;
        for (Index t = 0; t < tiles; t++)
          for (Index l = 0; l < lanes; l++) s += double(c(t, l)) * (a(t, l) + (order > 1 ? double(b(t, l)) : 0.));
        return s;
      };
      double largest = 1;
      for (std::size_t k = 0; k < gradient.extent(0); k++) largest = std::max(largest, std::abs(double(gradient(k))));
      for (std::size_t k = 0; k < gradient.extent(0); k += in_double ? 3 : 11) {
        auto const entry = Kokkos::subview(m.parameters(), k);
        Real const kept = values_on_host(entry)();
        double const want = difference([&](double s) {
          fill_array(entry, Real(kept + s));
          return value();
        });
        fill_array(entry, kept);
        ASSERT_NEAR(gradient(k), want, tolerance * largest) << "order " << order << " levels " << levels << " parameter " << k;
      }
    }
}

// The reverse pass of v.g with g from gradient_forward is that of the first derivative along v, tile by tile.
template <class Network>
void expect_reverse_of_gradient(Index dimension, std::vector<Index> hidden, std::string const& activation, Index levels) {
  std::vector<Index> layers{dimension};
  layers.insert(layers.end(), hidden.begin(), hidden.end());
  layers.push_back(std::is_same_v<Network, MlpEnergy> ? 1 : dimension);
  Network m({.layers = layers,
             .activation = activation,
             .quadratic = quadratic,
             .noise_levels = levels,
             .noise_highest = highest,
             .noise_lowest = lowest});
  m.initialise(number);
  m.set_noise(view(noise_of_lanes()));
  auto const x = storage(dimension), v = storage(dimension), g = storage(dimension), alone = storage(dimension);
  fill(x, point), fill(v, direction);
  auto const ones = scalars();
  fill_array(ones, Real(1));
  Vector const want("want", m.parameters().extent(0)), got("got", m.parameters().extent(0));
  m.directional_forward(view(x), view(v), 1, {}, {});
  m.directional_reverse(view(x), view(ones), {}, want);
  m.gradient(view(x), view(alone));
  m.gradient_forward(view(x), view(g));
  m.gradient_reverse(view(x), view(v), got);
  auto const a = host(g), b = host(alone);
  for (Index t = 0; t < tiles; t++)
    for (Index i = 0; i < dimension; i++)
      for (Index l = 0; l < lanes; l++)
        ASSERT_NEAR(a(t, i, l), b(t, i, l), 50 * std::numeric_limits<Real>::epsilon() * (1 + std::abs(b(t, i, l))));
  auto const first = values_on_host(want), second = values_on_host(got);
  double largest = 1;
  for (std::size_t k = 0; k < first.extent(0); k++) largest = std::max(largest, std::abs(double(first(k))));
  for (std::size_t k = 0; k < first.extent(0); k++)
    ASSERT_NEAR(first(k), second(k), 200 * std::numeric_limits<Real>::epsilon() * largest)
        << activation << " inputs " << dimension << " parameter " << k;
}
TYPED_TEST(Score, ReverseOfTheGradientIsThatOfTheDerivativeAlongTheDirection) {
  for (char const* activation : {"silu", "softplus", "tanh", "gelu"})
    for (Index dimension : {2, 7}) {
      expect_reverse_of_gradient<TypeParam>(dimension, {12}, activation, 0);
      expect_reverse_of_gradient<TypeParam>(dimension, {14, 10, 12}, activation, 0);
    }
  expect_reverse_of_gradient<TypeParam>(2, {14, 10}, "silu", 4);
  expect_reverse_of_gradient<TypeParam>(7, {14, 10}, "silu", 4);
}

TYPED_TEST(Score, NoiseOfEachLaneIsThatOfAll) {
  auto const m = make<TypeParam>(4);
  auto const x = storage(), each = storage(), all = storage();
  fill(x, point);
  m.set_noise(view(noise_of_lanes()));
  m.gradient(view(x), view(each));
  auto const a = host(each);
  for (auto const& [t, l] : {std::pair<Index, Index>{0, 0}, {0, 17}, {1, 31}}) {
    m.set_noise(double(Real(sigma_of(t, l))));
    m.gradient(view(x), view(all));
    auto const b = host(all);
    for (Index i = 0; i < d; i++) EXPECT_EQ(a(t, i, l), b(t, i, l));
  }
}

TYPED_TEST(Score, StartsAtTheLowestNoiseOfAGeometricLadder) {
  auto const m = make<TypeParam>(4);
  EXPECT_EQ(m.dimension(), d);
  auto const sigma = m.noise_levels();
  ASSERT_EQ(sigma.size(), 4u);
  for (std::size_t k = 0; k < 4; k++) EXPECT_NEAR(sigma[k], highest / std::pow(2., double(k)), 1e-12);
  auto const x = storage(), at_start = storage(), at_lowest = storage();
  fill(x, point);
  m.gradient(view(x), view(at_start));
  m.set_noise(lowest);
  m.gradient(view(x), view(at_lowest));
  EXPECT_EQ(host(at_start)(1, 2, 5), host(at_lowest)(1, 2, 5));
  EXPECT_TRUE(make<TypeParam>(0).noise_levels().empty());
}

// A network that is not conditioned on noise is one function: the values and all derivatives keep their bits, whatever noise is set.
TYPED_TEST(Score, WithoutLevelsOfNoiseNoiseChangesNothing) {
  auto m = make<TypeParam>(0);
  auto const x = storage(), v = storage();
  fill(x, point), fill(v, direction);
  auto const values = [&] {
    auto const g = storage(), taped = storage();
    auto const first = scalars(), second = scalars(), ones = scalars();
    fill_array(ones, Real(1));
    Vector const along("along", m.parameters().extent(0)), of_gradient("of gradient", m.parameters().extent(0));
    m.gradient(view(x), view(g));
    m.directional_forward(view(x), view(v), 2, view(first), view(second));
    m.directional_reverse(view(x), view(ones), view(ones), along);
    m.gradient_forward(view(x), view(taped));
    m.gradient_reverse(view(x), view(v), of_gradient);
    std::vector<Real> all;
    auto const add = [&](auto const& part) {
      auto const at = values_on_host(part);
      all.insert(all.end(), at.data(), at.data() + at.size());
    };
    add(g), add(taped), add(first), add(second), add(along), add(of_gradient);
    return all;
  };
  auto const at_start = values();
  m.set_noise(0.3);
  EXPECT_EQ(values(), at_start);
  m.set_noise(view(noise_of_lanes()));
  EXPECT_EQ(values(), at_start);
}

// s(x) = W1 silu(W0 x + b0) + b1 - lambda x, once more in plain double.
TEST(ScoreNetwork, IsItsOutputMinusTheQuadraticTerm) {
  constexpr Index hidden = 6;
  MlpScore m({.layers = {d, hidden, d}, .activation = "silu", .quadratic = quadratic});
  auto const theta = Kokkos::create_mirror_view(m.parameters());
  for (std::size_t k = 0; k < theta.extent(0); k++) theta(k) = Real(number(Index(k)));
  copy_array(m.parameters(), theta);
  auto const at = [&](Index k) { return double(theta(k)); };
  auto const x = storage(), g = storage();
  fill(x, point);
  m.set_noise(0.5);
  m.gradient(view(x), view(g));
  auto const got = host(g), where = host(x);
  Index const b0 = hidden * d, w1 = b0 + hidden, b1 = w1 + d * hidden;
  for (Index l = 0; l < lanes; l++)
    for (Index i = 0; i < d; i++) {
      double s = at(b1 + i) - quadratic * where(1, i, l);
      for (Index k = 0; k < hidden; k++) {
        double a = at(b0 + k);
        for (Index j = 0; j < d; j++) a += at(k * d + j) * where(1, j, l);
        s += at(w1 + i * hidden + k) * a / (1 + std::exp(-a));
      }
      EXPECT_NEAR(got(1, i, l), -s, 100 * std::numeric_limits<Real>::epsilon() * (1 + std::abs(s)));
    }
}

// N(c x, log sigma) / sigma + lambda_sigma/2 |x|^2, c = 1 / sqrt(1 + sigma^2): the plain network on one more input, with the same
// parameters.
TEST(ConditionedEnergy, IsThePlainEnergyOfXAndLogSigmaOverSigma) {
  auto const m = make<MlpEnergy>(4), plain = make<MlpEnergy>(0, 1, 0.);
  double const sigma = 0.5, c = 1 / std::sqrt(1 + sigma * sigma), with_sigma = quadratic / (1 + quadratic * sigma * sigma);
  m.set_noise(sigma);
  auto const x = storage(), with_noise = storage(d + 1), g = storage(), g_plain = storage(d + 1);
  auto const e = scalars(), alone = scalars(), e_plain = scalars();
  fill(x, point);
  fill(with_noise, [&](Index t, Index i, Index l) { return i < d ? c * point(t, i, l) : std::log(sigma); });
  m.energy_and_gradient(view(x), view(e), view(g));
  m.energy(view(x), view(alone));
  plain.energy_and_gradient(view(with_noise), view(e_plain), view(g_plain));
  auto const ge = host(e), ga = host(alone), gp = host(e_plain);
  auto const a = host(g), b = host(g_plain);
  double const rounding = 50 * std::numeric_limits<Real>::epsilon();
  for (Index t = 0; t < tiles; t++)
    for (Index l = 0; l < lanes; l++) {
      double square = 0;
      for (Index i = 0; i < d; i++) {
        square += point(t, i, l) * point(t, i, l);
        EXPECT_NEAR(a(t, i, l), c * b(t, i, l) / sigma + with_sigma * point(t, i, l), rounding * (1 + std::abs(double(a(t, i, l)))));
      }
      EXPECT_NEAR(ge(t, l), gp(t, l) / sigma + 0.5 * with_sigma * square, rounding * (1 + std::abs(double(ge(t, l)))));
      EXPECT_EQ(ge(t, l), ga(t, l));
    }
}

TEST(ScoreNetworks, RefuseLayersAndLaddersThatMakeNoSense) {
  EXPECT_THAT(refusal([] { MlpScore({.layers = {2, 8, 1}}); }), testing::HasSubstr("one for each input"));
  EXPECT_THAT(refusal([] { MlpScore(MlpOptions{}); }), testing::HasSubstr("0 widths"));
  EXPECT_THAT(refusal([] { MlpScore({.layers = {2, 8, 2}, .noise_levels = 1}); }), testing::HasSubstr("at least two"));
  EXPECT_THAT(refusal([] {
                MlpEnergy({.layers = {2, 8, 1}, .noise_levels = 5, .noise_highest = 0.1, .noise_lowest = 1});
              }),
              testing::HasSubstr("decreasing order"));
}

}  // namespace
