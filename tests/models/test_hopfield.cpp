// Binary Hopfield networks against their weights written out.
#include <gtest/gtest.h>

#include "core/dense.hpp"
#include "core/require.hpp"
#include "machine.hpp"
#include "models/hopfield.hpp"

namespace partita::test::machine {
namespace {

// N W, whole numbers.
Matrix couplings(std::vector<double> const& x, Index units) {
  Index const patterns = std::ssize(x) / units;
  Matrix w(units, units);
  for (Index i = 0; i < units; i++)
    for (Index j = 0; j < units; j++)
      for (Index p = 0; p < patterns && i != j; p++) w(i, j) += x[i * patterns + p] * x[j * patterns + p];
  return w;
}

struct Network {
  Vector x;
  Hopfield model;
  Matrix w;
  Network(Index units, Index patterns, double beta = 1)
      : x(random_patterns(units, patterns, key)), model(units, beta), w(couplings(to_host(x), units)) {
    model.remember(x);
  }
  double sign(Index pattern, Index unit) const { return to_host(x)[unit * model.patterns() + pattern]; }
  double energy(std::vector<double> const& s) const {
    auto const h = w * s;
    double e = 0;
    for (std::size_t i = 0; i < s.size(); i++) e -= 0.5 * s[i] * h[i] / double(s.size());
    return e;
  }
};

std::vector<double> state(TileStorage const& x, Index chain, Index lanes) {
  auto const on_host = host(x);
  std::vector<double> s;
  for (Index i = 0; i < extent(x, 1); i++) s.push_back(on_host(chain / lanes, i, chain % lanes));
  return s;
}
double random_sign(Index chain, Index unit) { return normal(1000 * chain + unit) > 0 ? 1 : -1; }
double bit_sign(Index state, Index unit) { return state >> unit & 1 ? 1 : -1; }

void recall_by_hand(Matrix const& w, std::vector<double>& s, Order order) {
  auto const before = s;
  for (Index i = 0; i < w.rows; i++) {
    double h = 0;
    for (Index j = 0; j < w.rows; j++) h += w(i, j) * (order == Order::together ? before : s)[j];
    if (h != 0) s[i] = h > 0 ? 1 : -1;
  }
}

TEST(Hopfield, EnergyIsThatOfTheWeights) {
  Index const units = 9, lanes = 512;
  Network const network(units, 3, 1.7);
  auto const x = points(1, units, lanes, bit_sign);
  auto const e = scalars(1, lanes);
  for (double beta : {1., 0.25}) {
    network.model.path_energy(seen(x, lanes), beta, seen(e, lanes));
    auto const found = host(e);
    for (Index c = 0; c < lanes; c++) {
      double const exact = 1.7 * beta * network.energy(state(x, c, lanes));
      EXPECT_NEAR(found(0, c), exact, 4 * std::numeric_limits<Real>::epsilon() * std::abs(exact) + 1e-12);
    }
  }
}

// Fields are whole numbers: the same states as by hand, bit by bit, at sizes that are no multiples of a block, below and beyond capacity.
// One by one, the energy never rises.
TEST(Hopfield, RecallIsTheSignOfTheFieldAndEnergiesNeverRise) {
  Index const tiles = 2, lanes = 48;
  for (auto const& [units, patterns] : {std::pair<Index, Index>(150, 12), {300, 90}, {64, 1}, {37, 60}})
    for (Order order : {Order::one_by_one, Order::together}) {
      Network const network(units, patterns);
      auto const x = points(tiles, units, lanes, random_sign);
      std::vector<std::vector<double>> by_hand;
      for (Index c = 0; c < tiles * lanes; c++) by_hand.push_back(state(x, c, lanes));
      for (int sweep = 0; sweep < 4; sweep++) {
        network.model.recall(seen(x, lanes), order);
        auto const on_host = host(x);
        for (Index c = 0; c < tiles * lanes; c += 7) {
          auto& s = by_hand[c];
          double const before = network.energy(s);
          recall_by_hand(network.w, s, order);
          for (Index i = 0; i < units; i++) ASSERT_EQ(on_host(c / lanes, i, c % lanes), s[i]);
          EXPECT_TRUE(order == Order::together || network.energy(s) <= before + 1e-9);
        }
      }
    }
}

// Two units that agree in the pattern: together each takes the other's sign for ever, one by one they come to agree.
TEST(Hopfield, UpdatesTogetherMayCycle) {
  Hopfield network(2);
  network.remember(std::vector<double>{1, 1});
  auto const start = [](Index, Index i) { return i == 0 ? 1. : -1.; };
  auto const x = points(1, 2, 16, start), y = points(1, 2, 16, start);
  for (int sweep = 1; sweep <= 4; sweep++) {
    network.recall(seen(x, 16), Order::together);
    EXPECT_EQ(state(x, 3, 16), (sweep % 2 == 1 ? std::vector<double>{-1, 1} : std::vector<double>{1, -1}));
  }
  network.recall(seen(y, 16), Order::one_by_one);
  EXPECT_EQ(state(y, 3, 16), (std::vector<double>{-1, -1}));
}

TEST(Hopfield, RemembersFewPatternsAndUnitsWithoutFieldStay) {
  Index const units = 500, patterns = 10;
  Network const network(units, patterns);
  for (Order order : {Order::one_by_one, Order::together}) {
    auto const at_pattern = [&](Index c, Index i) { return network.sign(c % patterns, i); };
    auto const x = points(1, units, 16, at_pattern);
    network.model.recall(seen(x, 16), order);
    for (Index c = 0; c < 16; c++)
      for (Index i = 0; i < units; i++) ASSERT_EQ(state(x, c, 16)[i], at_pattern(c, i));
  }
  // Patterns (1, 1) and (1, -1) leave no field at all.
  Hopfield none(2);
  none.remember(std::vector<double>{1, 1, 1, -1});
  auto const x = points(1, 2, 16, bit_sign);
  none.recall(seen(x, 16), Order::one_by_one);
  for (Index c = 0; c < 4; c++) EXPECT_EQ(state(x, c, 16), (std::vector<double>{bit_sign(c, 0), bit_sign(c, 1)}));
}

// Five standard deviations of binomial counts over 2^15 chains; 40 sweeps from the uniform law at temperatures where they are plenty.
TEST(Hopfield, SweepsSampleEnumeratedLaws) {
  Index const units = 8, tiles = 32, lanes = 1024;
  Network const network(units, 3, 0.8);
  auto const all = points(1, units, 256, bit_sign);
  auto const e = scalars(1, 256);
  for (double beta : {0., 0.5, 1.})
    for (bool reversed : {false, true}) {
      network.model.path_energy(seen(all, 256), beta, seen(e, 256));
      auto const on_host = host(e);
      auto const x = points(tiles, units, lanes, [](Index, Index) { return 1.; });
      ChainNumbers const numbers({tiles * lanes, lanes}, {0, tiles});
      for (Index step = 0; step < (beta == 0 ? 1 : 40); step++)
        network.model.sweep(seen(x, lanes), {.key = key, .chains = numbers, .step = step, .beta = beta, .reversed = reversed});
      expect_frequencies(frequencies(x, lanes), probabilities({on_host.data(), on_host.data() + 256}), double(tiles * lanes));
    }
  EXPECT_DOUBLE_EQ(network.model.log_z_reference(), std::log(256.));
}

TEST(Hopfield, HeldUnitsStayAndTheOthersFollowThem) {
  Index const units = 8, tiles = 32, lanes = 1024;
  Network const network(units, 3, 0.8);
  // Units 1 and 6 are held at 1 and -1.
  auto const is_held = [](Index i) { return i == 1 || i == 6; };
  auto const fits = [](Index s) { return (s >> 1 & 1) == 1 && (s >> 6 & 1) == 0; };
  auto const x = points(tiles, units, lanes, [](Index c, Index i) { return i == 1 ? 1. : i == 6 ? -1. : random_sign(c, i); });
  sweeps(network.model, x, lanes, 0, 40, 1, holding(units, is_held));
  std::vector<double> e;
  for (Index s = 0; s < 256; s++) {
    std::vector<double> signs;
    for (Index i = 0; i < units; i++) signs.push_back(bit_sign(s, i));
    e.push_back(fits(s) ? 0.8 * network.energy(signs) : INFINITY);
  }
  expect_frequencies(frequencies(x, lanes), probabilities(e), double(tiles * lanes));
}

TEST(Hopfield, ChainsDoNotDependOnTiles) {
  Index const units = 130;
  Network const network(units, 20, 3);
  auto const wide = points(1, units, 96, random_sign), narrow = points(3, units, 32, random_sign);
  sweeps(network.model, wide, 96, 0, 5), sweeps(network.model, narrow, 32, 0, 5);
  for (Index c = 0; c < 96; c++) EXPECT_EQ(state(wide, c, 96), state(narrow, c, 32));
}

TEST(Hopfield, PatternsAreKeyedSignsOrThoseOfData) {
  Index const units = 300, patterns = 200;
  auto const a = to_host(random_patterns(units, patterns, key)), b = to_host(random_patterns(units, patterns, key, 1));
  double sum = 0, product = 0;
  for (std::size_t i = 0; i < a.size(); i++) {
    ASSERT_EQ(std::abs(a[i]), 1);
    sum += a[i], product += a[i] * b[i];
  }
  double const bound = 4 * std::sqrt(double(a.size()));  // four standard deviations of a sum of signs
  EXPECT_LT(std::abs(sum), bound);
  EXPECT_LT(std::abs(product), bound);
  EXPECT_EQ(to_host(random_patterns(units, patterns, key)), a);

  auto network = make_hopfield({.units = 3}, key);
  EXPECT_THROW(network->reserve(1, 16), Failure);
  EXPECT_THROW(network->remember(std::vector<double>(4)), Failure);
  network->remember(std::vector<double>{0, 1, 0.2, 0.7, -1, 0.5});
  EXPECT_EQ(network->patterns(), 2);
  EXPECT_EQ(make_hopfield({.units = 3, .patterns = 5}, key)->patterns(), 5);
}

}  // namespace
}  // namespace partita::test::machine
