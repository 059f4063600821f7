// Networks and their jets against the definition in plain loops over double numbers, gradients against differences of that definition, and
// the layout of parameters. Energies on top of them: tests/models/test_mlp_energy.cpp.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <limits>

#include "core/copy.hpp"
#include "core/require.hpp"
#include "core/tiling.hpp"
#include "networks/mlp.hpp"

namespace {

using namespace partita;

std::size_t size(Index n) { return std::size_t(n); }

// A number with its first two derivatives along a direction.
using Taylor = std::array<double, 3>;

// f, f' and f'' at a, in closed form.
Taylor derivatives(Activation f, double a) {
  double const s = 1 / (1 + std::exp(-a)), t = std::tanh(a), phi = std::exp(-a * a / 2) / std::sqrt(2 * M_PI);
  double const cdf = std::erfc(-a / std::sqrt(2.)) / 2;
  switch (f) {
    case Activation::silu:
      return {a * s, s * (1 + a * (1 - s)), s * (1 - s) * (2 + a * (1 - 2 * s))};
    case Activation::softplus:
      return {std::log1p(std::exp(a)), s, s * (1 - s)};
    case Activation::tanh:
      return {t, 1 - t * t, -2 * t * (1 - t * t)};
    case Activation::gelu:
      return {a * cdf, cdf + a * phi, phi * (2 - a * a)};
  }
  return {};
}

std::vector<Taylor> jet_by_definition(Mlp const& m, Activation f, std::vector<double> const& theta, std::vector<Taylor> x) {
  for (Index k = 0; k < m.layers(); k++) {
    std::vector<Taylor> next;
    for (Index j = 0; j < m.outputs(k); j++) {
      Taylor a{theta[size(m.bias_offset(k) + j)]};
      for (Index i = 0; i < m.inputs(k); i++)
        for (std::size_t p = 0; p < 3; p++) a[p] += theta[size(m.weight_offset(k) + j * m.inputs(k) + i)] * x[size(i)][p];
      auto const y = derivatives(f, a[0]);
      next.push_back(k + 1 < m.layers() ? Taylor{y[0], y[1] * a[1], y[1] * a[2] + y[2] * a[1] * a[1]} : a);
    }
    x = next;
  }
  return x;
}

// Central differences at h and 2 h without their error of order h^2: what is left is about h^4 / 8 times the fifth derivative, and
// rounding of 1e-16 / h times the sum that is differentiated, 1e-10 together where all numbers are of order one.
double difference(std::function<double(double)> const& f) {
  double const h = 3e-3;
  auto const central = [&](double s) { return (f(s) - f(-s)) / (2 * s); };
  return (4 * central(h) - central(2 * h)) / 3;
}

struct Case {
  std::vector<Index> widths;
  Activation activation;
  Index tiles, lanes;
};

double wave(double speed, Index i) { return std::sin(speed * double(i) + 0.3); }

// Tiles of `rows` rows in storage of odd pitch, with numbers of order one.
struct Block {
  TileStorage storage;
  Tiles tiles;
  Block(Index count, Index rows, Index lanes, double speed)
      : storage("block", size(count), size(rows), size(lanes + 48)),
        tiles(Kokkos::subview(storage, Kokkos::ALL, Kokkos::ALL, std::make_pair(Index{0}, lanes))) {
    auto const host = Kokkos::create_mirror_view(storage);
    for (Index n = 0; n < std::ssize(host); n++) host.data()[n] = Real(1.4 * wave(speed, n));
    copy_array(storage, host);
  }
  auto host() const { return values_on_host(storage); }
};

// A network with parameters, points x, directions v, cotangents c and a place for outputs.
struct Trial {
  Case c;
  Mlp m{c.widths, c.activation};
  Index inputs = c.widths.front(), outputs = c.widths.back();
  Block x{c.tiles, inputs, c.lanes, 0.9}, v{c.tiles, inputs, c.lanes, 1.3}, gradient{c.tiles, inputs, c.lanes, 0};
  std::vector<Block> output, cotangent;
  Vector parameters{"theta", size(m.parameter_count())}, sum{"sum", size(m.parameter_count())};
  Vector work{"tape", size(c.tiles* m.tape_elements(c.lanes, 2))};
  std::vector<double> theta;

