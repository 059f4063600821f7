// Restricted machines of binary units against sums over all their states.
#include <gtest/gtest.h>

#include "core/copy.hpp"
#include "machine.hpp"
#include "models/rbm.hpp"

namespace partita::test::machine {
namespace {

constexpr double eps = std::numeric_limits<Real>::epsilon();

struct Shape {
  Index visible, hidden;
};
std::string name_of(testing::TestParamInfo<Shape> const& info) {
  return std::to_string(info.param.visible) + "_" + std::to_string(info.param.hidden);
}

Rbm machine_of(Shape const& shape, double scale = 1) {
  Rbm rbm({.visible = shape.visible, .hidden = shape.hidden, .initial_scale = scale});
  rbm.initialise([](Index i) { return normal(i, 1); });
  std::vector<double> a, b;
  for (Index i = 0; i < shape.visible; i++) a.push_back(0.7 * normal(i, 2));
  for (Index j = 0; j < shape.hidden; j++) b.push_back(0.7 * normal(j, 3));
  assign(rbm.visible_bias(), a), assign(rbm.hidden_bias(), b);
  return rbm;
}

// E(v, h) and its slopes by their formulas; states are numbers, unit i is bit i.
struct Joint {
  Index visible, hidden;
  std::vector<double> w, a, b;
  explicit Joint(Rbm const& rbm)
      : visible(rbm.dimension()),
        hidden(rbm.hidden()),
        w(to_host(rbm.weight())),
        a(to_host(rbm.visible_bias())),
        b(to_host(rbm.hidden_bias())) {}

