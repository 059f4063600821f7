// The neural energy: gradients in x and theta against central differences, and what each lane may depend on.
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstring>
#include <limits>

#include "core/copy.hpp"
#include "core/require.hpp"
#include "core/tiling.hpp"
#include "models/mlp_energy.hpp"

namespace {

using namespace partita;

// Central differences with h = cbrt(epsilon) are wrong by about h^2 E'''/6 + epsilon |E| / h: 1e-10 in double where all is of order one,
// and 1e-7 leaves room for larger derivatives; in float the same sum is 1e-4, and the largest of a thousand entries a few times that.
constexpr bool in_double = sizeof(Real) == 8;
constexpr double step = in_double ? 6e-6 : 1e-2, gradient_tolerance = in_double ? 1e-7 : 4e-3;

double normal(Index i) { return 1.5 * std::sin(12.9898 * double(i) + 0.3); }  // a spread of numbers of order one

Tiles view(TileStorage const& v, Index lanes) { return Kokkos::subview(v, Kokkos::ALL, Kokkos::ALL, std::make_pair(Index{0}, lanes)); }
TileScalars view(TileScalarStorage const& v, Index lanes) { return Kokkos::subview(v, Kokkos::ALL, std::make_pair(Index{0}, lanes)); }

// Points on `tiles` tiles of `lanes` lanes, and what a model says about them.
struct Points {
  Index tiles, lanes, d;
  TileStorage x, gradient;
  TileScalarStorage energy;

  Points(Index t, Index l, Index dimension) : tiles(t), lanes(l), d(dimension) {
    auto const n = [](Index i) { return std::size_t(i); };
    Index const pitch = round_up(l, pitch_quantum);
    x = TileStorage("x", n(t), n(d), n(pitch));
    gradient = TileStorage("gradient", n(t), n(d), n(pitch));
    energy = TileScalarStorage("energy", n(t), n(pitch));
    auto const host = Kokkos::create_mirror_view(x);
    for (Index tile = 0; tile < t; tile++)
      for (Index i = 0; i < d; i++)
        for (Index lane = 0; lane < l; lane++) host(tile, i, lane) = Real(1.2 * std::sin(0.7 * double((tile * l + lane) * d + i)));
    copy_array(x, host);
  }
  void set(Index tile, Index i, Index lane, Real value) { fill_array(Kokkos::subview(x, tile, i, lane), value); }
  Real at(Index tile, Index i, Index lane) const { return read(Kokkos::subview(x, tile, i, lane)); }
  Real energy_at(Index tile, Index lane) const { return read(Kokkos::subview(energy, tile, lane)); }
  Real gradient_at(Index tile, Index i, Index lane) const { return read(Kokkos::subview(gradient, tile, i, lane)); }
  void evaluate(MlpEnergy const& m) { m.energy_and_gradient(view(x, lanes), view(energy, lanes), view(gradient, lanes)); }
  void forward(MlpEnergy& m) { m.jet_forward(view(x, lanes), {}, 0, view(energy, lanes), {}, {}); }

