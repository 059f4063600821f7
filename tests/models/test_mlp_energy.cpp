// The neural energy: gradients in x and theta against central differences, and what each lane may depend on.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "core/require.hpp"
#include "core/tiling.hpp"
#include "models/mlp_energy.hpp"

namespace {

using namespace partita;

// Central differences with h = cbrt(epsilon) are wrong by about h^2 E'''/6 + epsilon |E| / h: 1e-10 in double where all is of order one,
// and 1e-7 leaves room for larger derivatives; in float the same sum is 1e-4, and the largest of a thousand entries a few times that.
constexpr bool in_double = sizeof(Real) == 8;
constexpr double step = in_double ? 6e-6 : 1e-2, gradient_tolerance = in_double ? 1e-7 : 4e-3;

double normal(Index i) { return 1.5 * std::sin(12.9898 * static_cast<double>(i) + 0.3); }  // a spread of numbers of order one

Tiles view(TileStorage const& v, Index lanes) { return Kokkos::subview(v, Kokkos::ALL, Kokkos::ALL, std::make_pair(Index{0}, lanes)); }
TileScalars view(TileScalarStorage const& v, Index lanes) { return Kokkos::subview(v, Kokkos::ALL, std::make_pair(Index{0}, lanes)); }

// Points on `tiles` tiles of `lanes` lanes, and what a model says about them.
struct Points {
  Index tiles, lanes, d;
  TileStorage x, gradient;
  TileScalarStorage energy;

  Points(Index t, Index l, Index dimension) : tiles(t), lanes(l), d(dimension) {
    auto const n = [](Index i) { return static_cast<std::size_t>(i); };
    Index const pitch = round_up(l, pitch_quantum);
    x = TileStorage("x", n(t), n(d), n(pitch));
    gradient = TileStorage("gradient", n(t), n(d), n(pitch));
    energy = TileScalarStorage("energy", n(t), n(pitch));
    auto const host = Kokkos::create_mirror_view(x);
    for (Index tile = 0; tile < t; tile++)
      for (Index i = 0; i < d; i++)
        for (Index lane = 0; lane < l; lane++)
          host(tile, i, lane) = static_cast<Real>(1.2 * std::sin(0.7 * static_cast<double>((tile * l + lane) * d + i)));
    Kokkos::deep_copy(x, host);
  }
  void set(Index tile, Index i, Index lane, Real value) { Kokkos::deep_copy(Kokkos::subview(x, tile, i, lane), value); }
  Real at(Index tile, Index i, Index lane) const { return read(Kokkos::subview(x, tile, i, lane)); }
  Real energy_at(Index tile, Index lane) const { return read(Kokkos::subview(energy, tile, lane)); }
  Real gradient_at(Index tile, Index i, Index lane) const { return read(Kokkos::subview(gradient, tile, i, lane)); }
  void evaluate(MlpEnergy const& m) { m.energy_and_gradient(view(x, lanes), view(energy, lanes), view(gradient, lanes)); }
  void forward(MlpEnergy& m) { m.jet_forward(view(x, lanes), {}, 0, view(energy, lanes), {}, {}); }

  template <class View>
  static Real read(View const& v) {
    return Kokkos::create_mirror_view_and_copy(Kokkos::HostSpace(), v)();
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
    for (Index l = 0; l < p.lanes; l++)
      host(t, l) = static_cast<Real>(std::cos(1.1 * static_cast<double>(t * p.lanes + l)) / static_cast<double>(p.tiles * p.lanes));
  Kokkos::deep_copy(c, host);
  return c;
}

std::vector<Real> parameter_gradient(MlpEnergy& m, Points& p, TileScalarStorage const& c) {
  Vector const sum("sum", m.parameters().extent(0));
  p.forward(m);
  m.jet_reverse(view(p.x, p.lanes), view(c, p.lanes), {}, {}, sum);
  auto const host = Kokkos::create_mirror_view_and_copy(Kokkos::HostSpace(), sum);
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
        shifted.set(tile, i, lane, static_cast<Real>(up));
        shifted.evaluate(m);
        double difference = shifted.energy_at(tile, lane);
        shifted.set(tile, i, lane, static_cast<Real>(down));
        shifted.evaluate(m);
        difference -= shifted.energy_at(tile, lane);
        shifted.set(tile, i, lane, x);
        ASSERT_NEAR(p.gradient_at(tile, i, lane), difference / (static_cast<double>(static_cast<Real>(up)) - static_cast<Real>(down)),
                    gradient_tolerance);
      }
}

TEST_P(MlpEnergyGradient, InThetaIsTheCentralDifference) {
  auto const& [layers, activation, quadratic, tiles, lanes] = GetParam();
  MlpEnergy m = make(layers, activation, quadratic);
  Points p(tiles, lanes, m.dimension());
  auto const c = weights(p);
  auto const gradient = parameter_gradient(m, p, c);
  auto const host_c = Kokkos::create_mirror_view_and_copy(Kokkos::HostSpace(), c);
  auto const loss = [&] {
    m.parameters_changed();
    p.forward(m);
    auto const energy = Kokkos::create_mirror_view_and_copy(Kokkos::HostSpace(), p.energy);
    double sum = 0;
    for (Index t = 0; t < tiles; t++)
      for (Index l = 0; l < lanes; l++) sum += static_cast<double>(host_c(t, l)) * energy(t, l);
    return sum;
  };
  auto const n = static_cast<Index>(gradient.size());
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
      Kokkos::deep_copy(entry, static_cast<Real>(value));
      return loss();
    };
    double const up = theta + step, down = theta - step;
    double const difference = (at(up) - at(down)) / (static_cast<double>(static_cast<Real>(up)) - static_cast<Real>(down));
    Kokkos::deep_copy(entry, theta);
    ASSERT_NEAR(gradient[static_cast<std::size_t>(i)], difference, gradient_tolerance) << "parameter " << i;
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
  auto const got = Kokkos::create_mirror_view_and_copy(Kokkos::HostSpace(), sum);
  for (std::size_t i = 0; i < wanted.size(); i++) ASSERT_NEAR(got(i), 2 * wanted[i], 1e-5 + 1e-5 * std::fabs(wanted[i]));
}

TEST(MlpEnergy, RefusesAJetItDoesNotHave) {
  MlpEnergy m = make({2, 8, 1}, "silu");
  Points p(1, 16, 2);
  EXPECT_EQ(m.highest_jet_order(), 0);
  EXPECT_THROW(m.jet_forward(view(p.x, 16), view(p.x, 16), 1, view(p.energy, 16), view(p.energy, 16), {}), Failure);
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
  auto const theta = Kokkos::create_mirror_view_and_copy(Kokkos::HostSpace(), m.parameters());
  EXPECT_EQ(theta(21), static_cast<Real>(std::sqrt(2. / 5) * normal(21)));
  EXPECT_EQ(theta(40), Real(0));
}

TEST(MlpEnergy, WorkMemoryIsOfOneTileOnACpu) {
  MlpEnergy const m = make({2, 128, 128, 1}, "silu");
  if constexpr (runs_on_host) {
    EXPECT_EQ(m.work_bytes(100, 256), m.work_bytes(1, 256));
    EXPECT_EQ(m.work_bytes(1, 256), (2 * 256 * (256 + 16) + 256) * sizeof(Real));  // activations and slopes, and a row of energies
  } else {
    EXPECT_EQ(m.work_bytes(100, 256), 100 * m.work_bytes(1, 256));
  }
}

}  // namespace
