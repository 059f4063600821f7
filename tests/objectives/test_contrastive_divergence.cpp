#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "../estimators/tree.hpp"
#include "../optimizers/copy_state.hpp"
#include "core/copy.hpp"
#include "core/require.hpp"
#include "learning.hpp"
#include "models/mlp_energy.hpp"
#include "objectives/contrastive_divergence.hpp"
#include "samplers/leimkuhler_matthews.hpp"
#include "samplers/ula.hpp"
#include "samplers/underdamped.hpp"

namespace partita {
namespace {

using Values = std::vector<double>;

constexpr Index dimension = 2, hidden = 8;
constexpr double quadratic = 0.5;
random::Key const key{11, 12};

Values normals(std::uint64_t which, Index n) {
  Values out;
  for (Index k = 0; k < n; k++) {
    auto const w = random::words(key, std::uint64_t(k), random::Stream::test, which, 0);
    out.push_back(random::normal_pair(w.w[0], w.w[1], double()).a);
  }
  return out;
}

data::Dataset dataset() {  // 120 points
  Values const values = normals(1, 120 * dimension);
  return {{{"test", 120, {dimension}, std::vector<float>(values.begin(), values.end())}, 0, {}}, {}, key};
}

MlpEnergy model() {
  MlpEnergy m({{dimension, hidden, 1}, "silu", quadratic});
  Values const n = normals(2, 1000);
  m.initialise([&](Index i) { return n[i]; });
  return m;
}

Values host(ConstVector v) {
  auto const h = values_on_host(v);
  return {h.data(), h.data() + h.size()};
}

// The energy of model(), and the length of its gradient, once more in plain double: W1 silu(W0 x + b0) + b1 + lambda/2 |x|^2.
struct Energy {
  double value, slope;
};
Energy energy(Values const& theta, double const* x) {
  double const *w0 = theta.data(), *b0 = w0 + hidden * dimension, *w1 = b0 + hidden, *b1 = w1 + hidden;
  Energy e{*b1, 0};
  double g[dimension];
  for (Index i = 0; i < dimension; i++) e.value += 0.5 * quadratic * x[i] * x[i], g[i] = quadratic * x[i];
  for (Index k = 0; k < hidden; k++) {
    double a = b0[k];
    for (Index i = 0; i < dimension; i++) a += w0[k * dimension + i] * x[i];
    double const s = 1 / (1 + std::exp(-a));
    e.value += w1[k] * a * s;
    for (Index i = 0; i < dimension; i++) g[i] += w1[k] * s * (1 + a * (1 - s)) * w0[k * dimension + i];
  }
  e.slope = std::hypot(g[0], g[1]);
  return e;
}
double mean_over(Values const& points, std::function<double(double const*)> const& f) {
  double sum = 0;
  for (std::size_t p = 0; p < points.size(); p += dimension) sum += f(&points[p]);
  return sum * dimension / double(points.size());
}
double mean_energy(Values const& theta, Values const& points) {
  return mean_over(points, [&](double const* x) { return energy(theta, x).value; });
}

// A sampler that leaves its chains where they are: a step far below the rounding of x, and no noise.
UlaOptions const frozen{.step_size = 1e-30, .temperature = 0};

struct Deck {
  Index batch = 20, width = 16;
  Summation summation = Summation::reproducible;
  ChainStart start = ChainStart::at_data;
  ContrastiveOptions contrastive = {.sampler_steps = 3};
  PersistentOptions persistent = {};
  InitialDistribution initial = {};
};

template <class AnySampler>
struct Training {
  data::Dataset set = dataset();
  data::Batches batches;
  MlpEnergy energy_model = model();
  AnySampler sampler;
  ContrastiveDivergence objective;
  Timers timers;

  template <class Options>
  Training(Deck const& d, Options const& options)
      : batches(set, d.batch, key),
        sampler(options),
        objective(energy_model, sampler, batches, Communicator::world(), d.summation, key, d.width, d.start, d.contrastive, d.persistent,
                  d.initial) {}

