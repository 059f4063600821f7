// Greedy learning of a belief network: who learns when, from what, and where each machine starts.
#include <gtest/gtest.h>

#include "learning.hpp"
#include "objectives/greedy_cd.hpp"
#include "samplers/gibbs.hpp"

namespace partita::test {
namespace {

constexpr Index visible = 4, middle = 3, items = 64, updates = 20;

// Chains stay where they are put.
struct Still : Sampler {
  Still() : Sampler(0, 1) {}
  using Sampler::advance;
  void advance(Model const&, Chains&, random::Key, TileRange, Index, Index) override {}
  Index work_rows(Index) const override { return 1; }
  void list(Arrays, Model const&, Share const&) const override {}
};

struct Greedy {
  DeepBeliefNetwork network;
  data::Dataset set = items_of(items, visible, random_bit);
  data::Batches batches{set, items, learning_key};
  GreedyCd objective;
  Timers timers;
  Greedy(Index top, Sampler& sampler, PersistentOptions persistent = {.chains = items, .restart_fraction = 0})
      : network({.layers = {visible, middle, top}}),
        objective(network, sampler, batches, updates, Communicator::world(), Summation::reproducible, learning_key, 16,
                  {.sampler_steps = 2}, persistent) {
    set_parameters(network, normals(21, network.parameters().extent(0), 0.6));
    // Layers whose units are far from half on, so that a wrong mean is seen.
    assign(network.machine(0).hidden_bias(), {2, -2, 0.8});
    network.parameters_changed();
  }
  Values gradient(Index update) { return to_host(objective.gradient(update, timers)); }
  // p(h_j = 1 | v) of the first machine, mean over all items.
  Values means_of_layer() const {
    Rbm const& m = network.machine(0);
    Values const w = to_host(m.weight()), b = to_host(m.hidden_bias());
    Values mean(middle), x(visible);
    for (Index k = 0; k < items; k++) {
      set.values(set.item(data::Split::train, k), x.data());
      for (Index j = 0; j < middle; j++) {
        double field = b[j];
        for (Index i = 0; i < visible; i++) field += w[i * middle + j] * x[i];
        mean[j] += 1 / (1 + std::exp(-field)) / items;
      }
    }
    return mean;
  }
};

TEST(GreedyCd, MachinesLearnInTurnTheirOwnParameters) {
  Gibbs gibbs{GibbsOptions{}};
  Greedy g(5, gibbs);
  auto const phases = g.objective.phases(updates, extent(g.network.parameters(), 0));
  Index const first = visible * middle + visible + middle, second = middle * 5 + middle + 5;
  ASSERT_EQ(phases.size(), 2u);
  EXPECT_EQ(phases[0].first_update, 0);
  EXPECT_EQ(phases[0].updates, 10);
  EXPECT_EQ(phases[0].first_parameter, 0);
  EXPECT_EQ(phases[0].parameters, first);
  EXPECT_EQ(phases[1].first_update, 10);
  EXPECT_EQ(phases[1].updates, 10);
  EXPECT_EQ(phases[1].first_parameter, first);
  EXPECT_EQ(phases[1].parameters, second);
  EXPECT_EQ(g.gradient(9).size(), first);
  EXPECT_EQ(g.objective.report(10).back(), 0);
  EXPECT_EQ(g.gradient(10).size(), second);
  EXPECT_EQ(g.objective.report(11).back(), 1);
}

// The first machine learns from the data themselves: with its chains where they are, the gradient of its visible biases is the chains'
// means, always the same, less the data's, which one update on all items has whole.
TEST(GreedyCd, TheFirstMachineLearnsFromTheData) {
  Still still;
  Greedy g(5, still);
  Values const first = g.gradient(0), second = g.gradient(1);
  Values mean(visible), x(visible);
  for (Index k = 0; k < items; k++) {
    g.set.values(g.set.item(data::Split::train, k), x.data());
    for (std::size_t i = 0; i < visible; i++) mean[i] += x[i] / items;
  }
  for (std::size_t i = 0; i < visible; i++) {
    double const chains = (first[visible * middle + i] + mean[i]) * items;  // a whole number of 64, placed with half of the units on
    EXPECT_NEAR(chains, std::round(chains), 1e-3);
    EXPECT_NEAR(chains / items, 0.5, 4 * 0.5 / std::sqrt(items));
    EXPECT_NEAR(first[visible * middle + i], second[visible * middle + i], 1e-5);
  }
}

// A machine of the shape of the one below it turned upside down starts as that: W' and both biases, exactly.
TEST(GreedyCd, TheNextMachineStartsAsTheOneBelowTurnedOver) {
  Gibbs gibbs{GibbsOptions{}};
  Greedy g(visible, gibbs);
  g.gradient(updates / 2);
  Rbm const &below = g.network.machine(0), &above = g.network.machine(1);
  Values const w = to_host(below.weight()), turned = to_host(above.weight());
  for (std::size_t i = 0; i < visible; i++)
    for (std::size_t j = 0; j < middle; j++) EXPECT_EQ(turned[j * visible + i], w[i * middle + j]);
  EXPECT_EQ(to_host(above.visible_bias()), to_host(below.hidden_bias()));
  EXPECT_EQ(to_host(above.hidden_bias()), to_host(below.visible_bias()));
}

// Of another shape it starts at its weights and at the means of what it is shown: 20 draws of each item's hidden units.
TEST(GreedyCd, TheNextMachineStartsAtTheMeansOfItsData) {
  Gibbs gibbs{GibbsOptions{}};
  Greedy g(2, gibbs);
  Values const weight = to_host(g.network.machine(1).weight()), hidden = to_host(g.network.machine(1).hidden_bias());
  g.gradient(updates / 2);
  EXPECT_EQ(to_host(g.network.machine(1).weight()), weight);
  EXPECT_EQ(to_host(g.network.machine(1).hidden_bias()), hidden);
  Values const bias = to_host(g.network.machine(1).visible_bias()), mean = g.means_of_layer();
  for (std::size_t j = 0; j < middle; j++)
    EXPECT_NEAR(1 / (1 + std::exp(-bias[j])), mean[j], 4 * std::sqrt(mean[j] * (1 - mean[j]) / (20 * items))) << j;
}

// Chains that stay where they started have the means of the layer, as its items have: the visible biases' gradient <v>_chains - <v>_data is
// noise alone, of 64 draws each. And the items are drawn anew in each update, here the only change.
TEST(GreedyCd, TheNextMachineIsShownDrawsAndItsChainsStartAtTheirMeans) {
  Still still;
  Greedy g(visible, still);
  Values const first = g.gradient(updates / 2), second = g.gradient(updates / 2 + 1), mean = g.means_of_layer();
  for (std::size_t j = 0; j < middle; j++)
    EXPECT_NEAR(first[middle * visible + j], 0, 4 * std::sqrt(2 * mean[j] * (1 - mean[j]) / items)) << j;
  EXPECT_NE(first, second);
  // Over many updates the items' share of the noise averages out, and the chains' draws stay.
  constexpr Index more = 200;
  Values average(first.size());
  for (Index u = 0; u < more; u++) {
    Values const at = g.gradient(updates / 2 + 1 + u);
    for (std::size_t k = 0; k < at.size(); k++) average[k] += at[k] / more;
  }
  for (std::size_t j = 0; j < middle; j++)
    EXPECT_NEAR(average[middle * visible + j], 0, 4 * std::sqrt((1 + 1. / more) * mean[j] * (1 - mean[j]) / items)) << j;
}

}  // namespace
}  // namespace partita::test