  template <class View>
  static Real read(View const& v) {
    return values_on_host(v)();
  }
};

MlpEnergy make(std::vector<Index> layers, std::string const& activation, double quadratic = 0) {
  MlpEnergy m({.layers = std::move(layers), .activation = activation, .quadratic = quadratic});
  m.initialise(normal);
  return m;
}

// Weights c of the lanes.
TileScalarStorage weights(Points const& p) {
  TileScalarStorage c("c", p.energy.extent(0), p.energy.extent(1));
  auto const host = Kokkos::create_mirror_view(c);
  for (Index t = 0; t < p.tiles; t++)
    for (Index l = 0; l < p.lanes; l++) host(t, l) = Real(std::cos(1.1 * double(t * p.lanes + l)) / double(p.tiles * p.lanes));
  copy_array(c, host);
  return c;
}

std::vector<Real> parameter_gradient(MlpEnergy& m, Points& p, TileScalarStorage const& c) {
  Vector const sum("sum", m.parameters().extent(0));
  p.forward(m);
  m.jet_reverse(view(p.x, p.lanes), view(c, p.lanes), {}, {}, sum);
  auto const host = values_on_host(sum);
  return {host.data(), host.data() + host.extent(0)};
}

struct Case {
  std::vector<Index> layers;
  std::string activation;
  double quadratic;
  Index tiles, lanes;
};

class MlpEnergyGradient : public testing::TestWithParam<Case> {};

TEST_P(MlpEnergyGradient, InXIsTheCentralDifference) {
  auto const& [layers, activation, quadratic, tiles, lanes] = GetParam();
  MlpEnergy const m = make(layers, activation, quadratic);
  Points p(tiles, lanes, m.dimension()), shifted(tiles, lanes, m.dimension());
  p.evaluate(m);
  for (Index tile = 0; tile < tiles; tile++)
    for (Index lane : {Index{0}, lanes / 2, lanes - 1})
      for (Index i = 0; i < m.dimension(); i += 3) {
        Real const x = p.at(tile, i, lane);
        double const up = x + step, down = x - step;
        shifted.set(tile, i, lane, Real(up));
        shifted.evaluate(m);
        double difference = shifted.energy_at(tile, lane);
        shifted.set(tile, i, lane, Real(down));
        shifted.evaluate(m);
        difference -= shifted.energy_at(tile, lane);
        shifted.set(tile, i, lane, x);
        ASSERT_NEAR(p.gradient_at(tile, i, lane), difference / (double(Real(up)) - Real(down)), gradient_tolerance);
      }
}

TEST_P(MlpEnergyGradient, InThetaIsTheCentralDifference) {
  auto const& [layers, activation, quadratic, tiles, lanes] = GetParam();
  MlpEnergy m = make(layers, activation, quadratic);
  Points p(tiles, lanes, m.dimension());
  auto const c = weights(p);
  auto const gradient = parameter_gradient(m, p, c);
  auto const host_c = values_on_host(c);
  auto const loss = [&] {
    m.parameters_changed();
    p.forward(m);
    auto const energy = values_on_host(p.energy);
    double sum = 0;
    for (Index t = 0; t < tiles; t++)
      for (Index l = 0; l < lanes; l++) sum += double(host_c(t, l)) * energy(t, l);
    return sum;
  };
  auto const n = std::ssize(gradient);
  std::vector<Index> chosen;  // every array's first and last entry, and some between
  for (auto const& block : m.parameter_blocks()) {
    Index size = 1;
    for (Index e : block.extents) size *= e;
    for (Index i : {Index{0}, size / 3, size / 2, size - 1}) chosen.push_back(block.offset + i);
  }
  for (Index i : chosen) {
    ASSERT_LT(i, n);
    auto const entry = Kokkos::subview(m.parameters(), i);
    Real const theta = Points::read(entry);
    auto const at = [&](double value) {
      fill_array(entry, Real(value));
      return loss();
    };
    double const up = theta + step, down = theta - step;
    double const difference = (at(up) - at(down)) / (double(Real(up)) - Real(down));
    fill_array(entry, theta);
    ASSERT_NEAR(gradient[i], difference, gradient_tolerance) << "parameter " << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Networks, MlpEnergyGradient,
                         testing::Values(Case{{2, 16, 1}, "silu", 0, 1, 16}, Case{{2, 24, 16, 1}, "softplus", 0, 1, 64},
                                         Case{{3, 16, 12, 10, 1}, "tanh", 0.5, 2, 48}, Case{{7, 12, 11, 10, 9, 1}, "gelu", 0, 1, 32},
                                         Case{{9, 20, 1}, "gelu", 2, 2, 16}, Case{{2, 64, 64, 1}, "silu", 0.1, 1, 256},
                                         Case{{20, 30, 20, 1}, "silu", 0, 3, 16}));

bool same_bits(Real a, Real b) { return std::memcmp(&a, &b, sizeof a) == 0; }

TEST(MlpEnergy, ALaneDoesNotDependOnItsNeighboursNorOnTheNumberOfTiles) {
  MlpEnergy const m = make({2, 128, 128, 1}, "silu");
  Points many(3, 64, 2), one(1, 64, 2);
  many.evaluate(m);
  for (Index i = 0; i < 2; i++)
    for (Index lane = 0; lane < 64; lane++) one.set(0, i, lane, lane == 37 ? many.at(2, i, 37) : Real(100));
  one.evaluate(m);
  EXPECT_TRUE(same_bits(one.energy_at(0, 37), many.energy_at(2, 37)));
  for (Index i = 0; i < 2; i++) EXPECT_TRUE(same_bits(one.gradient_at(0, i, 37), many.gradient_at(2, i, 37)));
}

TEST(MlpEnergy, ABatchOfOneIsItsRowOfABatchOfManyToRounding) {
  MlpEnergy const m = make({5, 96, 64, 1}, "gelu");
  Points many(1, 240, 5);
  many.evaluate(m);
  for (Index lane : {0, 100, 239}) {
    Points one(1, 16, 5);
    for (Index i = 0; i < 5; i++) one.set(0, i, 0, many.at(0, i, lane));
    one.evaluate(m);
    double const tolerance = 100 * std::numeric_limits<Real>::epsilon();  // sums of 96 terms of order one in another order
    EXPECT_NEAR(one.energy_at(0, 0), many.energy_at(0, lane), tolerance);
    for (Index i = 0; i < 5; i++) EXPECT_NEAR(one.gradient_at(0, i, 0), many.gradient_at(0, i, lane), tolerance);
  }
}

TEST(MlpEnergy, NanStaysInItsLane) {
  for (std::vector<Index> const& layers : {std::vector<Index>{2, 32, 32, 1}, {12, 32, 1}}) {
    MlpEnergy const m = make(layers, "silu", 0.1);
    Points clean(1, 48, m.dimension()), bad(1, 48, m.dimension());
    clean.evaluate(m);
    bad.set(0, 1, 17, std::numeric_limits<Real>::quiet_NaN());
    bad.evaluate(m);
    for (Index lane = 0; lane < 48; lane++) {
      if (lane == 17) {
        EXPECT_TRUE(std::isnan(bad.energy_at(0, lane)));
        for (Index i = 0; i < m.dimension(); i++) EXPECT_TRUE(std::isnan(bad.gradient_at(0, i, lane)));
      } else {
        EXPECT_TRUE(same_bits(bad.energy_at(0, lane), clean.energy_at(0, lane)));
        for (Index i = 0; i < m.dimension(); i++) EXPECT_TRUE(same_bits(bad.gradient_at(0, i, lane), clean.gradient_at(0, i, lane)));
      }
    }
  }
}

TEST(MlpEnergy, JetOfOrderZeroIsTheEnergy) {
  MlpEnergy m = make({2, 32, 32, 1}, "tanh", 0.3);
  Points p(3, 32, 2), q(3, 32, 2);
  p.evaluate(m);
  q.forward(m);
  for (Index t = 0; t < 3; t++)
    for (Index l = 0; l < 32; l++) EXPECT_TRUE(same_bits(p.energy_at(t, l), q.energy_at(t, l)));
}

TEST(MlpEnergy, ParameterGradientSurvivesOtherEvaluationsInBetween) {
  MlpEnergy m = make({2, 32, 32, 1}, "silu");
  Points p(2, 32, 2), other(1, 64, 2);
  auto const c = weights(p);
  auto const wanted = parameter_gradient(m, p, c);
  Vector const sum("sum", m.parameters().extent(0));
  p.forward(m);
  other.evaluate(m);
  m.jet_reverse(view(p.x, 32), view(c, 32), {}, {}, sum);
  m.jet_reverse(view(p.x, 32), view(c, 32), {}, {}, sum);  // adds
  auto const got = values_on_host(sum);
  for (std::size_t i = 0; i < wanted.size(); i++) ASSERT_NEAR(got(i), 2 * wanted[i], 1e-5 + 1e-5 * std::fabs(wanted[i]));
}

// Points with directions v, and the jet (E, D_v E, D_v^2 E) there.
struct JetPoints {
  Points x, v;
  TileScalarStorage part[3];

  JetPoints(Index tiles, Index lanes, Index dimension) : x(tiles, lanes, dimension), v(tiles, lanes, dimension) {
    auto const host = Kokkos::create_mirror_view(v.x);
    for (Index i = 0; i < std::ssize(host); i++) host.data()[i] = Real(std::cos(1.9 * double(i)));
    copy_array(v.x, host);
    for (auto& p : part) p = TileScalarStorage("part", x.energy.extent(0), x.energy.extent(1));
  }
  void forward(MlpEnergy& m, int order) {
    m.jet_forward(view(x.x, x.lanes), order > 0 ? view(v.x, x.lanes) : Tiles(), order, view(part[0], x.lanes),
                  order > 0 ? view(part[1], x.lanes) : TileScalars(), order > 1 ? view(part[2], x.lanes) : TileScalars());
  }
  Real at(int p, Index tile, Index lane) const { return Points::read(Kokkos::subview(part[p], tile, lane)); }
  // Weights of part p: of both signs, different for each part.
  TileScalarStorage weights(int p) const {
    TileScalarStorage c("c", x.energy.extent(0), x.energy.extent(1));
    auto const host = Kokkos::create_mirror_view(c);
    for (Index i = 0; i < std::ssize(host); i++) host.data()[i] = Real(std::cos((1.1 + p) * double(i) + p) / double(x.tiles * x.lanes));
    copy_array(c, host);
    return c;
  }
  std::vector<Real> gradient(MlpEnergy& m, int order, std::array<TileScalarStorage, 3> const& c) {
    Vector const sum("sum", m.parameters().extent(0));
    auto const weight = [&](int p) { return c[p].data() != nullptr ? view(c[p], x.lanes) : TileScalars(); };
    forward(m, order);
    m.jet_reverse(view(x.x, x.lanes), weight(0), weight(1), weight(2), sum);
    auto const host = values_on_host(sum);
    return {host.data(), host.data() + host.extent(0)};
  }
};

// Central differences at h and 2 h without their error of order h^2: what is left is about h^4 / 8 times the fifth derivative, and epsilon
// / h times the sum that is differentiated. With numbers of order ten that is some 1e-10 in double, 1e-4 in float.
template <class Function>
double difference(Function const& f) {
  double const h = in_double ? 2e-3 : 6e-2;
  auto const central = [&](double s) { return (f(s) - f(-s)) / (2 * s); };
  return (4 * central(h) - central(2 * h)) / 3;
}
constexpr double jet_tolerance = in_double ? 1e-7 : 3e-3;  // relative to the largest entry, or to one

struct JetCase {
  Index dimension, hidden_layers;
  std::string activation;
};

class MlpEnergyJet : public testing::TestWithParam<JetCase> {
 protected:
  static constexpr Index tiles = 2, lanes = 16;
  MlpEnergy model() const {
    auto const& [d, depth, activation] = GetParam();
    std::vector<Index> layers{d};
    for (Index k = 0; k < depth; k++) layers.push_back(14 - 2 * k);
    layers.push_back(1);
    return make(layers, activation, 0.4);
  }
};

// x + s v of every lane.
void move(JetPoints& to, JetPoints const& from, double s) {
  auto const x = values_on_host(from.x.x), v = values_on_host(from.v.x);
  auto const host = Kokkos::create_mirror_view(to.x.x);
  for (std::size_t i = 0; i < host.size(); i++) host.data()[i] = Real(x.data()[i] + s * v.data()[i]);
  copy_array(to.x.x, host);
}

TEST_P(MlpEnergyJet, FirstPartIsTheGradientAlongTheDirection) {
  MlpEnergy m = model();
  JetPoints p(tiles, lanes, m.dimension());
  p.forward(m, 2);
  p.x.evaluate(m);
  double const tolerance =
      200 * std::numeric_limits<Real>::epsilon();  // sums of some tens of rounded numbers of order one, three layers on
  for (Index t = 0; t < tiles; t++)
    for (Index l = 0; l < lanes; l++) {
      double along = 0;
      for (Index i = 0; i < m.dimension(); i++) along += double(p.v.at(t, i, l)) * p.x.gradient_at(t, i, l);
      ASSERT_NEAR(p.at(0, t, l), p.x.energy_at(t, l), tolerance * std::max(1., std::fabs(double(p.at(0, t, l)))));
      ASSERT_NEAR(p.at(1, t, l), along, tolerance * std::max(1., std::fabs(along)));
    }
}

TEST_P(MlpEnergyJet, SecondPartIsTheDifferenceOfTheFirstAlongTheDirection) {
  MlpEnergy m = model();
  JetPoints p(tiles, lanes, m.dimension()), moved(tiles, lanes, m.dimension());
  p.forward(m, 2);
  for (Index t = 0; t < tiles; t++)
    for (Index l : {Index{0}, lanes / 2, lanes - 1}) {
      double const want = difference([&](double s) {
        move(moved, p, s);
        moved.forward(m, 1);
        return double(moved.at(1, t, l));
      });
      ASSERT_NEAR(p.at(2, t, l), want, jet_tolerance * std::max(1., std::fabs(want)));
    }
}

TEST_P(MlpEnergyJet, SecondPartsOverTheBasisSumToTheLaplacian) {
  MlpEnergy m = model();
  JetPoints p(1, lanes, m.dimension()), moved(1, lanes, m.dimension());
  double laplacian = 0, sum = 0;
  for (Index i = 0; i < m.dimension(); i++) {
    fill_array(p.v.x, Real(0));
    for (Index l = 0; l < lanes; l++) p.v.set(0, i, l, 1);
    p.forward(m, 2);
    sum += p.at(2, 0, 5);
    laplacian += difference([&](double s) {
      move(moved, p, s);
      moved.x.evaluate(m);
      return double(moved.x.gradient_at(0, i, 5));
    });
  }
  EXPECT_NEAR(sum, laplacian, double(m.dimension()) * jet_tolerance * std::max(1., std::fabs(laplacian)));
}

TEST_P(MlpEnergyJet, GradientInThetaIsTheDifference) {
  MlpEnergy m = model();
  JetPoints p(tiles, lanes, m.dimension());
  std::array<TileScalarStorage, 3> const c{p.weights(0), p.weights(1), p.weights(2)};
  for (int order : {1, 2}) {
    auto const gradient = p.gradient(m, order, c);
    double largest = 1;
    for (Real g : gradient) largest = std::max(largest, std::fabs(double(g)));
    auto const loss = [&] {
      m.parameters_changed();
      p.forward(m, order);
      double sum = 0;
      for (int part = 0; part <= order; part++) {
        auto const e = values_on_host(p.part[part]);
        auto const w = values_on_host(c[part]);
        for (Index t = 0; t < tiles; t++)
          for (Index l = 0; l < lanes; l++) sum += double(w(t, l)) * e(t, l);
      }
      return sum;
    };
    for (std::size_t i = 0; i < gradient.size(); i += in_double ? 1 : 5) {
      auto const entry = Kokkos::subview(m.parameters(), i);
      Real const theta = Points::read(entry);
      double const want = difference([&](double s) {
        fill_array(entry, Real(theta + s));
        return loss();
      });
      fill_array(entry, theta);
      ASSERT_NEAR(gradient[i], want, jet_tolerance * largest) << "order " << order << " parameter " << i;
    }
  }
}

std::vector<JetCase> jet_cases() {
  std::vector<JetCase> cases;
  for (Index dimension : {2, 7})
    for (Index depth : {1, 2, 3, 4})
      for (char const* activation : {"silu", "softplus", "tanh", "gelu"}) cases.push_back({dimension, depth, activation});
  return cases;
}
std::string name_of(testing::TestParamInfo<JetCase> const& one) {
  return one.param.activation + "_inputs" + std::to_string(one.param.dimension) + "_hidden" + std::to_string(one.param.hidden_layers);
}
INSTANTIATE_TEST_SUITE_P(Networks, MlpEnergyJet, testing::ValuesIn(jet_cases()), name_of);

TEST(MlpEnergy, JetOfALaneDoesNotDependOnItsNeighboursNorOnTheNumberOfTiles) {
  MlpEnergy m = make({2, 64, 64, 1}, "silu", 0.2);
  JetPoints many(3, 64, 2), one(1, 64, 2);
  many.forward(m, 2);
  for (Index i = 0; i < 2; i++)
    for (Index lane = 0; lane < 64; lane++) {
      one.x.set(0, i, lane, lane == 37 ? many.x.at(2, i, 37) : Real(100));
      one.v.set(0, i, lane, lane == 37 ? many.v.at(2, i, 37) : Real(-100));
    }
  one.forward(m, 2);
  for (int p : {0, 1, 2}) EXPECT_TRUE(same_bits(one.at(p, 0, 37), many.at(p, 2, 37)));
}

TEST(MlpEnergy, JetOfABatchOfOneIsItsRowOfABatchOfManyToRounding) {
  MlpEnergy m = make({5, 96, 64, 1}, "gelu", 0.2);
  JetPoints many(1, 240, 5);
  many.forward(m, 2);
  for (Index lane : {0, 100, 239}) {
    JetPoints one(1, 16, 5);
    for (Index i = 0; i < 5; i++) one.x.set(0, i, 0, many.x.at(0, i, lane)), one.v.set(0, i, 0, many.v.at(0, i, lane));
    one.forward(m, 2);
    for (int p : {0, 1, 2}) {
      double const want = many.at(p, 0, lane);  // sums of 96 terms of order one in another order
      EXPECT_NEAR(one.at(p, 0, 0), want, 100 * std::numeric_limits<Real>::epsilon() * std::max(1., std::fabs(want)));
    }
  }
}

TEST(MlpEnergy, JetGradientOfSeveralTilesIsTheSumOverThem) {
  MlpEnergy m = make({2, 32, 24, 1}, "softplus", 0.2);
  JetPoints all(3, 32, 2);
  std::array<TileScalarStorage, 3> const c{all.weights(0), all.weights(1), all.weights(2)};
  auto const wanted = all.gradient(m, 2, c);
  std::vector<double> sum(wanted.size());
  for (Index t : {2, 1, 0}) {
    auto const row = std::make_pair(t, t + 1);
    JetPoints one(1, 32, 2);
    copy_array(one.x.x, Kokkos::subview(all.x.x, row, Kokkos::ALL, Kokkos::ALL));
    copy_array(one.v.x, Kokkos::subview(all.v.x, row, Kokkos::ALL, Kokkos::ALL));
    std::array<TileScalarStorage, 3> of_tile;
    for (std::size_t p = 0; p < 3; p++) {
      of_tile[p] = TileScalarStorage("c", 1, c[p].extent(1));
      copy_array(of_tile[p], Kokkos::subview(c[p], row, Kokkos::ALL));
    }
    auto const part = one.gradient(m, 2, of_tile);
    for (std::size_t i = 0; i < sum.size(); i++) sum[i] += part[i];
  }
  for (std::size_t i = 0; i < sum.size(); i++) ASSERT_NEAR(wanted[i], sum[i], 100 * std::numeric_limits<Real>::epsilon());
}

TEST(MlpEnergy, JetGradientSurvivesOtherEvaluationsInBetween) {
  MlpEnergy m = make({2, 32, 32, 1}, "silu");
  JetPoints p(1, 32, 2);
  Points other(2, 64, 2);
  std::array<TileScalarStorage, 3> const c{p.weights(0), p.weights(1), p.weights(2)};
  auto const wanted = p.gradient(m, 2, c);
  Vector const sum("sum", m.parameters().extent(0));
  p.forward(m, 2);
  other.evaluate(m);
  m.energy(view(other.x, 64), view(other.energy, 64));
  m.jet_reverse(view(p.x.x, 32), view(c[0], 32), view(c[1], 32), view(c[2], 32), sum);
  auto const got = values_on_host(sum);
  for (std::size_t i = 0; i < wanted.size(); i++) ASSERT_TRUE(same_bits(got(i), wanted[i]));
}

TEST(MlpEnergy, ResultsThatAreNotAskedForAreLeftOut) {
  MlpEnergy m = make({3, 24, 16, 1}, "tanh", 0.3);
  JetPoints p(2, 16, 3), only(2, 16, 3);
  p.forward(m, 2);
  m.jet_forward(view(only.x.x, 16), view(only.v.x, 16), 2, {}, {}, view(only.part[2], 16));
  for (Index t = 0; t < 2; t++)
    for (Index l = 0; l < 16; l++) EXPECT_TRUE(same_bits(p.at(2, t, l), only.at(2, t, l)));
}

TEST(MlpEnergy, WeightsThatAreNotGivenAreZero) {
  MlpEnergy m = make({3, 24, 16, 1}, "tanh");
  JetPoints p(2, 16, 3);
  TileScalarStorage const zero("zero", p.x.energy.extent(0), p.x.energy.extent(1));
  auto const given = p.gradient(m, 2, {zero, p.weights(1), zero}),
             absent = p.gradient(m, 2, {TileScalarStorage(), p.weights(1), TileScalarStorage()});
  for (std::size_t i = 0; i < given.size(); i++) ASSERT_TRUE(same_bits(given[i], absent[i]));
}

TEST(MlpEnergy, EnergyAloneIsThatOfTheGradientsPass) {
  MlpEnergy const m = make({2, 32, 32, 1}, "silu", 0.3);
  Points p(3, 32, 2), q(3, 32, 2);
  p.evaluate(m);
  m.energy(view(q.x, 32), view(q.energy, 32));
  for (Index t = 0; t < 3; t++)
    for (Index l = 0; l < 32; l++) EXPECT_TRUE(same_bits(p.energy_at(t, l), q.energy_at(t, l)));
}

TEST(MlpEnergy, RefusesWhatItDoesNotHave) {
  MlpEnergy m = make({2, 8, 1}, "silu");
  JetPoints p(1, 16, 2);
  EXPECT_EQ(m.highest_jet_order(), 2);
  EXPECT_THROW(p.forward(m, 3), Failure);
  EXPECT_THROW(make({2, 8, 2}, "silu"), Failure);  // a score network, no energy
  EXPECT_THROW(make({}, "silu"), Failure);
  EXPECT_THROW(make({2, 8, 1}, "relu"), Failure);
}

TEST(MlpEnergy, DescribesItsParametersAndItsCost) {
  MlpEnergy const m = make({3, 5, 4, 1}, "silu");
  auto const blocks = m.parameter_blocks();
  ASSERT_EQ(blocks.size(), 6u);
  EXPECT_EQ(blocks[2].name, "layer1/weight");
  EXPECT_EQ(blocks[2].extents, (std::vector<Index>{4, 5}));
  EXPECT_EQ(blocks[2].offset, 20);
  EXPECT_EQ(blocks[5].name, "layer2/bias");
  EXPECT_EQ(blocks[5].offset, 48);
  EXPECT_EQ(m.parameters().extent(0), 49u);
  EXPECT_EQ(m.flops_per_evaluation(), 4. * (15 + 20 + 4));
  auto const theta = values_on_host(m.parameters());
  EXPECT_EQ(theta(21), Real(std::sqrt(2. / 5) * normal(21)));
  EXPECT_EQ(theta(40), Real(0));
}

TEST(MlpEnergy, WorkMemoryIsOfOneTileOnACpuAndGrowsWithTheOrderOfJets) {
  MlpEnergy m = make({2, 128, 128, 1}, "silu");
  Index const tiles_held = runs_on_host ? 1 : 100, product = runs_on_host ? 0 : 128 * 128;
  auto const expected = [&](Index order) {  // activations, slopes and the output, of each part, and on a GPU a gradient in weights
    return std::size_t(tiles_held * ((2 * 256 + 1) * ((order + 1) * 256 + 16) + product)) * sizeof(Real);
  };
  auto const tapes = [](auto const& list_work) {
    ArrayList list;
    list_work(Arrays(list));
    double bytes = 0;
    for (ArrayList::Line const& l : list.lines()) bytes += l.name == "mlp activations" ? l.bytes : 0;
    return std::size_t(bytes);
  };
  EXPECT_EQ(tapes([&](Arrays a) { m.work(a, 100, 256); }), expected(0));
  EXPECT_EQ(tapes([&](Arrays a) { m.jet_work(a, 100, 256, 2, false); }), expected(2));
}

}  // namespace