  Index visible_states() const { return Index{1} << visible; }
  Index hidden_states() const { return Index{1} << hidden; }
  double weight(Index i, Index j) const { return w[i * hidden + j]; }
  double energy(Index v, Index h) const {
    double e = 0;
    for (Index i = 0; i < visible; i++) e -= a[i] * unit(v, i);
    for (Index j = 0; j < hidden; j++) e -= b[j] * unit(h, j);
    for (Index i = 0; i < visible; i++)
      for (Index j = 0; j < hidden; j++) e -= unit(v, i) * weight(i, j) * unit(h, j);
    return e;
  }
  // -log sum_h exp(-beta E(v, h) - (1 - beta) E_0(v)), E_0 = -a0'v.
  double path_energy(Index v, double beta, std::vector<double> const& a0) const {
    double reference = 0;
    for (Index i = 0; i < visible; i++) reference -= a0[i] * unit(v, i);
    std::vector<double> e;
    for (Index h = 0; h < hidden_states(); h++) e.push_back(beta * energy(v, h) + (1 - beta) * reference);
    return -log_sum_exp_minus(e);
  }
  // p(h | v)
  std::vector<double> posterior(Index v, double beta = 1) const {
    std::vector<double> e;
    for (Index h = 0; h < hidden_states(); h++) e.push_back(beta * energy(v, h));
    return probabilities(e);
  }
};

UnitMoments data_of(Index units) {
  UnitMoments m{.mean = {}, .variance = {}, .items = 100};
  for (Index i = 0; i < units; i++) m.mean.push_back(i == 2 ? 0 : 0.1 + 0.15 * double(i % 6));  // unit 2 never changes
  return m;
}

class Restricted : public testing::TestWithParam<Shape> {
 protected:
  Rbm rbm = machine_of(GetParam());
  Joint joint{rbm};
  Index d = GetParam().visible, f = GetParam().hidden;
  double tolerance = 20 * eps * double(d + f);  // sums of d + f numbers of order one
};
// One unit of a kind; one, two and three draws of random numbers for each layer.
INSTANTIATE_TEST_SUITE_P(Shapes, Restricted, testing::Values(Shape{1, 1}, Shape{5, 3}, Shape{4, 4}, Shape{3, 6}, Shape{9, 5}), name_of);

TEST_P(Restricted, EnergiesAlongThePathAreSumsOverHiddenUnits) {
  for (bool of_data : {false, true}) {
    if (of_data) rbm.set_reference(data_of(d));
    auto const a0 = of_data ? log_odds(data_of(d)) : joint.a;
    for (double beta : {0., 0.3, 1.}) {
      auto const e = path_energies(rbm, beta);
      for (Index v = 0; v < joint.visible_states(); v++)
        ASSERT_NEAR(e[v], joint.path_energy(v, beta, a0), tolerance) << "beta " << beta << ", state " << v;
    }
    EXPECT_NEAR(rbm.log_z_reference(), log_sum_exp_minus(path_energies(rbm, 0)), tolerance);
  }
}

TEST_P(Restricted, EnergiesOfHiddenUnitsAreSumsOverVisibleOnes) {
  Index const lanes = round_up(joint.hidden_states(), lane_quantum);
  auto const e = scalars(1, lanes);
  rbm.hidden_energy(seen(states(f), lanes), seen(e, lanes));
  auto const found = host(e);
  for (Index h = 0; h < joint.hidden_states(); h++) {
    std::vector<double> all;
    for (Index v = 0; v < joint.visible_states(); v++) all.push_back(joint.energy(v, h));
    EXPECT_NEAR(found(0, h), -log_sum_exp_minus(all), tolerance) << "state " << h;
  }
}

TEST_P(Restricted, ConditionalsOfBothLayers) {
  Index const lanes = 4096, tiles = 4;
  double const chains = double(tiles * lanes);
  TileStorage const hidden("hidden", tiles, f, lanes);
  for (double beta : {0.3, 1.}) {
    Sweep const at{.key = key, .chains = {{tiles * lanes, lanes}, {0, tiles}}, .step = 5, .beta = beta};
    Index const v = 11 % joint.visible_states(), h = 5 % joint.hidden_states();
    rbm.draw_hidden(seen(points(tiles, d, lanes, [&](Index, Index i) { return unit(v, i); }), lanes), seen(hidden, lanes), at);
    expect_frequencies(frequencies(hidden, lanes), joint.posterior(v, beta), chains);

    auto const visible = points(tiles, d, lanes, [](Index, Index) { return 0.; });
    rbm.draw_visible(seen(points(tiles, f, lanes, [&](Index, Index j) { return unit(h, j); }), lanes), seen(visible, lanes), at);
    std::vector<double> e;  // without a reference of data E_0 = -a'v
    for (Index state = 0; state < joint.visible_states(); state++)
      e.push_back(beta * joint.energy(state, h) + (1 - beta) * joint.energy(state, 0));
    expect_frequencies(frequencies(visible, lanes), probabilities(e), chains);
  }
}

// 300 sweeps forget the start: the slowest of these machines keeps less than 0.97 of it in a sweep.
TEST_P(Restricted, SweepsSampleTheLaw) {
  Index const lanes = 4096, tiles = 4;
  double const chains = double(tiles * lanes);
  auto const x = points(tiles, d, lanes, [](Index, Index) { return 0.; });
  Rbm const mild = [&] {
    Rbm m = machine_of(GetParam(), 0.6);
    m.set_reference(data_of(d));
    return m;
  }();
  Index next = 0;
  for (double beta : {1., 0.4}) {
    sweeps(mild, x, lanes, next, 300, beta);
    next += 300;
    expect_frequencies(frequencies(x, lanes), probabilities(path_energies(mild, beta)), chains);
  }
  // At beta = 0 one sweep is a draw of the reference from anywhere.
  fill_array(x, Real(1));
  sweeps(mild, x, lanes, next, 1, 0);
  expect_frequencies(frequencies(x, lanes), probabilities(path_energies(mild, 0)), chains);
}

// Averages over time of a few chains: mean and error from the means of the chains, which are independent.
TEST_P(Restricted, LongRunsHaveTheMarginals) {
  Index const lanes = 64, burn = 100, length = 2000;
  auto const x = points(1, d, lanes, [](Index, Index) { return 1.; });
  Rbm const mild = machine_of(GetParam(), 0.6);
  std::vector<std::vector<double>> sums(d, std::vector<double>(lanes));
  sweeps(mild, x, lanes, 0, burn);
  for (Index n = 0; n < length; n++) {
    sweeps(mild, x, lanes, burn + n, 1);
    auto const now = host(x);
    for (Index i = 0; i < d; i++)
      for (Index l = 0; l < lanes; l++) sums[i][l] += double(now(0, i, l));
  }
  auto const p = probabilities(path_energies(mild, 1));
  for (Index i = 0; i < d; i++) {
    double exact = 0, mean = 0, squares = 0;
    for (std::size_t s = 0; s < p.size(); s++) exact += p[s] * unit(Index(s), i);
    for (double sum : sums[i]) {
      double const away = sum / double(length) - exact;
      mean += away / double(lanes), squares += away * away;
    }
    EXPECT_NEAR(mean, 0, 5 * std::sqrt(squares) / double(lanes)) << "unit " << i;
  }
}

TEST_P(Restricted, HeldUnitsGiveTheConditionalLaw) {
  if (d < 3) GTEST_SKIP() << "no unit would be free";
  Index const lanes = 4096, tiles = 4;
  Rbm const mild = machine_of(GetParam(), 0.6);
  auto const x = points(tiles, d, lanes, [](Index, Index i) { return i == 1; });
  sweeps(mild, x, lanes, 0, 300, 1, holding(d, [](Index i) { return i < 2; }));
  auto p = probabilities(path_energies(mild, 1));
  double shown = 0;
  for (std::size_t s = 0; s < p.size(); s++) shown += p[s] *= s % 4 == 2;
  for (double& v : p) v /= shown;
  expect_frequencies(frequencies(x, lanes), p, double(tiles * lanes));
}

TEST_P(Restricted, AnnealingIsWeightsThenASweep) {
  Index const lanes = 96, tiles = 3;
  rbm.set_reference(data_of(d));
  auto const start = [&](Index c, Index i) { return unit(c * 37 + 5, i); };
  auto const x = points(tiles, d, lanes, start), y = points(tiles, d, lanes, start);
  LogWeights const fast("log weights", tiles, lanes), plain("log weights", tiles, lanes);
  fill_array(fast, 1.5), fill_array(plain, 1.5);  // they are added to
  Index step = 7;
  for (auto const& [before, after] : {std::pair(0., 0.2), std::pair(0.2, 0.7), std::pair(0.7, 1.), std::pair(1., 0.4)}) {
    Sweep const to{.key = key, .chains = {{tiles * lanes, lanes}, {0, tiles}}, .step = step++, .beta = after};
    rbm.anneal(seen(x, lanes), before, to, fast);
    rbm.GibbsModel::anneal(seen(y, lanes), before, to, plain);
    auto const a = host(fast), b = host(plain);
    auto const swept = host(x), by_rule = host(y);
    for (Index t = 0; t < tiles; t++)
      for (Index l = 0; l < lanes; l++) {
        ASSERT_NEAR(a(t, l), b(t, l), 4 * tolerance);
        for (Index i = 0; i < d; i++) ASSERT_EQ(swept(t, i, l), by_rule(t, i, l));
      }
  }
}

// log of the mean weight, within 5 of its standard errors.
TEST_P(Restricted, AnnealingFindsLogZ) {
  Index const lanes = 4096, temperatures = 30;
  rbm.set_reference(data_of(d));
  auto const x = points(1, d, lanes, [](Index, Index) { return 1.; });
  LogWeights const log_weight("log weights", 1, lanes);
  Sweep sweep{.key = key, .chains = {{lanes, lanes}, {0, 1}}, .step = 0, .beta = 0};
  rbm.sweep(seen(x, lanes), sweep);
  for (Index k = 1; k <= temperatures; k++) {
    double const before = sweep.beta;
    sweep.step = k, sweep.beta = double(k) / double(temperatures);
    rbm.anneal(seen(x, lanes), before, sweep, log_weight);
  }
  double sum = 0, squares = 0;
  auto const w = host(log_weight);
  for (Index l = 0; l < lanes; l++) sum += std::exp(w(0, l)), squares += std::exp(2 * w(0, l));
  double const n = double(lanes), mean = sum / n, error = std::sqrt((squares / n - mean * mean) / n) / mean;
  EXPECT_LT(error, 0.2);
  EXPECT_NEAR(std::log(mean) + rbm.log_z_reference(), log_sum_exp_minus(path_energies(rbm, 1)), 5 * error + tolerance);
}

// Items of a minibatch and chains in lanes, with weights of both signs; the lanes past `real` have weight zero.
struct Batch {
  static constexpr Index tiles = 2, lanes = 48, real = 75;
  std::vector<Index> state;
  std::vector<double> weight;
  TileStorage x;
  TileScalarStorage energy = scalars(tiles, lanes), weights;
  explicit Batch(Joint const& joint) {
    for (Index c = 0; c < tiles * lanes; c++) {
      state.push_back(c * 7 % joint.visible_states());
      weight.push_back(c < real ? 0.1 * normal(c, 4) : 0);
    }
    weights = scalars(tiles, lanes, [this](Index c) { return weight[c]; });
    x = points(tiles, joint.visible, lanes, [this](Index c, Index i) { return unit(state[c], i); });
  }
};

// sum_b weight_b sum_h p(h | v_b) slope(v_b, h), by enumeration.
double weighted(Batch const& batch, Joint const& joint, std::function<double(Index, Index)> const& slope) {
  double sum = 0;
  for (std::size_t c = 0; c < batch.state.size(); c++) {
    auto const p = joint.posterior(batch.state[c]);
    for (Index h = 0; h < joint.hidden_states(); h++) sum += batch.weight[c] * p[h] * slope(batch.state[c], h);
  }
  return sum;
}

TEST_P(Restricted, ParameterGradientIsTheMeanOverHiddenUnits) {
  Batch batch(joint);
  Vector const sum("gradient", rbm.parameters().extent(0)), means("means", d + f);
  fill_array(sum, Real(0.25)), fill_array(means, Real(0.5));  // they are added to
  rbm.add_energy_gradient(
      seen(batch.x, Batch::lanes), seen(batch.energy, Batch::lanes),
      [&] {
        auto const energy = host(batch.energy);
        for (Index c = 0; c < Batch::tiles * Batch::lanes; c++)
          EXPECT_NEAR(energy(c / Batch::lanes, c % Batch::lanes), joint.path_energy(batch.state[c], 1, joint.a), tolerance);
        rbm.add_unit_means(seen(batch.x, Batch::lanes), seen(batch.weights, Batch::lanes), means);
        return seen(batch.weights, Batch::lanes);
      },
      sum);
  auto const found = to_host(sum), found_means = to_host(means);
  double const accuracy = 100 * eps;  // sums of 75 numbers of order 0.1
  for (Index i = 0; i < d; i++) {
    double const v = weighted(batch, joint, [i](Index state, Index) { return unit(state, i); });
    EXPECT_NEAR(found[d * f + i], 0.25 - v, accuracy);
    EXPECT_NEAR(found_means[i], 0.5 + v, accuracy);
    for (Index j = 0; j < f; j++)
      EXPECT_NEAR(found[i * f + j], 0.25 - weighted(batch, joint, [=](Index state, Index h) { return unit(state, i) * unit(h, j); }),
                  accuracy);
  }
  for (Index j = 0; j < f; j++) {
    double const h = weighted(batch, joint, [j](Index, Index state) { return unit(state, j); });
    EXPECT_NEAR(found[d * f + d + j], 0.25 - h, accuracy);
    EXPECT_NEAR(found_means[d + j], 0.5 + h, accuracy);
  }
}

TEST_P(Restricted, ParameterGradientIsTheSlopeOfTheEnergies) {
  if (!in_double) GTEST_SKIP() << "differences of energies need double precision";
  Batch batch(joint);
  Vector const sum("gradient", rbm.parameters().extent(0));
  rbm.add_energy_gradient(
      seen(batch.x, Batch::lanes), seen(batch.energy, Batch::lanes), [&] { return seen(batch.weights, Batch::lanes); }, sum);
  auto const total = [&](Index k, double value) {
    fill_array(Kokkos::subview(rbm.parameters(), k), Real(value));
    rbm.energy(seen(batch.x, Batch::lanes), seen(batch.energy, Batch::lanes));
    auto const energy = host(batch.energy);
    double e = 0;
    for (Index c = 0; c < Batch::tiles * Batch::lanes; c++) e += batch.weight[c] * double(energy(c / Batch::lanes, c % Batch::lanes));
    return e;
  };
  double const step = 1e-5;
  auto const theta = to_host(rbm.parameters()), found = to_host(sum);
  for (Index k = 0; k < std::ssize(theta); k++) {
    double const above = total(k, theta[k] + step), below = total(k, theta[k] - step);
    total(k, theta[k]);
    EXPECT_NEAR(found[k], (above - below) / (2 * step), 1e-8) << "parameter " << k;  // third derivatives of order one, times step^2
  }
}

// gW = <(v - mu)(h - lambda)'> with the batch's weights, which add up to zero as those of data and chains do; E has a minus.
TEST_P(Restricted, CentredGradientIsTheDirectFormula) {
  Batch batch(joint);
  double total = 0;
  for (double w : batch.weight) total += w;
  batch.weight[0] -= total;
  fill_array(Kokkos::subview(batch.weights, 0, 0), Real(batch.weight[0]));
  std::vector<double> offsets;
  for (Index i = 0; i < d + f; i++) offsets.push_back(0.2 + 0.1 * double(i % 7));
  Vector const sum("gradient", rbm.parameters().extent(0));
  rbm.add_energy_gradient(
      seen(batch.x, Batch::lanes), seen(batch.energy, Batch::lanes), [&] { return seen(batch.weights, Batch::lanes); }, sum);
  rbm.centre(sum, to_device(offsets, "offsets"));
  auto const found = to_host(sum);
  auto const mu = [&](Index i) { return offsets[i]; };
  auto const lambda = [&](Index j) { return offsets[d + j]; };
  auto const gw = [&](Index i, Index j) {
    return -weighted(batch, joint, [&](Index v, Index h) { return (unit(v, i) - mu(i)) * (unit(h, j) - lambda(j)); });
  };
  double const accuracy = 200 * eps;
  for (Index i = 0; i < d; i++) {
    double ga = -weighted(batch, joint, [i](Index v, Index) { return unit(v, i); });
    for (Index j = 0; j < f; j++) {
      EXPECT_NEAR(found[i * f + j], gw(i, j), accuracy);
      ga -= gw(i, j) * lambda(j);
    }
    EXPECT_NEAR(found[d * f + i], ga, accuracy);
  }
  for (Index j = 0; j < f; j++) {
    double gb = -weighted(batch, joint, [j](Index, Index h) { return unit(h, j); });
    for (Index i = 0; i < d; i++) gb -= gw(i, j) * mu(i);
    EXPECT_NEAR(found[d * f + d + j], gb, accuracy);
  }
}

// A lane's numbers are its own: those of other lanes and of other tiles at hand do not matter, and memory past the lanes is left alone.
TEST_P(Restricted, LanesAndTilesAreIndependent) {
  Index const lanes = 48, tiles = 3;
  Real const mark = -7;
  auto const start = [&](Index c, Index i) { return unit(c * 37 + 5, i); };
  auto const marked = [&](std::function<double(Index, Index)> const& value) {
    auto const x = points(tiles, d, lanes, value);
    fill_array(Kokkos::subview(x, Kokkos::ALL, Kokkos::ALL, std::pair(lanes, Index{pitch_quantum})), mark);
    return x;
  };
  auto const together = marked(start), others = marked([&](Index c, Index i) { return c % lanes == 3 ? start(c, i) : 1 - start(c, i); });
  auto const apart = marked(start);
  auto const e_together = scalars(tiles, lanes), e_others = scalars(tiles, lanes), e_apart = scalars(tiles, lanes);
  ChainNumbers const numbers({tiles * lanes, lanes}, {0, tiles});
  Sweep sweep{.key = key, .chains = numbers, .step = 1};
  for (; sweep.step < 4; sweep.step++) {
    rbm.sweep(seen(together, lanes), sweep);
    rbm.sweep(seen(others, lanes), sweep);
    for (Index t = 0; t < tiles; t++) {
      Sweep of_tile = sweep;
      of_tile.chains = numbers.from(t);
      rbm.sweep(Kokkos::subview(apart, std::pair(t, t + 1), Kokkos::ALL, std::pair(Index{0}, lanes)), of_tile);
    }
  }
  rbm.energy(seen(together, lanes), seen(e_together, lanes));
  rbm.energy(seen(others, lanes), seen(e_others, lanes));
  for (Index t = 0; t < tiles; t++) {
    auto const one = std::pair(t, t + 1);
    rbm.energy(Kokkos::subview(apart, one, Kokkos::ALL, std::pair(Index{0}, lanes)),
               Kokkos::subview(e_apart, one, std::pair(Index{0}, lanes)));
  }
  auto const e = host(e_together), e_of_others = host(e_others), e_of_one = host(e_apart);
  auto const all = host(together), of_others = host(others), of_one = host(apart);
  for (Index t = 0; t < tiles; t++) {
    for (Index l = 0; l < lanes; l++) EXPECT_EQ(e(t, l), e_of_one(t, l));
    EXPECT_EQ(e(t, 3), e_of_others(t, 3));
    for (Index i = 0; i < d; i++) {
      for (Index l = 0; l < lanes; l++) EXPECT_EQ(all(t, i, l), of_one(t, i, l));
      EXPECT_EQ(all(t, i, 3), of_others(t, i, 3));
      for (Index l = lanes; l < pitch_quantum; l++) EXPECT_EQ(all(t, i, l), mark);
    }
  }
}

// At the size of images, with fields in the tens: errors stay those of a few roundings of the products.
TEST(Rbm, EnergiesOfLargeMachines) {
  Index const d = 784, f = 500, lanes = 16;
  Rbm const rbm = machine_of({d, f}, 0.5);
  Joint const joint(rbm);
  auto const x = points(1, d, lanes, [](Index l, Index i) { return normal(i, 100 + std::uint64_t(l)) > 0; });
  auto const e = scalars(1, lanes);
  rbm.energy(seen(x, lanes), seen(e, lanes));
  auto const state = host(x);
  auto const found = host(e);
  for (Index l = 0; l < lanes; l++) {
    double exact = 0;
    for (Index i = 0; i < d; i++) exact -= joint.a[i] * double(state(0, i, l));
    for (Index j = 0; j < f; j++) {
      double field = joint.b[j];
      for (Index i = 0; i < d; i++) field += joint.weight(i, j) * double(state(0, i, l));
      exact -= std::max(field, 0.) + std::log1p(std::exp(-std::abs(field)));
    }
    EXPECT_NEAR(found(0, l), exact, 10 * eps * std::abs(exact));
  }
}

TEST(Rbm, StartsFromMeansOfUnits) {
  Rbm rbm({.visible = 3, .hidden = 2, .initial_scale = 0.1});
  rbm.initialise([](Index i) { return double(i); });
  rbm.start_from({{0.25, 0, 1}, {}, 10});
  auto const theta = to_host(rbm.parameters());
  std::vector<double> const expected{0, 0.1, 0.2, 0.3, 0.4, 0.5, std::log(1. / 3), std::log(1. / 9), std::log(9.), 0, 0};
  ASSERT_EQ(theta.size(), expected.size());
  for (std::size_t k = 0; k < theta.size(); k++) EXPECT_NEAR(theta[k], expected[k], 10 * eps);
  auto const blocks = rbm.parameter_blocks();
  ASSERT_EQ(blocks.size(), 3u);
  EXPECT_EQ(blocks[1].name, "visible_bias");
  EXPECT_EQ(blocks[1].offset, 6);
  EXPECT_EQ(blocks[2].offset, 9);
}

// Part of a larger model: the parameters are those of the memory given.
TEST(Rbm, LivesInGivenMemory) {
  Vector const all("parameters", 100);
  Rbm rbm({.visible = 3, .hidden = 2}, Kokkos::subview(all, std::pair(10, 21)));
  rbm.initialise([](Index i) { return double(i + 1); });
  auto const start = to_host(all);
  EXPECT_EQ(start[9], 0);
  EXPECT_EQ(start[10], Real(0.01));
  EXPECT_EQ(start[15], Real(0.01 * 6));
  EXPECT_EQ(start[16], 0);
  fill_array(Kokkos::subview(rbm.hidden_bias(), 1), Real(3));
  EXPECT_EQ(to_host(all)[20], 3);
}

}  // namespace
}  // namespace partita::test::machine
