// When log Z by annealing may be said to have converged.
#include <gtest/gtest.h>

#include <cmath>

#include "core/copy.hpp"
#include "estimators/log_z.hpp"
#include "small_machines.hpp"

namespace partita {
namespace {

Communicator ranks() { return Communicator::world(); }

// Two groups of hidden units, 13 each: all units of a group have the same weight to all visible units, the first one holds them up, the
// other one down. Energies depend on the number of visible units that are on alone, so that log Z is a sum of 41 terms. The machine's own
// biases keep them down; the mode of units that are on has all of the mass but e^-20, behind a barrier of sixty nats.
struct TwoGroups {
  static constexpr Index visible = 40, group = 13;
  static constexpr double bias = -3, up = 0.6, up_bias = -12.3, down = -0.5;

  static Rbm machine() {
    Rbm model({.visible = visible, .hidden = 2 * group});
    std::vector<double> theta;
    for (Index i = 0; i < visible; i++)
      for (Index j = 0; j < 2 * group; j++) theta.push_back(j < group ? up : down);
    for (Index i = 0; i < visible; i++) theta.push_back(bias);
    for (Index j = 0; j < 2 * group; j++) theta.push_back(j < group ? up_bias : 0);
    assign(model.parameters(), theta);
    model.parameters_changed();
    return model;
  }
  static double log_z(double least = 0) {
    auto const softplus = [](double x) { return std::max(x, 0.) + std::log1p(std::exp(-std::abs(x))); };
    double z = 0;
    for (double n = least; n <= visible; n++)
      z += std::exp(std::lgamma(visible + 1.) - std::lgamma(n + 1) - std::lgamma(visible - n + 1) + bias * n +
                    group * (softplus(up_bias + up * n) + softplus(down * n)));
    return std::log(z);
  }
};

ItemTiles all_on(Index items) {
  return {items, [](TileStorage to, Tiling const&, TileRange) { fill_array(to, Real(1)); }};
}
LogZ estimate(Rbm& model, std::optional<ItemTiles> const& items, std::uint64_t seed) {
  return estimate_log_z(model, {.betas = uniform_schedule(100), .chains = 64, .rungs = 6, .warmup = 50}, items, ranks(),
                        random::make_key(seed));
}

// Both directions agree to a tenth of a nat on what is wrong by twenty.
TEST(LogZ, BothWaysMissTheSameModeAndAreNotSaidToHaveConverged) {
  Rbm model = TwoGroups::machine();
  double const truth = TwoGroups::log_z();
  EXPECT_NEAR(TwoGroups::log_z(20), truth, 1e-6);
  for (std::uint64_t seed = 0; seed < 10; seed++) {
    LogZ const z = estimate(model, {}, seed);
    EXPECT_LT(z.forward_log_z().value, truth - 15) << seed;
    EXPECT_NEAR(z.forward_log_z().value, z.reverse_log_z(z.reverse.front()).value, 0.5) << seed;
    EXPECT_FALSE(z.independent);
    EXPECT_TRUE(std::isnan(z.converged())) << seed;
    EXPECT_TRUE(std::isnan(z.upper())) << seed;
  }
}

// The way back from items of data knows the mode that counts, and does not agree with the way forth; tempered chains alone would.
TEST(LogZ, StartsAtDataShowThatTheWayForthMissesTheirMode) {
  Rbm model = TwoGroups::machine();
  for (std::uint64_t seed = 0; seed < 10; seed++) {
    LogZ const z = estimate(model, all_on(64), seed);
    EXPECT_TRUE(z.independent);
    ASSERT_EQ(z.reverse.size(), 2u);
    EXPECT_GT(z.reverse_log_z(z.reverse.front()).value, z.forward_log_z().value + 15) << seed;
    EXPECT_EQ(z.converged(), 0) << seed;
  }
}

// A lattice of spins that hold each other up, or down, where the data are: the path from their rates, starts at them and tempered chains
// all stay down, and agree. Half of the chains from random units go up, where the energy is lower by 2 x 36 x 0.1.
TEST(LogZ, RandomUnitsShowTheModeThatDataAndPathMiss) {
  auto const model = make_ising_lattice({.rows = 6, .columns = 6, .coupling = 1, .field = 0.1});
  model->set_reference({std::vector<double>(36, 0), {}, 40});
  ItemTiles const down{64, [](TileStorage to, Tiling const&, TileRange) { fill_array(to, Real(0)); }};
  LogZ const z =
      estimate_log_z(*model, {.betas = uniform_schedule(100), .chains = 64, .rungs = 6, .warmup = 50}, down, ranks(), small::key);
  EXPECT_NEAR(z.forward_log_z().value, z.reverse_log_z(z.reverse.front()).value, 0.5);
  ASSERT_TRUE(z.from_random);
  EXPECT_TRUE(z.missed_mode());
  EXPECT_EQ(z.converged(), 0);
}

// A reference with the data's rates leads to the mode, and all agree on the truth.
TEST(LogZ, ConvergesWithTheRatesOfTheData) {
  Rbm model = TwoGroups::machine();
  model.set_reference({std::vector<double>(TwoGroups::visible, 0.99), {}, 1000});
  LogZ const z = estimate(model, all_on(64), 1);
  EXPECT_EQ(z.converged(), 1);
  EXPECT_LE(z.lower(), TwoGroups::log_z() + small::rounding * 100);
  EXPECT_GE(z.upper(), TwoGroups::log_z() - small::rounding * 100);
  EXPECT_LT(z.upper() - z.lower(), 1);
}

TEST(LogZ, ExactStartsAreTakenWhereThereAreSome) {
  BoltzmannMachine model = small::machine(5, 2, 1);
  LogZ const z = estimate_log_z(model, {.betas = uniform_schedule(100), .chains = 128}, {}, ranks(), small::key);
  EXPECT_TRUE(z.independent);
  ASSERT_TRUE(z.exact);
  EXPECT_NEAR(*z.exact, small::log_z(model), 1e-4);
  EXPECT_EQ(z.converged(), 1);
  EXPECT_NEAR(z.ratio().value, *z.exact, 4 * z.ratio().error);
}

// Few chains, whose weights have no error: nothing is known.
TEST(LogZ, WithoutErrorsNothingHasConverged) {
  Rbm model = small::rbm(6, 5, 0.1);
  LogZ const z = estimate_log_z(model, {.betas = uniform_schedule(10), .chains = 8}, {}, ranks(), small::key);
  EXPECT_TRUE(std::isnan(z.converged()));
  EXPECT_TRUE(std::isnan(z.lower()));
  EXPECT_TRUE(std::isnan(z.upper()));
  EXPECT_TRUE(std::isnan(z.ratio().error));
}

}  // namespace
}  // namespace partita
