// Exact averages of small lattices against sums over all spins, and against infinite ones.
#include <gtest/gtest.h>

#include <cmath>

#include "estimators/ising.hpp"

namespace partita {
namespace {

double spin(Index state, Index i) { return double(2 * (state >> i & 1) - 1); }

IsingAverages by_enumeration(IsingLatticeOptions const& o) {
  Index const n = o.rows * o.columns;
  double z = 0, energy = 0, magnetisation = 0;
  for (Index s = 0; s < Index{1} << n; s++) {
    double e = 0, m = 0;
    for (Index r = 0; r < o.rows; r++)
      for (Index c = 0; c < o.columns; c++) {
        double const here = spin(s, r * o.columns + c);
        m += here;
        if (o.periodic || c + 1 < o.columns) e -= o.coupling * here * spin(s, r * o.columns + (c + 1) % o.columns);
        if (o.periodic || r + 1 < o.rows) e -= o.coupling * here * spin(s, (r + 1) % o.rows * o.columns + c);
      }
    e -= o.field * m;
    z += std::exp(-e), energy += e * std::exp(-e), magnetisation += std::abs(m) * std::exp(-e);
  }
  double const sites = double(n);
  return {std::log(z), energy / z / sites, magnetisation / z / sites};
}

TEST(ExactIsing, AgreesWithEnumeration) {
  for (IsingLatticeOptions const& o : {IsingLatticeOptions{.rows = 4, .columns = 4, .coupling = 0.44},
                                       IsingLatticeOptions{.rows = 3, .columns = 4, .coupling = 0.3, .field = 0.2},
                                       IsingLatticeOptions{.rows = 5, .columns = 3, .coupling = -0.6, .field = -0.1},
                                       IsingLatticeOptions{.rows = 3, .columns = 5, .coupling = 0.5, .field = 0.3, .periodic = false},
                                       IsingLatticeOptions{.rows = 7, .columns = 2, .coupling = -0.8, .periodic = false},
                                       IsingLatticeOptions{.rows = 1, .columns = 1, .field = 0.7, .periodic = false},
                                       IsingLatticeOptions{.rows = 1, .columns = 9, .coupling = 0.9, .field = 0.1, .periodic = false}}) {
    auto const exact = exact_ising(o);
    auto const expected = by_enumeration(o);
    ASSERT_TRUE(exact && exact->magnetisation_abs);
    EXPECT_NEAR(exact->log_z, expected.log_z, 1e-10) << o.rows << " x " << o.columns;
    EXPECT_NEAR(exact->energy, expected.energy, 1e-12);
    EXPECT_NEAR(*exact->magnetisation_abs, *expected.magnetisation_abs, 1e-12);
  }
}

// Open chain in no field: E a bond = -J tanh J; the averages do not depend on which side is called a row.
TEST(ExactIsing, ChainsAndSides) {
  double const j = 0.9;
  EXPECT_NEAR(exact_ising({.rows = 200, .columns = 1, .coupling = j, .periodic = false})->energy, -j * std::tanh(j) * 199 / 200, 1e-10);
  auto const a = exact_ising({.rows = 8, .columns = 5, .coupling = 0.4, .field = 0.01}),
             b = exact_ising({.rows = 5, .columns = 8, .coupling = 0.4, .field = 0.01});
  EXPECT_EQ(a->log_z, b->log_z);
}

// Far from the critical point a torus of 9 x 9 is an infinite lattice up to (tanh J)^9-like terms: Onsager's energy (Phys. Rev. 65, 117,
// 1944), -J coth 2J [1 + (2 / pi)(2 tanh^2 2J - 1) K(k)] with k = 2 sinh 2J / cosh^2 2J, K(k) = pi / 2 / agm(1, sqrt(1 - k^2)).
TEST(ExactIsing, LargeToriApproachOnsager) {
  double const j = 0.2, k = 2 * std::sinh(2 * j) / std::pow(std::cosh(2 * j), 2);
  double a = 1, g = std::sqrt(1 - k * k);
  for (int i = 0; i < 20; i++) {
    double const mean = (a + g) / 2;
    g = std::sqrt(a * g), a = mean;
  }
  double const t = std::tanh(2 * j), onsager = -j / t * (1 + (2 * t * t - 1) / a);
  auto const exact = exact_ising({.rows = 9, .columns = 9, .coupling = j});
  EXPECT_NEAR(exact->energy, onsager, 2e-5);
}

TEST(ExactIsing, WhatTakesTooLongIsLeftOut) {
  EXPECT_FALSE(exact_ising({.rows = 17, .columns = 17, .periodic = false}));
  EXPECT_FALSE(exact_ising({.rows = 13, .columns = 13}));
  EXPECT_FALSE(exact_ising({.rows = 64, .columns = 64}));
  auto const wide = exact_ising({.rows = 16, .columns = 16, .coupling = 0.3, .periodic = false});
  ASSERT_TRUE(wide);
  EXPECT_FALSE(wide->magnetisation_abs);
}

}  // namespace
}  // namespace partita
