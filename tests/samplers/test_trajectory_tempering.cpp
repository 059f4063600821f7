// Tempering along the trajectory of learning, on a machine whose two modes grow apart.
#include <gtest/gtest.h>

#include "core/copy.hpp"
#include "core/require.hpp"
#include "samplers/trajectory_tempering.hpp"
#include "tempering.hpp"

namespace {

using namespace partita;
using namespace partita::sampling;

auto const key = random::make_key(42);
auto const world = [] { return Communicator::world(); };
constexpr double strongest = 3;

// A training that strengthens the weights evenly, three sampler steps an update.
constexpr Index updates = 120, steps_per_update = 3;
void learn(Rbm& machine, Index update) { set_two_modes(machine, strongest * std::min(1., double(update) / 60)); }
void train(TrajectoryTempering& sampler, Rbm& machine, Chains& chains, Index from = 0, Index to = updates) {
  for (Index u = from; u < to; u++) {
    learn(machine, u);
    sampler.advance(machine, chains, key, u * steps_per_update, steps_per_update);
  }
}
TrajectoryTemperingOptions const keep_often{.rungs = 10, .copy_below_swap_rate = 0.5, .measure_every = 3};

struct Training {
  Training(Ranks how, std::string const& placement, TrajectoryTemperingOptions const& o = keep_often, Tiling tiling = {300, 64})
      : machine(two_modes(0)),
        sampler(o, {placement, 1}, world()),
        chains(chains_at(how, tiling, machine_visible, key, {InitialState::zero})) {
    sampler.prepare(*machine, chains, key);
  }
  std::unique_ptr<Rbm> machine;
  TrajectoryTempering sampler;
  Chains chains;
};

TEST(TrajectoryTempering, FollowsTheLawOfTheMachineAsItLearns) {
  Training t(Ranks::shared, "together", keep_often, {2000, 256});
  train(t.sampler, *t.machine, t.chains);
  EXPECT_GT(t.sampler.copies(), 2);  // more than the start and one copy
  EXPECT_LT(t.sampler.copies(), 10);
  t.sampler.advance(*t.machine, t.chains, key, updates * steps_per_update, 300);
  expect_shares(units_on(points(all_states(Ranks::shared, t.chains), machine_visible)), two_mode_law(strongest), 2000);
  auto const results = t.sampler.results();
  EXPECT_EQ(result(results, "copies"), double(t.sampler.copies()));
  EXPECT_GT(result(results, "round_trips"), 5);
  // A copy is made at the first window with a rate below .5; parameters move by 5 % of their range in it.
  EXPECT_GT(result(results, "swap_rate_lowest"), 0.3);
}

// A copy of the parameters comes with the states that go with them: the new rung starts where the coldest one is.
TEST(TrajectoryTempering, ANewRungStartsAtTheColdest) {
  Training t(Ranks::shared, "together");
  Index update = 0;
  Saved before;
  auto const rungs = [&] { return save(state_of(t.chains, t.sampler)); };
  // Copies are made before the chains advance: with no steps to go, nothing moves afterwards.
  while (t.sampler.copies() == 1 && update < updates) {
    learn(*t.machine, update);
    before = rungs();
    t.sampler.advance(*t.machine, t.chains, key, update * steps_per_update, 0);
    if (t.sampler.copies() == 1) t.sampler.advance(*t.machine, t.chains, key, update * steps_per_update, steps_per_update);
    update++;
  }
  ASSERT_EQ(t.sampler.copies(), 2);
  auto const after = rungs();
  EXPECT_EQ(after.at("chains/x"), before.at("chains/x"));
  EXPECT_EQ(after.at("sampler/set/0000/rung/002/x"), after.at("chains/x"));
  EXPECT_NE(after.at("sampler/set/0000/rung/001/x"), after.at("chains/x"));
}

// With fewer rungs than the training would keep, copies go where the ladder is densest, and the law stays right.
TEST(TrajectoryTempering, ThinsOutAFullLadder) {
  Training t(Ranks::shared, "together", {.rungs = 4, .copy_below_swap_rate = 0.7, .measure_every = 3}, {2000, 256});
  train(t.sampler, *t.machine, t.chains);
  EXPECT_EQ(t.sampler.copies(), 4);
  t.sampler.advance(*t.machine, t.chains, key, updates * steps_per_update, 600);
  expect_shares(units_on(points(all_states(Ranks::shared, t.chains), machine_visible)), two_mode_law(strongest), 2000);
}

TEST(TrajectoryTempering, BitsDependNeitherOnRanksNorOnPlacement) {
  auto const trained = [](Ranks how, std::string const& placement, Index width) {
    Training t(how, placement, keep_often, {150, width});
    train(t.sampler, *t.machine, t.chains, 0, 50);
    return std::pair(all_states(how, t.chains), t.sampler.copies());
  };
  for (Index width : {32, 160}) {
    auto const whole = trained(Ranks::shared, "together", width);
    EXPECT_EQ(trained(Ranks::shared, "across", width), whole);
    if (world().ranks() == 1) {
      EXPECT_EQ(trained(Ranks::alone, "together", width), whole);
    }
  }
}

TEST(TrajectoryTempering, ContinuesFromACheckpoint) {
  for (std::string placement : {"together", "across"}) {
    Training first(Ranks::shared, placement), second(Ranks::shared, placement);
    train(first.sampler, *first.machine, first.chains, 0, 40);
    EXPECT_GT(first.sampler.copies(), 1);
    restore(state_of(second.chains, second.sampler), save(state_of(first.chains, first.sampler)));
    for (Training* t : {&first, &second}) train(t->sampler, *t->machine, t->chains, 40, 60);
    EXPECT_EQ(first.sampler.copies(), second.sampler.copies());
    EXPECT_EQ(all_states(Ranks::shared, first.chains), all_states(Ranks::shared, second.chains));
  }
}

// Sampling on a ladder that a training kept: here weights in steps, the start without any.
TEST(TrajectoryTempering, SamplesOnAKeptLadder) {
  auto const machine = two_modes(strongest);
  auto const load = [] {
    std::vector<std::vector<Real>> kept;
    for (double w : {0., 0.5, 0.8, 1., 1.3, 1.7, 2.3}) {
      auto const host = values_on_host(two_modes(w)->parameters());
      kept.emplace_back(host.data(), host.data() + host.extent(0));
    }
    return kept;
  };
  Chains chains = chains_at(Ranks::shared, {2000, 256}, machine_visible, key, {InitialState::zero});
  TrajectoryTempering sampler({.rungs = 7}, {}, world(), load);
  sampler.prepare(*machine, chains, key);
  EXPECT_EQ(sampler.copies(), 7);
  sampler.advance(*machine, chains, key, 0, 600);
  expect_shares(units_on(points(all_states(Ranks::shared, chains), machine_visible)), two_mode_law(strongest), 2000);
  TrajectoryTempering too_short({.rungs = 3}, {}, world(), load);
  EXPECT_THROW(too_short.prepare(*machine, chains, key), Failure);
}

}  // namespace
