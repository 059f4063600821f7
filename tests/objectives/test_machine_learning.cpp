// Contrastive divergence of machines by value: its gradient against central differences of free energies, and each of its options against
// sums over the data and over the chains that it left behind.
#include <gtest/gtest.h>

#include "../models/machine.hpp"
#include "../optimizers/copy_state.hpp"
#include "core/copy.hpp"
#include "learning.hpp"
#include "models/gaussian_rbm.hpp"
#include "models/mlp_energy.hpp"
#include "models/softmax_rbm.hpp"
#include "samplers/gibbs.hpp"
#include "samplers/start_chains.hpp"
#include "samplers/ula.hpp"

namespace partita::test {
namespace {

// Mean over the points (point, dimension) of f(E(point)).
double mean_over(TrainableEnergy& model, Values const& points, std::function<double(double)> const& f) {
  Index const d = model.dimension(), n = std::ssize(points) / d, lanes = round_up(n, lane_quantum);
  auto const x = machine::points(1, d, lanes, [&](Index p, Index i) { return p < n ? points[p * d + i] : 0.; });
  auto const e = machine::scalars(1, lanes);
  model.reserve(1, lanes);
  model.energy(machine::seen(x, lanes), machine::seen(e, lanes));
  auto const at = machine::host(e);
  double sum = 0;
  for (Index p = 0; p < n; p++) sum += f(at(0, p));
  return sum / double(n);
}

// Fourth-order central differences, see tests/models/test_mlp_energy.cpp for their error.
double difference(std::function<double(double)> const& f) {
  double const h = in_double ? 2e-3 : 6e-2;
  auto const central = [&](double s) { return (f(s) - f(-s)) / (2 * s); };
  return (4 * central(h) - central(2 * h)) / 3;
}

using Change = std::function<void(Values& gradient, Values const& data)>;

// With data and chains held fixed the gradient is that of mean E(data) - mean E(chains) + alpha (mean E(data)^2 + mean E(chains)^2), to
// which `change` does what the machine does besides. Chains start at the data, or persist in two batches that each update advances.
void expect_difference(TrainableEnergy& model, Sampler& sampler, data::Dataset const& set, Change const& change = {}) {
  Values const theta = normals(3, model.parameters().extent(0), 0.4);
  for (ChainStart start : {ChainStart::at_data, ChainStart::persistent})
    for (double alpha : {0., 0.3}) {
      set_parameters(model, theta);
      ContrastiveLearning learning(model, sampler, set,
                                   {.start = start,
                                    .contrastive = {.sampler_steps = 2, .energy_penalty = alpha},
                                    .persistent = {.chains = 80, .restart_fraction = 0.1}});
      learning.gradient(3);
      Values const found = learning.gradient(4), data = learning.data(4), chains = learning.chains();
      ASSERT_EQ(chains.size(), data.size() * (start == ChainStart::persistent ? 2 : 1));
      Values want(theta.size());
      for (std::size_t k = 0; k < theta.size(); k++)
        want[k] = difference([&](double s) {
          Values moved = theta;
          moved[k] += s;
          set_parameters(model, moved);
          return mean_over(model, data, [&](double e) { return e + alpha * e * e; }) -
                 mean_over(model, chains, [&](double e) { return e - alpha * e * e; });
        });
      if (change) change(want, data);
      double largest = 1;
      for (double g : want) largest = std::max(largest, std::abs(g));
      for (std::size_t k = 0; k < theta.size(); k++)
        EXPECT_NEAR(found[k], want[k], (in_double ? 1e-7 : 1e-2) * largest)
            << "parameter " << k << (start == ChainStart::persistent ? ", persistent" : ", at the data") << ", alpha " << alpha;
    }
}

TEST(MachineGradient, IsTheDifferenceOfFreeEnergies) {
  Gibbs gibbs{GibbsOptions{}};
  Rbm rbm({.visible = 6, .hidden = 4});
  expect_difference(rbm, gibbs, items_of(120, 6, random_bit));
  for (char const* parametrisation : {"A", "B"})
    for (bool learns : {false, true}) {
      auto const gaussian =
          make_rbm({.visible = 4, .hidden = 3, .visible_units = "gaussian", .parametrisation = parametrisation, .learn_variance = learns});
      // Where the variances are not learnt their logarithms, the last of the parameters, stay.
      expect_difference(*gaussian, gibbs, items_of(120, 4, [](Index k, Index i) { return normal(9, 10 * k + i); }),
                        [&](Values& gradient, Values const&) {
                          if (!learns) std::fill(gradient.end() - 4, gradient.end(), 0);
                        });
    }
}

TEST(MachineGradient, OfANetworkConditionedOnNoiseIsAtItsLowestNoise) {
  Ula ula(UlaOptions{.step_size = 0.02});
  MlpEnergy network({.layers = {3, 7, 1}, .quadratic = 0.5, .noise_levels = 3, .noise_lowest = 0.3});
  expect_difference(network, ula, items_of(120, 3, [](Index k, Index i) { return normal(9, 10 * k + i); }));
}

// Ratings: each item's gradient is divided by the share of users who rated it, plus the offset; that of the shared weights by the ratings a
// user.
TEST(MachineGradient, OfRatingsIsDividedByTheirCounts) {
  constexpr Index items = 5, levels = 3, hidden = 2;
  constexpr double offset = 0.25;
  Gibbs gibbs{GibbsOptions{}};
  SoftmaxRbm model({.items = items, .levels = levels, .hidden = hidden, .rated_fraction_offset = offset});
  auto const code = [](Index k, Index i) { return std::floor(std::abs(2 * normal(11, 10 * k + i))); };
  auto const set = items_of(120, items, [&](Index k, Index i) { return std::min(code(k, i), 3.); });
  expect_difference(model, gibbs, set, [](Values& gradient, Values const& data) {
    Values share(items);
    double ratings = 0;
    for (std::size_t k = 0; k < data.size(); k++)
      if (data[k] > 0) share[k % items] += 1. * items / double(data.size()), ratings += 1. * items / double(data.size());
    Index const w = items * levels * hidden, shared = levels * hidden, a = items * levels;
    for (Index k = 0; k < w; k++) gradient[k] /= share[k / (levels * hidden)] + offset;
    for (Index k = w; k < w + shared; k++) gradient[k] /= ratings;
    for (Index k = 0; k < a; k++) gradient[w + shared + k] /= share[k / levels] + offset;
  });
}

// ---- Options, on machines of pairs of binary units: parameters are the weights of the edges, then the biases of all units ----

struct Pairs {
  Index units, visible;
  std::vector<Edge> edges;
};
Pairs pairs_of(Rbm const& m) {
  Pairs p{m.unit_count(), m.dimension(), {}};
  for (Index i = 0; i < p.visible; i++)
    for (Index j = p.visible; j < p.units; j++) p.edges.push_back({i, j});
  return p;
}
Pairs pairs_of(BoltzmannMachine const& m) {
  auto const first = values_on_host(m.graph().first), second = values_on_host(m.graph().second);
  Pairs p{m.unit_count(), m.visible_dimension(), {}};
  for (std::size_t e = 0; e < first.extent(0); e++) p.edges.push_back({first(e), second(e)});
  return p;
}

// Means of products over edges, then of units, where x has all units or, of a restricted machine, the visible ones, and p(h = 1 | v) stands
// for the others.
Values statistics(Pairs const& p, Values const& theta, Values const& points, Index dimension) {
  Values sum(p.edges.size() + std::size_t(p.units));
  Index const n = std::ssize(points) / dimension;
  for (Index c = 0; c < n; c++) {
    Values x(points.begin() + c * dimension, points.begin() + (c + 1) * dimension);
    for (Index j = dimension; j < p.units; j++) {
      double field = theta[p.edges.size() + std::size_t(j)];
      for (std::size_t e = 0; e < p.edges.size(); e++)
        if (p.edges[e].second == j) field += theta[e] * x[p.edges[e].first];
      x.push_back(1 / (1 + std::exp(-field)));
    }
    for (std::size_t e = 0; e < p.edges.size(); e++) sum[e] += x[p.edges[e].first] * x[p.edges[e].second] / double(n);
    for (std::size_t i = 0; i < x.size(); i++) sum[p.edges.size() + i] += x[i] / double(n);
  }
  return sum;
}

// The gradient without options is that of -theta . statistics: chains' means less the data's.
Values data_statistics(Values const& of_chains, Values const& gradient) {
  Values out = of_chains;
  for (std::size_t k = 0; k < out.size(); k++) out[k] -= gradient[k];
  return out;
}

constexpr double rounding = in_double ? 1e-12 : 2e-5;

// Centring by running means of the data's units: gW = <(x_i - mu_i)(x_j - mu_j)>, chains less data, and each bias loses its weights'
// gradients times the other ends' offsets; lambda W; cost (mean - target) on hidden biases.
template <class Machine>
void expect_options(Machine& model, ContrastiveOptions const& options) {
  Pairs const p = pairs_of(model);
  Values const theta = normals(3, model.parameters().extent(0), 0.5);
  set_parameters(model, theta);
  Gibbs gibbs{GibbsOptions{}};
  auto const set = items_of(120, p.visible, random_bit);
  ContrastiveOptions const none{.sampler_steps = options.sampler_steps, .positive_steps = options.positive_steps};
  ContrastiveLearning plain(model, gibbs, set, {.contrastive = none}), with(model, gibbs, set, {.contrastive = options});
  std::size_t const edges = p.edges.size();
  Values mu(p.units);
  for (Index update = 0; update < 3; update++) {
    Values const without = plain.gradient(update), found = with.gradient(update), points = with.chains();
    ASSERT_EQ(plain.chains(), points);
    Values const chains = statistics(p, theta, points, model.dimension()), data = data_statistics(chains, without);
    Values const items = with.data(update), seen = statistics({p.visible, p.visible, {}}, {}, items, p.visible);
    for (std::size_t i = 0; i < seen.size(); i++) EXPECT_NEAR(data[edges + i], seen[i], rounding) << "visible unit " << i;
    double const rate = update == 0 ? 1 : options.offset_rate;
    for (std::size_t i = 0; i < mu.size(); i++) mu[i] += rate * (data[edges + i] - mu[i]);
    if (!options.centred) mu.assign(mu.size(), 0);
    Values want(theta.size());
    for (std::size_t i = 0; i < mu.size(); i++) want[edges + i] = chains[edges + i] - data[edges + i];
    for (std::size_t e = 0; e < edges; e++) {
      auto const i = std::size_t(p.edges[e].first), j = std::size_t(p.edges[e].second);
      auto const centred = [&](Values const& s) { return s[e] - mu[i] * s[edges + j] - mu[j] * s[edges + i] + mu[i] * mu[j]; };
      double const g = centred(chains) - centred(data);
      want[edges + i] -= g * mu[j], want[edges + j] -= g * mu[i];
      want[e] = g + options.weight_decay * theta[e];
    }
    for (auto i = std::size_t(p.visible); i < mu.size(); i++)
      want[edges + i] += options.sparsity_cost * (data[edges + i] - options.sparsity_target);
    for (std::size_t k = 0; k < want.size(); k++) EXPECT_NEAR(found[k], want[k], rounding) << "parameter " << k << ", update " << update;
  }
}

template <class Machine>
void expect_each_option(Machine& model) {
  expect_options(model, {.sampler_steps = 2, .weight_decay = 0.1});
  expect_options(model, {.sampler_steps = 2, .sparsity_target = 0.2, .sparsity_cost = 0.7});
  expect_options(model, {.sampler_steps = 2, .centred = true, .offset_rate = 0.3});
  expect_options(
      model, {.sampler_steps = 1, .centred = true, .offset_rate = 0.3, .weight_decay = 0.1, .sparsity_target = 0.2, .sparsity_cost = 0.7});
}
TEST(MachineOptions, AreThoseOfTheStatisticsOfARestrictedMachine) {
  Rbm model({.visible = 6, .hidden = 4});
  expect_each_option(model);
}
TEST(MachineOptions, AreThoseOfTheStatisticsOfAMachineWithHiddenCouplings) {
  BoltzmannMachine model(BoltzmannMachineOptions{.visible = 5, .hidden = 3});
  expect_each_option(model);
}

// Ratings know no centring; decay is of W alone, which items do not share, and comes after the division by counts.
TEST(MachineOptions, OfRatingsAreAddedToTheDividedGradient) {
  constexpr Index items = 5, levels = 3, hidden = 2;
  SoftmaxRbm model({.items = items, .levels = levels, .hidden = hidden});
  Values const theta = normals(3, model.parameters().extent(0), 0.5);
  set_parameters(model, theta);
  Gibbs gibbs{GibbsOptions{}};
  auto const set = items_of(40, items, [](Index k, Index i) { return double((k * k + 3 * i) % 4); });
  ContrastiveLearning plain(model, gibbs, set),
      with(model, gibbs, set, {.contrastive = {.sampler_steps = 2, .weight_decay = 0.1, .sparsity_target = 0.2, .sparsity_cost = 0.7}});
  Values want = plain.gradient(1);
  Values const found = with.gradient(1), data = with.data(1);
  std::size_t const w = items * levels * hidden, b = w + levels * hidden + items * levels;
  for (std::size_t k = 0; k < w; k++) want[k] += 0.1 * theta[k];
  for (std::size_t j = 0; j < hidden; j++) {
    double mean = 0;
    for (std::size_t first = 0; first < data.size(); first += items) {
      double field = theta[b + j];
      for (std::size_t i = 0; i < items; i++)
        if (auto const k = std::size_t(data[first + i]); k > 0)
          field += theta[(i * levels + k - 1) * hidden + j] + theta[w + (k - 1) * hidden + j];
      mean += items / double(data.size()) / (1 + std::exp(-field));
    }
    want[b + j] += 0.7 * (mean - 0.2);
  }
  for (std::size_t k = 0; k < want.size(); k++) EXPECT_NEAR(found[k], want[k], rounding) << "parameter " << k;
}

// Hidden units that are not summed out are drawn given the data anew in each update, from p(h | v): the data's statistics of an update are
// means over 40 draws for the one pattern shown, those of 200 updates over 8000.
TEST(PositivePhase, DrawsHiddenUnitsGivenTheData) {
  constexpr Index visible = 3, hidden = 3, updates = 200, items = 40;
  BoltzmannMachine model(BoltzmannMachineOptions{.visible = visible, .hidden = hidden});
  Pairs const p = pairs_of(model);
  Values const theta = normals(5, model.parameters().extent(0), 0.7);
  set_parameters(model, theta);
  Gibbs gibbs{GibbsOptions{}};
  auto const pattern = [](Index i) { return i == 1 ? 0. : 1.; };
  ContrastiveLearning learning(model, gibbs, items_of(items, visible, [&](Index, Index i) { return pattern(i); }),
                               {.contrastive = {.sampler_steps = 1, .positive_steps = 20}});
  std::vector<Values> seen;
  for (Index update = 0; update < updates; update++) {
    Values const gradient = learning.gradient(update);
    seen.push_back(data_statistics(statistics(p, theta, learning.chains(), model.dimension()), gradient));
  }
  // p(h | v) by enumeration.
  Values const e = machine::path_energies(model, 1);
  Values all, exact(seen[0].size());
  double z = 0;
  for (Index h = 0; h < 1 << hidden; h++) {
    Index state = h << visible;
    for (Index i = 0; i < visible; i++) state |= Index(pattern(i)) << i;
    double const weight = std::exp(-e[state]);
    Values x;
    for (Index i = 0; i < visible + hidden; i++) x.push_back(machine::unit(state, i));
    Values const s = statistics(p, theta, x, model.dimension());
    for (std::size_t k = 0; k < s.size(); k++) exact[k] += weight * s[k];
    z += weight;
  }
  for (std::size_t k = 0; k < exact.size(); k++) {
    double mean = 0;
    for (Values const& s : seen) mean += s[k] / updates;
    double const q = exact[k] / z, n = double(updates * items);
    EXPECT_NEAR(mean, q, 4 * std::sqrt(std::max(0., q * (1 - q)) / n) + 10 * rounding) << "statistic " << k;
  }
  EXPECT_NE(seen[0], seen[1]);
}

TEST(MachineState, RestoredTrainingContinuesWithTheSameBits) {
  BoltzmannMachine model(BoltzmannMachineOptions{.visible = 5, .hidden = 3});
  set_parameters(model, normals(3, model.parameters().extent(0), 0.5));
  Gibbs gibbs{GibbsOptions{}};
  auto const set = items_of(120, 5, random_bit);
  LearningOptions const options{.start = ChainStart::persistent,
                                .contrastive = {.sampler_steps = 2, .centred = true, .offset_rate = 0.3, .sparsity_cost = 0.1},
                                .persistent = {.chains = 80, .restart_fraction = 0.1}};
  ContrastiveLearning first(model, gibbs, set, options), second(model, gibbs, set, options);
  for (Index update = 0; update < 3; update++) first.gradient(update);
  copy_state(first.objective, second.objective);
  for (Index update = 3; update < 6; update++) EXPECT_EQ(first.gradient(update), second.gradient(update)) << update;
}

// Of chains of a machine the share moves to draws of the reference, whole chains at a time, and the rest stays.
TEST(StartChains, MovesTheShareOfAMachinesChains) {
  constexpr Index count = 4000, units = 6;
  constexpr double share = 0.2;
  Rbm const model({.visible = units, .hidden = 4});
  Tiling const tiling{count, 64};
  Chains const chains("chains", tiling, {0, tiling.tiles()}, units);
  fill_array(chains.x, Real(2));
  start_chains(model, chains, {.key = learning_key, .stream = random::Stream::restart_state, .step = 3, .fraction = share}, {});
  auto const x = values_on_host(chains.x);
  double moved = 0;
  for (Index t = 0; t < tiling.tiles(); t++)
    for (Index l = 0; l < tiling.chains_in(t); l++) {
      bool const first = x(t, 0, l) != Real(2);
      moved += first;
      for (Index i = 0; i < units; i++) EXPECT_EQ(x(t, i, l) != Real(2), first);
    }
  EXPECT_NEAR(moved / count, share, 4 * std::sqrt(share * (1 - share) / count));
}

}  // namespace
}  // namespace partita::test