  explicit Trial(Case const& of) : c(of) {
    for (double speed : {0.7, 1.9, 2.3}) {
      output.emplace_back(c.tiles, outputs, c.lanes, 0);
      cotangent.emplace_back(c.tiles, outputs, c.lanes, speed);
    }
    auto const host = Kokkos::create_mirror_view(parameters);
    for (Index k = 0; k < m.layers(); k++)
      for (Index i = m.weight_offset(k); i < m.weight_offset(k + 1); i++) host(i) = Real(wave(12.9898, i) * m.initial_scale(k) * 1.4);
    copy_array(parameters, host);
    theta.assign(host.data(), host.data() + host.extent(0));
  }
  MlpTape tape(int order) const { return {work.data(), order}; }
  ConstTiles direction(int order) const { return order > 0 ? ConstTiles(v.tiles) : ConstTiles(); }
  void forward(int order) {
    Jet jet;
    for (std::size_t p = 0; p <= size(order); p++) jet[p] = output[p].tiles;
    m.forward(parameters, x.tiles, direction(order), jet, tape(order));
  }
  ConstJet cotangents(int order) const {
    ConstJet jet;
    for (std::size_t p = 0; p <= size(order); p++) jet[p] = cotangent[p].tiles;
    return jet;
  }
  void reverse(int order, Vector const& to, Tiles const& input_gradient) {
    forward(order);
    m.reverse(parameters, x.tiles, direction(order), cotangents(order), tape(order), to, input_gradient);
  }
  // The jet at x + shift e_i of a lane.
  std::vector<Taylor> expected(std::vector<double> const& at, Index tile, Index lane, Index i = 0, double shift = 0) const {
    auto const host_x = x.host(), host_v = v.host();
    std::vector<Taylor> point;
    for (Index n = 0; n < inputs; n++) point.push_back({host_x(tile, n, lane) + (n == i ? shift : 0), host_v(tile, n, lane), 0});
    return jet_by_definition(m, c.activation, at, point);
  }
  // The cotangents' weighted sum of the output's jet on one lane.
  double weighted(int order, std::vector<Taylor> const& jet, Index tile, Index lane) const {
    double total = 0;
    for (std::size_t p = 0; p <= size(order); p++) {
      auto const weight = cotangent[p].host();
      for (Index i = 0; i < outputs; i++) total += weight(tile, i, lane) * jet[size(i)][p];
    }
    return total;
  }
};

// Sums of at most a few hundred rounded terms, and as much again from the layer below; second derivatives are a few times larger than
// values.
constexpr double rounding = 200 * std::numeric_limits<Real>::epsilon();
// Of gradients: 1e-7 of the largest entry where the differences are the less accurate side (double), rounding where they are not.
constexpr double of_gradient = sizeof(Real) == 8 ? 1e-7 : rounding;

class MlpJet : public testing::TestWithParam<Case> {};

TEST_P(MlpJet, EqualsTheDefinition) {
  Trial t(GetParam());
  for (int order : {0, 1, 2}) {
    t.forward(order);
    for (int p = 0; p <= order; p++) {
      auto const got = t.output[size(p)].host();
      for (Index tile = 0; tile < t.c.tiles; tile++)
        for (Index lane = 0; lane < t.c.lanes; lane += 5) {
          auto const jet = t.expected(t.theta, tile, lane);
          for (Index i = 0; i < t.outputs; i++) {
            double const want = jet[size(i)][size(p)];
            ASSERT_NEAR(got(tile, i, lane), want, rounding * std::max(1., std::fabs(want)))
                << order << ' ' << p << ' ' << tile << ' ' << lane;
          }
        }
    }
  }
}

TEST_P(MlpJet, DefinitionHasTheDerivativesAlongTheDirection) {
  Trial t(GetParam());
  auto const host_x = t.x.host(), host_v = t.v.host();
  auto const at = [&](double step) {
    std::vector<Taylor> point;
    for (Index n = 0; n < t.inputs; n++) point.push_back({host_x(0, n, 3) + step * host_v(0, n, 3), host_v(0, n, 3), 0});
    return jet_by_definition(t.m, t.c.activation, t.theta, point)[0];
  };
  for (std::size_t p : {0, 1}) EXPECT_NEAR(at(0)[p + 1], difference([&](double s) { return at(s)[p]; }), 1e-6);
}

TEST_P(MlpJet, GradientInXIsTheDifference) {
  Trial t(GetParam());
  for (int order : {0, 1, 2}) {
    t.reverse(order, {}, t.gradient.tiles);
    auto const got = t.gradient.host();
    for (Index tile = 0; tile < t.c.tiles; tile++)
      for (Index lane : {Index{0}, t.c.lanes - 1})
        for (Index i = 0; i < t.inputs; i += 4) {
          double const want = difference([&](double s) { return t.weighted(order, t.expected(t.theta, tile, lane, i, s), tile, lane); });
          ASSERT_NEAR(got(tile, i, lane), want, 10 * of_gradient * std::max(1., std::fabs(want))) << order;
        }
  }
}

TEST_P(MlpJet, GradientInThetaIsTheDifference) {
  Trial t(GetParam());
  for (int order : {0, 1, 2}) {
    fill_array(t.sum, Real(0));
    t.reverse(order, t.sum, {});
    auto const got = values_on_host(t.sum);
    double largest = 0;
    for (std::size_t i = 0; i < got.extent(0); i++) largest = std::max(largest, std::fabs(double(got(i))));
    auto const loss = [&](std::vector<double> const& theta) {
      double total = 0;
      for (Index tile = 0; tile < t.c.tiles; tile++)
        for (Index lane = 0; lane < t.c.lanes; lane++) total += t.weighted(order, t.expected(theta, tile, lane), tile, lane);
      return total;
    };
    for (Index k = 0; k < t.m.layers(); k++)
      for (Index i : {t.m.weight_offset(k), t.m.weight_offset(k) + t.m.inputs(k) * t.m.outputs(k) / 2, t.m.bias_offset(k)}) {
        auto theta = t.theta;
        double const want = difference([&](double s) {
          theta[size(i)] = t.theta[size(i)] + s;
          return loss(theta);
        });
        ASSERT_NEAR(got(i), want, of_gradient * std::max(1., largest)) << "order " << order << " parameter " << i;
      }
  }
}

TEST_P(MlpJet, OneSweepGivesBothGradients) {
  Trial t(GetParam());
  t.reverse(1, {}, t.gradient.tiles);
  auto const in_x = t.gradient.host();
  t.reverse(1, t.sum, {});
  Vector const again("again", t.sum.extent(0));
  Block both(t.c.tiles, t.inputs, t.c.lanes, 0);
  t.reverse(1, again, both.tiles);
  auto const got_x = both.host();
  for (Index tile = 0; tile < t.c.tiles; tile++)
    for (Index i = 0; i < t.inputs; i++)
      for (Index lane = 0; lane < t.c.lanes; lane++) ASSERT_EQ(got_x(tile, i, lane), in_x(tile, i, lane));
  auto const one = values_on_host(t.sum);
  auto const two = values_on_host(again);
  EXPECT_EQ(std::memcmp(one.data(), two.data(), one.extent(0) * sizeof(Real)), 0);
}

using enum Activation;
INSTANTIATE_TEST_SUITE_P(Energies, MlpJet,
                         testing::Values(Case{{2, 40, 36, 1}, silu, 2, 64}, Case{{2, 8, 1}, softplus, 1, 16},
                                         Case{{4, 10, 7, 1}, tanh, 2, 48}, Case{{5, 9, 11, 13, 1}, gelu, 1, 32},
                                         Case{{60, 33, 1}, silu, 3, 16}, Case{{1, 1, 1}, tanh, 1, 16}));
INSTANTIATE_TEST_SUITE_P(ScoreNetworks, MlpJet,
                         testing::Values(Case{{2, 24, 20, 2}, silu, 2, 32}, Case{{3, 8, 3}, softplus, 1, 16},
                                         Case{{4, 10, 7, 9, 4}, tanh, 2, 48}, Case{{5, 9, 11, 8, 13, 5}, gelu, 1, 16},
                                         Case{{17, 12, 17}, silu, 3, 16}, Case{{6, 10, 3}, gelu, 1, 32}));

TEST(Mlp, PartsThatAreNotAskedForAreLeftOut) {
  Trial t({{5, 9, 7, 3}, silu, 2, 16}), u({{5, 9, 7, 3}, silu, 2, 16});
  t.forward(1);
  u.m.forward(u.parameters, u.x.tiles, u.v.tiles, {Tiles(), u.output[1].tiles}, u.tape(1));
  auto const want = t.output[1].host(), got = u.output[1].host();
  EXPECT_EQ(std::memcmp(want.data(), got.data(), want.size() * sizeof(Real)), 0);

  for (Block const* zero : {&t.cotangent[0]}) fill_array(zero->storage, Real(0));
  t.reverse(1, t.sum, {});
  u.m.reverse(u.parameters, u.x.tiles, u.v.tiles, {ConstTiles(), u.cotangent[1].tiles}, u.tape(1), u.sum, {});
  auto const given = values_on_host(t.sum);
  auto const absent = values_on_host(u.sum);
  EXPECT_EQ(std::memcmp(given.data(), absent.data(), given.extent(0) * sizeof(Real)), 0);
}

TEST(Mlp, ALaneDoesNotDependOnItsNeighboursNorOnTheNumberOfTiles) {
  Trial many({{2, 40, 36, 2}, silu, 3, 48}), one({{2, 40, 36, 2}, silu, 1, 48});
  for (auto [to, from] : {std::pair(&one.x, &many.x), std::pair(&one.v, &many.v)}) {
    fill_array(to->storage, Real(7));
    for (Index i = 0; i < 2; i++)
      fill_array(Kokkos::subview(to->storage, 0, i, 37), values_on_host(Kokkos::subview(from->storage, 2, i, 37))());
  }
  many.forward(2);
  one.forward(2);
  for (std::size_t p : {0, 1, 2})
    for (Index i = 0; i < 2; i++) EXPECT_EQ(one.output[p].host()(0, i, 37), many.output[p].host()(2, i, 37));
}

TEST(Mlp, ParametersLieLayerAfterLayer) {
  Mlp const m({3, 5, 4, 1}, Activation::silu);
  EXPECT_EQ(m.layers(), 3);
  EXPECT_EQ(m.weight_offset(0), 0);
  EXPECT_EQ(m.bias_offset(0), 15);
  EXPECT_EQ(m.weight_offset(1), 20);
  EXPECT_EQ(m.bias_offset(1), 40);
  EXPECT_EQ(m.weight_offset(2), 44);
  EXPECT_EQ(m.bias_offset(2), 48);
  EXPECT_EQ(m.parameter_count(), 49);
}

TEST(Mlp, InitialScalesAreHeBelowRectifiersAndLeCunElsewhere) {
  Mlp const silu({8, 32, 50, 1}, Activation::silu), tanh({8, 32, 50, 1}, Activation::tanh);
  EXPECT_DOUBLE_EQ(silu.initial_scale(0), 0.5);
  EXPECT_DOUBLE_EQ(silu.initial_scale(1), 0.25);
  EXPECT_DOUBLE_EQ(silu.initial_scale(2), std::sqrt(1. / 50));
  EXPECT_DOUBLE_EQ(tanh.initial_scale(0), std::sqrt(1. / 8));
}

void expect_usage_failure(std::function<void()> const& make) {
  try {
    make();
    ADD_FAILURE() << "was accepted";
  } catch (Failure const& f) {
    EXPECT_EQ(f.code(), ExitCode::usage);
    EXPECT_EQ(f.where(), FailedOn::all_ranks);
  }
}

TEST(Mlp, RefusesWhatIsNoNetwork) {
  for (std::vector<Index> const& widths : {std::vector<Index>{}, {2}, {2, 1}, {0, 8, 1}, {2, -1, 1}, {2, 8, 0}})
    expect_usage_failure([&] { Mlp const m(widths, Activation::silu); });
}

TEST(Activation, IsNamed) {
  EXPECT_EQ(activation_named("gelu"), Activation::gelu);
  EXPECT_EQ(activation_named("softplus"), Activation::softplus);
  expect_usage_failure([] { activation_named("relu"); });
}

}  // namespace
