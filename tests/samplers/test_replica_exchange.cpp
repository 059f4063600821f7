// Replica exchange: far modes with their exact weights, swap rates and ladders with closed forms, and the same bits however chains, steps
// and rungs are dealt.
#include <gtest/gtest.h>

#include "core/copy.hpp"
#include "core/require.hpp"
#include "energies/gaussian.hpp"
#include "energies/gaussian_mixture.hpp"
#include "samplers/mala.hpp"
#include "samplers/replica_exchange.hpp"
#include "tempering.hpp"

namespace {

using namespace partita;
using namespace partita::sampling;

auto const key = random::make_key(41);
auto const world = [] { return Communicator::world(); };

// Two unit Gaussians 12 apart, between which E rises by 18, with weights .2 and .8; all chains start in the lighter one.
std::unique_ptr<DifferentiableModel> far_modes() {
  return make_gaussian_mixture({.dimension = 2, .means = {-6, 0, 6, 0}, .weights = {0.2, 0.8}, .sigma = 1});
}
InitialDistribution const lighter_mode{InitialState::zero, 1, -6};

ReplicaExchangeOptions mala(Index rungs, double lowest) {
  return {.moves = "mala", .step_size = 0.5, .target_acceptance = 0, .rungs = rungs, .lowest_beta = lowest};
}

// What a task does with a sampler: warm-up with an adaptation every 20 steps, then steps.
void run_with_warmup(Sampler& sampler, Model const& model, Chains& chains, Index warmup, Index steps) {
  for (Index step = 0; step < warmup; step += 20) {
    sampler.advance(model, chains, key, step, 20);
    if (!sampler.adapts()) continue;
    Index const accepted = world().all_reduce(count_acceptance(chains), Reduction::sum);
    sampler.adapt(double(accepted) / double(20 * chains.tiling.chains));
    fill_array(chains.accepted, 0);
  }
  sampler.advance(model, chains, key, warmup, steps);
}

TEST(ReplicaExchange, FarModesHaveTheirWeightsWhereMalaStaysInOne) {
  auto const model = far_modes();
  Tiling const tiling{1000, 256};
  auto const in_heavier = [&](Sampler& sampler, Index warmup, Index steps) {
    Chains chains = chains_at(Ranks::shared, tiling, 2, key, lighter_mode);
    sampler.prepare(*model, chains, key);
    run_with_warmup(sampler, *model, chains, warmup, steps);
    return points(all_states(Ranks::shared, chains), 2);
  };
  auto const right = [](Point const& x) { return x[0] > 0 ? 1. : 0.; };
  Mala plain({.step_size = 0.5});
  auto const stuck = in_heavier(plain, 0, 2000);
  EXPECT_EQ(std::count_if(stuck.begin(), stuck.end(), right), 0);
  for (std::string placement : {"together", "across"}) {
    ReplicaExchange tempered({.moves = "mala", .step_size = 0.5, .rungs = 7, .lowest_beta = 0.02}, {placement, 2}, world());
    auto const mixed = in_heavier(tempered, 1000, 1000);
    // Chains are independent and forget their start: a draw each.
    EXPECT_LT(std::abs(z_score(mixed, right, 0.8)), 3.5);
    EXPECT_LT(std::abs(z_score(
                  mixed, [](Point const& x) { return x[1] * x[1]; }, 1)),
              3.5);
    auto const results = tempered.results();
    EXPECT_GT(result(results, "round_trips"), 3);
    EXPECT_GT(result(results, "swap_rate_lowest"), 0.3);
  }
}

TEST(ReplicaExchange, UnitsWithTwoModesFollowEnumeration) {
  auto const model = two_modes();
  Tiling const tiling{2000, 256};
  ReplicaExchange tempered({.moves = "gibbs", .rungs = 8, .lowest_beta = 0}, {}, world());
  Gibbs plain;
  for (Sampler* sampler : {static_cast<Sampler*>(&tempered), static_cast<Sampler*>(&plain)}) {
    Chains chains = chains_at(Ranks::shared, tiling, machine_visible, key, {InitialState::zero});
    sampler->prepare(*model, chains, key);
    sampler->advance(*model, chains, key, 0, 400);
    auto const share = units_on(points(all_states(Ranks::shared, chains), machine_visible));
    if (sampler == &tempered) expect_shares(share, two_mode_law(), 2000);
    else EXPECT_GT(share.front(), 0.95);  // where all chains started; its law has less than half there
  }
  EXPECT_GT(result(tempered.results(), "round_trips"), 5);
}

// With E = |x|^2/2 in two dimensions energies are exponential, E_r ~ Exp(beta_r), and the mean of min(1, exp((1 - b)(E_0 - E_1))) is
// 2 b / (1 + b).
TEST(ReplicaExchange, SwapRateOfAGaussianIsExact) {
  auto const model = make_gaussian({.dimension = 2});
  ReplicaExchange sampler({.moves = "mala", .step_size = 0.6, .target_acceptance = 0, .betas = {1, 0.5}}, {"together", 10}, world());
  Chains chains = chains_at(Ranks::shared, {1000, 256}, 2, key, {});
  sampler.prepare(*model, chains, key);
  sampler.advance(*model, chains, key, 0, 2000);
  // 10^5 attempts, correlated over a few: 2500 of them are as good as independent.
  EXPECT_NEAR(result(sampler.results(), "swap_rate_01"), 2. / 3, 4 * std::sqrt(2. / 9 / 25000));
}

// The same law makes the rejection rate of neighbours (1 - q) / (1 + q) with q the ratio of their betas: equal rates, a geometric ladder.
TEST(ReplicaExchange, WarmupSharesRejectionsOutEvenly) {
  auto const model = make_gaussian({.dimension = 2});
  ReplicaExchange sampler({.moves = "mala", .step_size = 0.1, .betas = {1, 0.97, 0.9, 0.04}}, {"together", 2}, world());
  Chains chains = chains_at(Ranks::shared, {1000, 256}, 2, key, {});
  sampler.prepare(*model, chains, key);
  run_with_warmup(sampler, *model, chains, 640, 200);
  auto const betas = sampler.betas();
  EXPECT_EQ(betas.front(), 1);
  EXPECT_EQ(betas.back(), 0.04);
  // The last move of the ladder is at step 320, from 80 attempts or 80,000 swaps a pair: rates to .002, logarithms of betas to .01; linear
  // interpolation inside the wide intervals converges to within .05.
  EXPECT_NEAR(std::log(betas[1]), std::log(0.04) / 3, 0.05);
  EXPECT_NEAR(std::log(betas[2]), std::log(0.04) * 2 / 3, 0.05);
  auto const results = sampler.results();
  double const q = std::cbrt(0.04);
  for (auto const* pair : {"swap_rate_01", "swap_rate_02", "swap_rate_03"})
    EXPECT_NEAR(result(results, pair), 2 * q / (1 + q), 0.04) << pair;
}

TEST(ReplicaExchange, BarrierIsInterpolated) {
  EXPECT_EQ(equal_rejections({1, 0.5, 0.25}, {0.2, 0.2}), (std::vector<double>{1, 0.5, 0.25}));
  auto const moved = equal_rejections({1, 0.5, 0}, {0.1, 0.3});  // half of .4 is a third of the way into the second interval
  EXPECT_EQ(moved.front(), 1);
  EXPECT_NEAR(moved[1], 0.5 - 0.5 / 3, 1e-15);
  EXPECT_EQ(moved.back(), 0);
}

// Two rungs that are nearly the same always swap, in every second event: from event 4 on each swap ends a trip that began two swaps before.
TEST(ReplicaExchange, RoundTripsAreCounted) {
  auto const model = make_gaussian({.dimension = 1});
  ReplicaExchange sampler({.moves = "ula", .step_size = 0.1, .betas = {1, 1 - 1e-9}}, {}, world());
  Chains chains = chains_at(Ranks::shared, {40, 32}, 1, key, {});
  sampler.prepare(*model, chains, key);
  sampler.advance(*model, chains, key, 0, 11);
  auto const results = sampler.results();
  EXPECT_EQ(result(results, "swap_rate_01"), 1);
  EXPECT_EQ(result(results, "round_trips"), 4);  // at events 4, 6, 8, 10
}

struct Case {
  std::shared_ptr<Model> model;
  ReplicaExchangeOptions options;
  Index dimension;
};
std::vector<Case> cases() {
  return {{std::shared_ptr<Model>(far_modes()), mala(5, 0.05), 2},
          {std::shared_ptr<Model>(make_gaussian({.dimension = 3, .precision = "dense", .matrix = {2, 0.5, 0, 0.5, 1, -0.25, 0, -0.25, 3}})),
           mala(4, 0.2), 3},
          {std::shared_ptr<Model>(two_modes(1)), {.moves = "gibbs", .rungs = 4, .lowest_beta = 0}, machine_visible}};
}
constexpr Index chain_count = 165, steps = 23;

std::vector<double> advanced(Case const& c, Ranks how, std::string const& placement, std::vector<Index> const& cuts, Index width = 48) {
  ReplicaExchange sampler(c.options, {placement, 3}, world());
  Chains chains = chains_at(how, {chain_count, width}, c.dimension, key, {});
  c.model->reserve(tiles_in_flight(chains.mine.count), width);
  sampler.prepare(*c.model, chains, key);
  Index step = 0;
  for (Index n : cuts) sampler.advance(*c.model, chains, key, step, n), step += n;
  return all_states(how, chains);
}

TEST(ReplicaExchange, BitsDependNeitherOnRanksNorOnPlacementNorOnCuts) {
  for (Case const& c : cases()) {
    auto const whole = advanced(c, Ranks::alone, "together", {steps});
    EXPECT_EQ(advanced(c, Ranks::alone, "together", {2, 5, 0, 1, 15}), whole);
    EXPECT_EQ(advanced(c, Ranks::shared, "together", {4, 19}), whole);
    EXPECT_EQ(advanced(c, Ranks::shared, "across", {steps}), whole);
    EXPECT_EQ(advanced(c, Ranks::shared, "across", {7, 16}), whole);
  }
}

// One tile for several ranks: some have rungs and no chains of the caller.
TEST(ReplicaExchange, FewerTilesThanRanks) {
  Case const c = cases().front();
  auto const whole = advanced(c, Ranks::alone, "together", {steps}, 176);
  EXPECT_EQ(advanced(c, Ranks::shared, "together", {steps}, 176), whole);
  EXPECT_EQ(advanced(c, Ranks::shared, "across", {steps}, 176), whole);
}

TEST(ReplicaExchange, OneTileAfterTheOtherEqualsAllAtOnce) {
  Case const c = cases().front();
  ReplicaExchange sampler(c.options, {"together", 3}, world());
  Chains chains = chains_at(Ranks::alone, {chain_count, 48}, c.dimension, key, {});
  sampler.prepare(*c.model, chains, key);
  for (Index tile : {2, 0, 3, 1}) sampler.advance(*c.model, chains, key, {tile, 1}, 0, steps);
  EXPECT_EQ(all_states(Ranks::alone, chains), advanced(c, Ranks::alone, "together", {steps}));
}

TEST(ReplicaExchange, SetsOfChainsHaveLaddersOfTheirOwn) {
  Case const c = cases().front();
  ReplicaExchange sampler(c.options, {"together", 3}, world());
  std::vector<Chains> sets;
  for (Index first : {0, 192}) {
    Chains chains("set", {chain_count, 48}, {0, 4}, c.dimension);
    chains.first_number = first;
    initialise(chains, key, random::Stream::initial_state, 0, {});
    sampler.prepare(*c.model, chains, key);
    sets.push_back(chains);
  }
  for (Index step = 0; step < steps; step++)
    for (Chains& chains : sets) sampler.advance(*c.model, chains, key, step, 1);
  EXPECT_EQ(all_states(Ranks::alone, sets[0]), advanced(c, Ranks::alone, "together", {steps}));
  EXPECT_NE(all_states(Ranks::alone, sets[0]), all_states(Ranks::alone, sets[1]));
}

// Rungs, ladder, step sizes and counters are in the checkpoint, wherever rungs live after it.
TEST(ReplicaExchange, ContinuesFromACheckpoint) {
  auto const model = far_modes();
  ReplicaExchangeOptions const options{.moves = "mala", .step_size = 0.5, .rungs = 4, .lowest_beta = 0.05};
  auto const start = [&](ReplicaExchange& sampler) {
    Chains chains = chains_at(Ranks::shared, {chain_count, 48}, 2, key, {});
    sampler.prepare(*model, chains, key);
    return chains;
  };
  auto const go_on = [&](ReplicaExchange& sampler, Chains& chains) {
    sampler.advance(*model, chains, key, 40, 20);
    sampler.adapt(0.5);
    sampler.advance(*model, chains, key, 60, 11);
    return std::pair(all_states(Ranks::shared, chains), sampler.results().size());
  };
  for (std::string placement : {"together", "across"}) {
    ReplicaExchange first(options, {placement, 2}, world()), second(options, {placement, 2}, world());
    Chains a = start(first), b = start(second);
    for (Index step : {0, 20}) first.advance(*model, a, key, step, 20), first.adapt(0.6), fill_array(a.accepted, 0);
    auto const saved = save(state_of(a, first));
    restore(state_of(b, second), saved);
    EXPECT_EQ(go_on(first, a), go_on(second, b));
    EXPECT_EQ(first.betas(), second.betas());
    for (auto const& r : first.results()) EXPECT_EQ(r.value, result(second.results(), r.name)) << r.name;
  }
}

// On a quadratic energy lengths grow as sqrt(T). The step of hmc is one; eta of mala is none, its noise sqrt(2 eta T) has the T itself.
TEST(ReplicaExchange, StepsOfHotRungsFitTheirTemperature) {
  for (std::string moves : {"hmc", "mala"}) {
    ReplicaExchange ladder({.moves = moves, .step_size = 0.3, .target_acceptance = 0, .betas = {1, 0.25, 0.0625}}, {}, world());
    State state;
    ladder.describe_state(state);
    for (Index rung : {0, 1, 2}) {
      auto const& fields = state.fields();
      auto const step = std::find_if(fields.begin(), fields.end(), [&](StateField const& f) {
        return f.name == fmt::format("sampler/moves/{:03}/sampler/step_size", rung);
      });
      ASSERT_NE(step, fields.end());
      double value = 0;
      step->save(&value);
      EXPECT_DOUBLE_EQ(value, moves == "hmc" ? 0.3 * std::ldexp(1., int(rung)) : 0.3) << moves << " " << rung;
    }
  }
}

// What is held is the chain's own on all rungs, also when the caller changes it; the other coordinate follows its law given that.
TEST(ReplicaExchange, HeldCoordinatesStayAsTheyAre) {
  auto const model = make_gaussian({.dimension = 2, .precision = "dense", .matrix = {1, 0.8, 0.8, 1}});
  DeviceVector<std::uint8_t> const flags("held", 2);
  fill_array(Kokkos::subview(flags, std::pair(0, 1)), std::uint8_t{1});
  for (std::string placement : {"together", "across"}) {
    ReplicaExchange sampler(mala(3, 0.3), {placement, 1}, world());
    Chains chains = chains_at(Ranks::shared, {1000, 128}, 2, key, {});
    chains.held = flags;
    model->reserve(tiles_in_flight(chains.mine.count), 128);
    sampler.prepare(*model, chains, key);
    initialise(chains, key, random::Stream::initial_state, 1, {});
    auto const before = points(all_states(Ranks::shared, chains), 2);
    sampler.advance(*model, chains, key, 0, 100);
    auto const after = points(all_states(Ranks::shared, chains), 2);
    std::vector<Point> residual;
    for (std::size_t n = 0; n < after.size(); n++) {
      EXPECT_EQ(after[n][0], before[n][0]);
      residual.push_back({after[n][1] + 0.8 * after[n][0]});  // N(0, 1)
    }
    EXPECT_LT(std::abs(z_score(
                  residual, [](Point const& x) { return x[0]; }, 0)),
              4);
    EXPECT_LT(std::abs(z_score(
                  residual, [](Point const& x) { return x[0] * x[0]; }, 1)),
              4);
  }
}

TEST(ReplicaExchange, RefusesLaddersThatCannotBe) {
  auto const make = [](ReplicaExchangeOptions const& o) { ReplicaExchange(o, {}, world()); };
  auto const refused = [&](ReplicaExchangeOptions const& o, std::string const& what) {
    try {
      make(o);
      ADD_FAILURE() << what;
    } catch (Failure const& f) {
      EXPECT_EQ(f.code(), ExitCode::usage);
      EXPECT_NE(std::string(f.what()).find(what), std::string::npos) << f.what();
    }
  };
  refused({.moves = "mala", .step_size = 0.1, .betas = {1, 0.5, 0.7}}, "do not decrease");
  refused({.moves = "mala", .step_size = 0.1, .betas = {0.5, 0.2}}, "do not decrease");
  refused({.moves = "mala", .step_size = 0.1, .lowest_beta = 0}, "flat");
  refused({.moves = "hmc"}, "step_size");
}

}  // namespace