  Values gradient(Index update) { return host(objective.gradient(update, timers)); }
  Values theta() const { return host(energy_model.parameters()); }
  Values data(Index update) const {  // (item, dimension) of the global batch
    Values out(batches.batch() * dimension);
    for (Index j = 0; j < batches.batch(); j++) set.values(batches.item(update, j), out.data() + j * dimension);
    return out;
  }
  // (chain, dimension) of a generation's chains of all ranks.
  Values chains(std::size_t generation = 0) const {
    Chains const& c = objective.chains()[generation];
    auto const x = values_on_host(c.x);
    Values mine;
    for (Index t = 0; t < c.mine.count; t++)
      for (Index l = 0; l < c.tiling.chains_in(c.mine.first + t); l++)
        for (Index i = 0; i < dimension; i++) mine.push_back(x(t, i, l));
    return Communicator::world().all_gather(mine);
  }
};

// Contributions of items are of order 1 and their sums over a batch are rounded a few times.
constexpr double rounding = std::is_same_v<Real, double> ? 1e-14 : 1e-5;

// With the chains held fixed the gradient is that of mean E(data) - mean E(chains) + alpha (mean E(data)^2 + mean E(chains)^2).
void expect_central_difference(Deck const& deck) {
  Training<Ula> t(deck, UlaOptions{.step_size = 0.05});
  Values const g = t.gradient(4), theta = t.theta(), data = t.data(4), chains = t.chains();
  ASSERT_EQ(std::ssize(chains), deck.batch * dimension);
  double const alpha = deck.contrastive.energy_penalty;
  auto const loss = [&](Values const& at, Values const& points, double sign) {
    return mean_over(points, [&](double const* x) {
      double const e = energy(at, x).value;
      return sign * e + alpha * e * e;
    });
  };
  for (std::size_t k = 0; k < theta.size(); k++) {
    constexpr double h = 1e-5;  // h^2 and 1e-16 / h are both below 1e-10
    Values up = theta, down = theta;
    up[k] += h, down[k] -= h;
    double const of_data = (loss(up, data, 1) - loss(down, data, 1)) / (2 * h),
                 of_chains = (loss(up, chains, -1) - loss(down, chains, -1)) / (2 * h);
    double const scale = std::abs(of_data) + std::abs(of_chains) + 1;
    EXPECT_NEAR(g[k], of_data + of_chains, (1e-9 + rounding) * scale) << "parameter " << k << ", batch " << deck.batch;
  }
}

TEST(ContrastiveGradient, IsTheCentralDifferenceOfTheEnergyGap) {
  for (Index batch : {20, 100})  // the last tile of 16 has four real lanes
    for (ChainStart start : {ChainStart::at_data, ChainStart::persistent})
      expect_central_difference({.batch = batch, .start = start, .persistent = {.chains = batch}});
  expect_central_difference({.batch = 100, .width = 64});
}
TEST(ContrastiveGradient, IncludesTheEnergyPenalty) {
  for (Index batch : {20, 100}) expect_central_difference({.batch = batch, .contrastive = {.sampler_steps = 2, .energy_penalty = 0.3}});
}
TEST(ContrastiveGradient, FastSummationIsClose) {
  Deck deck{.batch = 100, .contrastive = {.sampler_steps = 5, .energy_penalty = 0.1}};
  Training<Ula> exact(deck, UlaOptions{.step_size = 0.05});
  deck.summation = Summation::fast;
  Training<Ula> fast(deck, UlaOptions{.step_size = 0.05});
  for (Index update = 0; update < 3; update++) {
    Values const a = exact.gradient(update), b = fast.gradient(update);
    EXPECT_EQ(exact.chains(), fast.chains());
    for (std::size_t k = 0; k < a.size(); k++) EXPECT_NEAR(a[k], b[k], 10 * rounding);
  }
}

// All tiles on each rank, with the sums of the tiles added along the tree.
void expect_bits_of_one_rank(ChainStart start) {
  Deck const deck{.batch = 100,
                  .start = start,
                  .contrastive = {.sampler_steps = 4, .energy_penalty = 0.1},
                  .persistent = {.chains = 100, .restart_fraction = 0.2},
                  .initial = {InitialState::uniform, 2, 0}};
  UlaOptions const options{.step_size = 0.05};
  Training<Ula> t(deck, options);

  Tiling const tiling{deck.batch, deck.width};
  TileRange const all{0, tiling.tiles()};
  MlpEnergy serial = model();
  serial.reserve(tiles_in_flight(all.count), tiling.width);
  Ula sampler(options);
  TileStorage const data("data", all.count, dimension, tiling.pitch());
  TileScalarStorage const e("energy", 1, tiling.pitch()), w("weight", 1, tiling.pitch());
  Chains chains("chains", tiling, all, dimension);
  initialise(chains, key, random::Stream::initial_state, 0, deck.initial);
  for (Index update = 0; update < 3; update++) {
    t.batches.fill(data, tiling, all, update);
    if (start == ChainStart::at_data) copy_array(chains.x, data);
    else restart_some(chains, key, update, deck.initial, deck.persistent.restart_fraction);
    sampler.advance(serial, chains, key, update * deck.contrastive.sampler_steps, deck.contrastive.sampler_steps);

    std::vector<Values> per_tile;
    for (Index tile = 0; tile < all.count; tile++) {
      Vector const sum("sum", serial.parameters().extent(0));
      for (auto const& [x, sign] : {std::pair(data, 1.), std::pair(chains.x, -1.)}) {
        std::pair const lanes(Index{0}, tiling.lanes(tile));
        Tiles const here = Kokkos::subview(x, std::pair(tile, tile + 1), Kokkos::ALL, lanes);
        TileScalars const energies = Kokkos::subview(e, Kokkos::ALL, lanes), weights = Kokkos::subview(w, Kokkos::ALL, lanes);
        serial.jet_forward(here, {}, 0, energies, {}, {});
        auto const he = values_on_host(e);
        auto const hw = Kokkos::create_mirror_view(w);
        Real const linear = Real(sign / 100), slope = Real(2 * deck.contrastive.energy_penalty / 100);
        for (Index l = 0; l < tiling.lanes(tile); l++) hw(0, l) = l < tiling.chains_in(tile) ? std::fma(slope, he(0, l), linear) : Real(0);
        copy_array(w, hw);
        serial.jet_reverse(here, weights, {}, {}, sum);
      }
      per_tile.push_back(host(sum));
    }
    // Partial sums are Reals, so the tree is followed in Real.
    for (std::size_t apart = 1; apart < per_tile.size(); apart *= 2)
      for (std::size_t left = 0; left + apart < per_tile.size(); left += 2 * apart)
        for (std::size_t k = 0; k < per_tile[left].size(); k++)
          per_tile[left][k] = Real(Real(per_tile[left][k]) + Real(per_tile[left + apart][k]));
    EXPECT_EQ(t.gradient(update), per_tile.front()) << "update " << update;
  }
}
TEST(ContrastiveGradient, SameBitsOnAnyNumberOfRanks) {
  expect_bits_of_one_rank(ChainStart::at_data);
  expect_bits_of_one_rank(ChainStart::persistent);
}

TEST(ContrastiveDivergence, StartsAtTheData) {
  Training<Ula> t({.batch = 100}, frozen);
  for (Index update : {0, 1, 7}) {
    Values const g = t.gradient(update);
    EXPECT_EQ(t.chains(), t.data(update));
    for (double v : g) EXPECT_NEAR(v, 0, rounding);
  }
}

TEST(ContrastiveDivergence, NoiseOnDataIsGaussianAndNew) {
  constexpr double deviation = 0.3;
  Training<Ula> t({.batch = 100, .contrastive = {.sampler_steps = 1, .data_noise = deviation}}, frozen);
  Values noise;
  for (Index update = 0; update < 5; update++) {
    t.gradient(update);
    Values const x = t.chains(), data = t.data(update);
    for (std::size_t k = 0; k < x.size(); k++) noise.push_back((x[k] - data[k]) / deviation);
  }
  double const n = double(noise.size());
  double sum = 0, squares = 0;
  for (double v : noise) sum += v, squares += v * v;
  EXPECT_NEAR(sum / n, 0, 4 / std::sqrt(n));
  EXPECT_NEAR(squares / n, 1, 4 * std::sqrt(2 / n));
  std::sort(noise.begin(), noise.end());
  for (std::size_t k = 1; k < noise.size(); k++) EXPECT_GT(noise[k] - noise[k - 1], 0) << "a number was used twice";
}

TEST(PersistentChains, AreAMultipleOfTheBatch) {
  try {
    Training<Ula> t({.start = ChainStart::persistent, .persistent = {.chains = 30}}, frozen);
    FAIL() << "30 chains in batches of 20 were accepted";
  } catch (Failure const& f) {
    EXPECT_EQ(f.code(), ExitCode::usage);
    EXPECT_EQ(f.where(), FailedOn::all_ranks);
    EXPECT_THAT(f.what(), testing::HasSubstr("objective.chains = 30 is not a multiple of train.batch = 20"));
    EXPECT_THAT(f.what(), testing::HasSubstr("use 40"));
  }
}

TEST(PersistentChains, RestartAtTheirShareAndStayOtherwise) {
  constexpr Index batch = 96, generations = 4, updates = 60;
  constexpr double share = 0.25, centre = 2, scale = 0.5;
  Training<Ula> t({.batch = batch,
                   .start = ChainStart::persistent,
                   .contrastive = {.sampler_steps = 1},
                   .persistent = {.chains = generations * batch, .restart_fraction = share},
                   .initial = {InitialState::uniform, scale, centre}},
                  frozen);
  auto const all = [&] {
    std::vector<Values> out;
    for (std::size_t g = 0; g < generations; g++) out.push_back(t.chains(g));
    return out;
  };
  ASSERT_EQ(t.objective.chains().size(), generations);
  std::vector<Values> before = all();
  Values first_entries;
  for (Values const& x : before)
    for (std::size_t k = 0; k < x.size(); k += dimension) first_entries.push_back(x[k]);
  std::sort(first_entries.begin(), first_entries.end());
  // Floats have 2^23 values here: among 384 chains fewer than one pair meets by accident in 100 seeds.
  EXPECT_EQ(std::adjacent_find(first_entries.begin(), first_entries.end()), first_entries.end()) << "two chains started alike";

  double restarted = 0;
  std::vector<int> advanced(generations);
  for (Index update = 0; update < updates; update++) {
    t.gradient(update);
    std::vector<Values> const after = all();
    int generations_changed = 0;
    for (std::size_t g = 0; g < generations; g++) {
      int changed = 0;
      for (std::size_t k = 0; k < after[g].size(); k += dimension) changed += after[g][k] != before[g][k];
      for (double v : after[g]) ASSERT_NEAR(v, centre, scale);
      restarted += changed;
      advanced[g] += changed > 0;
      generations_changed += changed > 0;
    }
    EXPECT_EQ(generations_changed, 1);
    before = after;
  }
  double const n = updates * batch;
  EXPECT_NEAR(restarted, n * share, 4 * std::sqrt(n * share * (1 - share)));
  for (int a : advanced) EXPECT_NEAR(a, updates / generations, 4 * std::sqrt(updates * 0.25 * 0.75));
}

TEST(PersistentChains, WithoutRestartsNoneIsLost) {
  Training<Ula> t({.start = ChainStart::persistent, .persistent = {.chains = 20, .restart_fraction = 0}}, frozen);
  Values const before = t.chains();
  t.gradient(0);
  EXPECT_EQ(t.chains(), before);
}

TEST(TrainingHealth, AveragesOverTheUpdatesSinceTheLastReport) {
  UlaOptions const options{.step_size = 0.05};
  for (Index batch : {20, 100}) {
    Training<Ula> t({.batch = batch, .start = ChainStart::persistent, .persistent = {.chains = batch}}, options);
    Values const theta = t.theta();
    t.gradient(0);
    t.objective.health();
    double of_data = 0, of_chains = 0, squares = 0;
    for (Index update : {1, 2}) {
      t.gradient(update);
      of_data += mean_energy(theta, t.data(update)) / 2;
      of_chains += mean_energy(theta, t.chains()) / 2;
      squares += mean_over(t.chains(), [&](double const* x) { return std::pow(energy(theta, x).value, 2); }) / 2;
    }
    TrainingHealth const h = t.objective.health();
    EXPECT_NEAR(h.energy_data, of_data, 10 * rounding);
    EXPECT_NEAR(h.energy_chains, of_chains, 10 * rounding);
    EXPECT_EQ(h.energy_gap, h.energy_data - h.energy_chains);
    EXPECT_NEAR(h.energy_spread, std::sqrt(squares - of_chains * of_chains), 100 * rounding);
    double const slope = mean_over(t.chains(), [&](double const* x) { return energy(theta, x).slope; });
    EXPECT_NEAR(h.gradient_step, options.step_size * slope, 10 * rounding * options.step_size);
  }
}

// The mean gradient step of the chains is compared with the length of the noise, sqrt(2 eta T d): Langevin steps of eta on a curvature of
// 1 / eta are as long as that, and from 2 / eta on they are unstable.
TEST(UnadjustedSteps, AreHalvedWhereTheChainsOvershoot) {
  int halved = 0, kept = 0;
  for (double eta : {1e-4, 1e-3, 0.01, 0.1, 0.3, 1.})
    for (double temperature : {0.5, 1.}) {
      Training<Ula> t({.batch = 100, .contrastive = {.sampler_steps = 1}}, UlaOptions{.step_size = eta, .temperature = temperature});
      Values theta = t.theta();
      for (double& v : theta) v *= 3;
      test::set_parameters(t.energy_model, theta);
      t.gradient(0);
      double const step = eta * mean_over(t.chains(), [&](double const* x) { return energy(theta, x).slope; });
      double const noise = std::sqrt(2 * eta * temperature * dimension);
      ASSERT_GT(std::abs(step / noise - 1), 1e-3) << "too near to tell";
      EXPECT_EQ(t.sampler.step_size(), step > noise ? eta / 2 : eta) << "step " << step << ", noise " << noise;
      (step > noise ? halved : kept)++;
      EXPECT_EQ(t.objective.warnings({}).size(), step > noise ? 1u : 0u);
    }
  EXPECT_GT(halved, 0);
  EXPECT_GT(kept, 0);
}

// Chains without noise, or with less than exp(-E/T) asks for, are meant to follow the gradient.
TEST(UnadjustedSteps, AreKeptWhereNothingIsSampled) {
  for (UlaOptions const& o : {UlaOptions{.step_size = 1, .temperature = 0}, UlaOptions{.step_size = 1, .noise_scale = 0.1}}) {
    Training<Ula> t({.batch = 100, .contrastive = {.sampler_steps = 1}}, o);
    t.gradient(0);
    EXPECT_EQ(t.sampler.step_size(), 1);
  }
}

// Underdamped steps h are unstable from a curvature of 4 m / h^2 on: at half of that h |dE/dx| is sqrt(2 m T d).
TEST(UnadjustedSteps, OfUnderdampedChainsHaveTheirOwnBound) {
  EXPECT_NEAR(Underdamped({.step_size = 0.3, .mass = 2, .temperature = 0.5}).longest_gradient_step(8), 4, 1e-12);
  EXPECT_NEAR(LeimkuhlerMatthews({.step_size = 0.02}).longest_gradient_step(4), 0.02 * std::sqrt(50. * 4), 1e-12);
}

// What reports tell, by reports that are made: rows of the energy gap, the energies of data and chains, their standard deviation, and the
// gradient step.
struct MadeReports {
  Training<Ula> training{Deck{}, frozen};
  // `count` rows of gap(i); noise makes the gap uncertain from row to row.
  Values rows(int count, std::function<double(int)> const& gap, double noise = 0.05) {
    Values gaps;
    for (int i = 0; i < count; i++) gaps.push_back(gap(i) + noise * normals(77, count)[i]);
    return gaps;
  }
  std::vector<std::string> warnings(Values const& gaps, double deviation) {
    std::vector<Values> reports;
    for (double g : gaps) reports.push_back({g, 0, -g, deviation, 0});
    return training.objective.warnings(reports);
  }
};

TEST(EnergyGap, NearZeroIsNoWarning) {
  MadeReports m;
  EXPECT_TRUE(m.warnings(m.rows(90, [](int i) { return i < 50 ? 30. : 0.; }), 1).empty()) << "what the training came from does not count";
  EXPECT_TRUE(m.warnings(m.rows(90, [](int) { return 0.4; }), 1).empty());
  EXPECT_TRUE(m.warnings(m.rows(90, [](int) { return 40.; }), 100).empty()) << "in standard deviations of the energies";
  EXPECT_TRUE(m.warnings({}, 1).empty());
}

TEST(EnergyGap, FarFromZeroSaysOnWhichSide) {
  MadeReports m;
  for (int count : {1, 5, 90}) {
    auto const lagging = m.warnings(m.rows(count, [](int) { return -0.7; }), 1),
               wandering = m.warnings(m.rows(count, [](int) { return 0.7; }), 1);
    ASSERT_EQ(lagging.size(), 1u);
    EXPECT_THAT(lagging.front(), testing::HasSubstr("the chains have higher energies than the data"));
    ASSERT_EQ(wandering.size(), 1u);
    EXPECT_THAT(wandering.front(), testing::HasSubstr("the chains have lower energies than the data"));
  }
}

TEST(EnergyGap, DriftsAreToldFromNoise) {
  MadeReports m;
  auto const slope = [](int i) { return (i - 75) * 0.03; };  // by .45 between the halves of the last 30 rows, which are near 0 on average
  auto const drifting = m.warnings(m.rows(90, slope), 1);
  ASSERT_EQ(drifting.size(), 1u);
  EXPECT_THAT(drifting.front(), testing::HasSubstr("still drifts"));
  EXPECT_TRUE(m.warnings(m.rows(90, slope, 2), 1).empty()) << "within four standard errors";
  EXPECT_TRUE(m.warnings(m.rows(90, slope), 3).empty()) << "small beside the spread of the energies";
}

TEST(ContrastiveDivergence, CountsItsChainStepsAndBytes) {
  Training<Ula> t({.batch = 20, .start = ChainStart::persistent, .contrastive = {.sampler_steps = 7}, .persistent = {.chains = 60}},
                  frozen);
  EXPECT_EQ(t.objective.chain_steps_per_update(), 140);
  std::size_t chains = 0;
  for (Chains const& c : t.objective.chains()) chains += sizeof(Real) * c.x.size();
  ArrayList list;
  Communicator const ranks = Communicator::world();
  ContrastiveDivergence::list(Arrays(list), t.energy_model, {t.objective.chains().front().tiling, ranks.rank(), ranks.ranks()},
                              Summation::fast, ChainStart::persistent, {}, {.chains = 60});
  EXPECT_GE(list.bytes(), double(chains));
}

TEST(ObjectiveState, RestoredTrainingContinuesWithTheSameBits) {
  Deck const deck{.batch = 20,
                  .start = ChainStart::persistent,
                  .contrastive = {.sampler_steps = 3, .data_noise = 0.1},
                  .persistent = {.chains = 60, .restart_fraction = 0.1}};
  Training<Underdamped> first(deck, UnderdampedOptions{.step_size = 0.1}), second(deck, UnderdampedOptions{.step_size = 0.2});
  for (Index update = 0; update < 5; update++) {
    first.gradient(update);
    if (update == 1) first.objective.health();
  }
  test::copy_state(first.objective, second.objective);
  auto const same_health = [](TrainingHealth const& a, TrainingHealth const& b) {
    EXPECT_EQ(a.energy_data, b.energy_data);
    EXPECT_EQ(a.energy_chains, b.energy_chains);
    EXPECT_EQ(a.energy_spread, b.energy_spread);
    EXPECT_EQ(a.gradient_step, b.gradient_step);
  };
  same_health(first.objective.health(), second.objective.health());
  for (Index update = 5; update < 8; update++) EXPECT_EQ(first.gradient(update), second.gradient(update)) << update;
  for (std::size_t g = 0; g < 3; g++) EXPECT_EQ(first.chains(g), second.chains(g));
  same_health(first.objective.health(), second.objective.health());
}

}  // namespace
}  // namespace partita
