// Machines with any connections against sums over all their states.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "core/copy.hpp"
#include "core/require.hpp"
#include "machine.hpp"

namespace partita::test::machine {
namespace {

using testing::HasSubstr;

struct Case {
  std::string name;
  BoltzmannMachineOptions options;
  std::size_t colours;
};
std::vector<Case> cases() {
  return {{"fully_visible", {.visible = 5, .initial_scale = 0.8}, 5},
          {"general", {.visible = 3, .hidden = 3, .initial_scale = 0.8}, 6},
          {"restricted", {.visible = 4, .hidden = 3, .connections = {"between"}, .initial_scale = 0.8}, 2},
          {"semi_restricted", {.visible = 4, .hidden = 3, .connections = {"between", "visible"}, .initial_scale = 0.8}, 5},
          {"deep", {.visible = 4, .hidden = 3, .connections = {"hidden", "between"}, .initial_scale = 0.8}, 4},
          {"independent", {.visible = 4, .connections = {}}, 1}};
}
std::string name_of(testing::TestParamInfo<Case> const& info) { return info.param.name; }

BoltzmannMachine machine_of(BoltzmannMachineOptions const& o) {
  BoltzmannMachine machine(o);
  machine.initialise([](Index i) { return normal(i, 1); });
  std::vector<double> bias;
  for (Index i = 0; i < machine.dimension(); i++) bias.push_back(0.7 * normal(i, 2));
  assign(machine.bias(), bias);
  machine.reserve(4, 4096);
  return machine;
}

// The formula on the named blocks.
double energy_by_blocks(BoltzmannMachine const& machine, Index state) {
  auto const theta = to_host(machine.parameters());
  Index const d = machine.visible_dimension(), f = machine.dimension() - d;
  double e = 0;
  for (ParameterBlock const& b : machine.parameter_blocks()) {
    auto next = theta.begin() + b.offset;
    auto const pairs = [&](Index first, Index count) {
      for (Index i = first; i < first + count; i++)
        for (Index j = i + 1; j < first + count; j++) e -= *next++ * unit(state, i) * unit(state, j);
    };
    if (b.name == "visible_weight") pairs(0, d);
    if (b.name == "hidden_weight") pairs(d, f);
    if (b.name == "weight")
      for (Index i = 0; i < d; i++)
        for (Index j = 0; j < f; j++) e -= *next++ * unit(state, i) * unit(state, d + j);
    if (b.name == "visible_bias")
      for (Index i = 0; i < d; i++) e -= *next++ * unit(state, i);
    if (b.name == "hidden_bias")
      for (Index j = 0; j < f; j++) e -= *next++ * unit(state, d + j);
  }
  return e;
}

UnitMoments const moments{{0.2, 0.6, 0.5, 0, 0.9}, {}, 100};  // the fourth unit never changes: 1 / 100 in its place

class Machine : public testing::TestWithParam<Case> {};

TEST_P(Machine, EnergyIsTheFormulaAlongThePath) {
  BoltzmannMachine machine = machine_of(GetParam().options);
  double const tolerance = 40 * std::numeric_limits<Real>::epsilon();  // sums of some ten numbers of order one
  auto const d = std::size_t(machine.visible_dimension());
  machine.set_reference({{moments.mean.begin(), moments.mean.begin() + static_cast<std::ptrdiff_t>(d)}, {}, moments.items});
  std::vector<double> a0;
  for (std::size_t i = 0; i < d; i++) {
    double const p = std::max(moments.mean[i], 0.01);
    a0.push_back(std::log(p / (1 - p)));
  }
  for (double beta : {0., 0.5, 1.}) {
    auto const e = path_energies(machine, beta);
    for (std::size_t s = 0; s < e.size(); s++) {
      double expected = beta * energy_by_blocks(machine, Index(s));
      for (std::size_t i = 0; i < d; i++) expected -= (1 - beta) * a0[i] * unit(Index(s), Index(i));
      ASSERT_NEAR(e[s], expected, tolerance) << "beta " << beta << ", state " << s;
    }
  }
  EXPECT_NEAR(machine.log_z_reference(), log_sum_exp_minus(path_energies(machine, 0)), tolerance);
}

// Chains with one unit free and all others held: p(x_k = 1 | rest) = 1 / (1 + exp(E(x_k = 1) - E(x_k = 0))).
TEST_P(Machine, Conditionals) {
  BoltzmannMachine const machine = machine_of(GetParam().options);
  Index const units = machine.dimension(), lanes = 4096, tiles = 4;
  for (double beta : {0.5, 1.}) {
    auto const e = path_energies(machine, beta);
    for (Index k = 0; k < units; k++) {
      Index const rest = (5 * k + 3) % (Index{1} << units);
      auto const x = points(tiles, units, lanes, [&](Index, Index i) { return unit(rest, i); });
      sweeps(machine, x, lanes, k, 1, beta, holding(units, [k](Index i) { return i != k; }));
      auto const with = std::size_t(rest | Index{1} << k), without = std::size_t(rest & ~(Index{1} << k));
      double const p = 1 / (1 + std::exp(e[with] - e[without]));
      auto const f = frequencies(x, lanes);
      EXPECT_NEAR(f[with] + f[without], 1, 1e-9) << "a held unit moved";
      EXPECT_NEAR(f[with], p, 5 * std::sqrt(p * (1 - p) / double(tiles * lanes))) << "unit " << k;
    }
  }
}

// 200 sweeps forget the start: weights of order one.
TEST_P(Machine, SweepsSampleTheLaw) {
  BoltzmannMachine const machine = machine_of(GetParam().options);
  Index const lanes = 4096, tiles = 4;
  auto const x = points(tiles, machine.dimension(), lanes, [](Index, Index) { return 0.; });
  for (double beta : {1., 0.4}) {
    sweeps(machine, x, lanes, beta < 1 ? 200 : 0, 200, beta);
    expect_frequencies(frequencies(x, lanes), probabilities(path_energies(machine, beta)), double(tiles * lanes));
  }
  // At beta = 0 one sweep is a draw of the reference from anywhere.
  fill_array(x, Real(1));
  sweeps(machine, x, lanes, 400, 1, 0);
  expect_frequencies(frequencies(x, lanes), probabilities(path_energies(machine, 0)), double(tiles * lanes));
}

TEST_P(Machine, HeldUnitsGiveTheConditionalLaw) {
  BoltzmannMachine const machine = machine_of(GetParam().options);
  Index const lanes = 4096, tiles = 4, units = machine.dimension();
  auto const x = points(tiles, units, lanes, [](Index, Index i) { return i == 1; });
  sweeps(machine, x, lanes, 0, 200, 1, holding(units, [](Index i) { return i < 2; }));
  auto p = probabilities(path_energies(machine, 1));
  double shown = 0;
  for (std::size_t s = 0; s < p.size(); s++) shown += p[s] *= s % 4 == 2;
  for (double& v : p) v /= shown;
  expect_frequencies(frequencies(x, lanes), p, double(tiles * lanes));
}

TEST_P(Machine, ClassesHoldNoCoupledUnits) {
  BoltzmannMachine const machine = machine_of(GetParam().options);
  CouplingGraph const& graph = machine.graph();
  auto const order = values_on_host(graph.order);
  auto const first = values_on_host(graph.first);
  auto const second = values_on_host(graph.second);
  std::set<Index> all;
  for (auto const& c : graph.classes) {
    std::set<Index> const members(order.data() + c.first, order.data() + c.first + c.count);
    all.insert(members.begin(), members.end());
    for (Index e = 0; e < graph.edges(); e++) EXPECT_FALSE(members.contains(first(e)) && members.contains(second(e)));
  }
  EXPECT_EQ(std::ssize(all), graph.units());
  EXPECT_EQ(graph.classes.size(), GetParam().colours);
}

// E is linear in the parameters: differences of step one are derivatives.
TEST_P(Machine, EnergyReverseIsTheDerivative) {
  BoltzmannMachine machine = machine_of(GetParam().options);
  Index const n = Index{1} << machine.dimension(), lanes = round_up(n, lane_quantum);
  auto const x = states(machine.dimension());
  auto const weight = scalars(1, lanes, [n](Index s) { return s < n ? normal(s, 3) : 0; }), e = scalars(1, lanes);
  auto const w = host(weight);
  auto const weighted_energy = [&] {
    auto const energy = path_energies(machine, 1);
    double sum = 0;
    for (Index s = 0; s < n; s++) sum += double(w(0, s)) * energy[s];
    return sum;
  };
  auto const theta = to_host(machine.parameters());
  Vector const gradient("gradient", theta.size());
  machine.add_energy_gradient(
      seen(x, lanes), seen(e, lanes), [&] { return seen(weight, lanes); }, gradient);
  auto const found = to_host(gradient);
  double const here = weighted_energy();
  for (std::size_t k = 0; k < theta.size(); k++) {
    auto moved = theta;
    moved[k] += 1;
    assign(machine.parameters(), moved);
    EXPECT_NEAR(found[k], weighted_energy() - here, in_double ? 1e-12 : 2e-4) << "parameter " << k;  // sums of some 100 numbers of order 1
  }
}

// ga = d<x> - gW mu with gW_ij = <(x_i - mu_i)(x_j - mu_j)>_data - the same of the model, with data and model a set of states each.
TEST_P(Machine, CentredGradientIsTheDirectFormula) {
  BoltzmannMachine machine = machine_of(GetParam().options);
  Index const units = machine.dimension(), lanes = 32, half = 16;
  auto const x = points(1, units, lanes, [](Index l, Index i) { return normal(i, 10 + std::uint64_t(l)) > 0; });
  auto const weight = scalars(1, lanes, [](Index l) { return (l < half ? 1. : -1.) / half; }), e = scalars(1, lanes);
  std::vector<double> mu;
  for (Index i = 0; i < units; i++) mu.push_back(0.3 + 0.05 * double(i));
  Vector const gradient("gradient", machine.parameters().extent(0)), means("means", units);
  machine.add_energy_gradient(
      seen(x, lanes), seen(e, lanes),
      [&] {
        machine.add_unit_means(seen(x, lanes), seen(weight, lanes), means);
        return seen(weight, lanes);
      },
      gradient);
  machine.centre(gradient, to_device(mu, "offsets"));

  auto const mean = [&, w = host(weight), state = host(x)](auto const& f) {
    double sum = 0;
    for (Index l = 0; l < lanes; l++) sum += double(w(0, l)) * f([&](Index i) { return double(state(0, i, l)); });
    return sum;
  };
  auto const found = to_host(gradient), found_means = to_host(means);
  auto const first = values_on_host(machine.graph().first), second = values_on_host(machine.graph().second);
  std::vector<double> lost(units);
  for (Index edge = 0; edge < machine.graph().edges(); edge++) {
    auto const i = first(edge), j = second(edge);
    double const mi = mu[i], mj = mu[j];
    double const g = mean([&](auto const& unit) { return (unit(i) - mi) * (unit(j) - mj); });
    EXPECT_NEAR(found[edge], -g, 1e-6);  // of the energy: descends where log p ascends
    lost[i] += g * mj, lost[j] += g * mi;
  }
  for (Index i = 0; i < units; i++) {
    auto const k = std::size_t(i);
    double const difference = mean([&](auto const& unit) { return unit(i); });
    EXPECT_NEAR(found_means[k], difference, 1e-6);
    EXPECT_NEAR(found[std::size_t(machine.graph().edges()) + k], lost[k] - difference, 2e-6);
  }
}

// The weights' mean is exact whatever the path: log of the mean over chains of p*_1 / Z_0 is log Z, within 5 standard errors.
TEST_P(Machine, AnnealingFindsLogZ) {
  BoltzmannMachine const machine = machine_of(GetParam().options);
  Index const lanes = 4096, temperatures = 20;
  auto const x = points(1, machine.dimension(), lanes, [](Index, Index) { return 0.; });
  LogWeights const log_weight("log weights", 1, lanes);
  Sweep sweep{.key = key, .chains = {{lanes, lanes}, {0, 1}}, .step = 0, .beta = 0};
  machine.sweep(seen(x, lanes), sweep);
  for (Index k = 1; k <= temperatures; k++) {
    double const before = sweep.beta;
    sweep.step = k, sweep.beta = double(k) / double(temperatures);
    machine.anneal(seen(x, lanes), before, sweep, log_weight);
  }
  auto const w = host(log_weight);
  double sum = 0, squares = 0;
  for (Index l = 0; l < lanes; l++) sum += std::exp(w(0, l)), squares += std::exp(2 * w(0, l));
  double const n = double(lanes), mean = sum / n;
  double const error = std::sqrt(std::max(0., squares / n - mean * mean) / n) / mean;
  EXPECT_NEAR(std::log(mean) + machine.log_z_reference(), log_sum_exp_minus(path_energies(machine, 1)), 5 * error + 1e-5);
}

INSTANTIATE_TEST_SUITE_P(All, Machine, testing::ValuesIn(cases()), name_of);

// The general rule (difference of two path energies, then a sweep), which the machine shortens.
TEST(BoltzmannMachine, AnnealIsTheDifferenceOfPathEnergies) {
  BoltzmannMachine const machine = machine_of(cases()[1].options);
  Index const lanes = 64;
  auto const x = states(6), y = states(6);
  LogWeights const a("a", 1, lanes), b("b", 1, lanes);
  Sweep const to{.key = key, .chains = {{lanes, lanes}, {0, 1}}, .step = 3, .beta = 0.7};
  machine.anneal(seen(x, lanes), 0.2, to, a);
  machine.GibbsModel::anneal(seen(y, lanes), 0.2, to, b);
  auto const wa = host(a), wb = host(b);
  auto const after = host(x), by_rule = host(y);
  for (Index l = 0; l < lanes; l++) {
    EXPECT_NEAR(wa(0, l), wb(0, l), in_double ? 1e-12 : 1e-5);
    for (Index i = 0; i < 6; i++) EXPECT_EQ(after(0, i, l), by_rule(0, i, l));
  }
}

// A chain's numbers are its own: tiles swept together or one after the other give the same bits.
TEST(BoltzmannMachine, ChainsDoNotDependOnTiles) {
  BoltzmannMachine const machine = machine_of(cases()[1].options);
  Index const lanes = 80, tiles = 3;
  auto const zero = [](Index, Index) { return 0.; };
  auto const together = points(tiles, 6, lanes, zero), apart = points(tiles, 6, lanes, zero);
  ChainNumbers const numbers({tiles * lanes, lanes}, {0, tiles});
  Sweep sweep{.key = key, .chains = numbers, .step = 5};
  machine.sweep(seen(together, lanes), sweep);
  for (Index t = 0; t < tiles; t++) {
    sweep.chains = numbers.from(t);
    machine.sweep(Kokkos::subview(apart, std::pair(t, t + 1), Kokkos::ALL, std::pair(Index{0}, lanes)), sweep);
  }
  auto const a = host(together), b = host(apart);
  for (std::size_t k = 0; k < a.size(); k++) ASSERT_EQ(a.data()[k], b.data()[k]);
}

// A sweep with its blocks in the opposite order is its time reversal: pi(x) K(x, y) = pi(y) K'(y, x), by frequencies within 5 standard
// errors.
TEST(BoltzmannMachine, ReversedSweepsAreTheTimeReversal) {
  auto const pair = make_ising_lattice({.rows = 1, .columns = 2, .coupling = 0.5, .field = 0.3, .periodic = false});
  Index const lanes = 4096, tiles = 4;
  double const chains = double(tiles * lanes);
  auto const p = probabilities(path_energies(*pair, 1));
  auto const transitions = [&](Index from, bool reversed) {
    auto const x = points(tiles, 2, lanes, [from](Index, Index i) { return unit(from, i); });
    pair->sweep(seen(x, lanes), {.key = key, .chains = {{tiles * lanes, lanes}, {0, tiles}}, .step = from, .reversed = reversed});
    return frequencies(x, lanes);
  };
  for (Index x = 0; x < 4; x++)
    for (Index y = 0; y < 4; y++) {
      auto const a = std::size_t(x), b = std::size_t(y);
      double const there = transitions(x, false)[b], back = transitions(y, true)[a];
      EXPECT_NEAR(p[a] * there, p[b] * back, 5 * std::sqrt((p[a] * p[a] * there + p[b] * p[b] * back) / chains)) << x << " to " << y;
    }
}

TEST(BoltzmannMachine, StartsFromTheMeansOfTheData) {
  BoltzmannMachine machine(BoltzmannMachineOptions{.visible = 5, .hidden = 2});
  machine.start_from(moments);
  auto const p = probabilities(path_energies(machine, 1));
  for (Index i = 0; i < 5; i++) {
    double mean = 0;
    for (std::size_t s = 0; s < p.size(); s++) mean += p[s] * unit(Index(s), i);
    EXPECT_NEAR(mean, std::max(moments.mean[i], 0.01), 1e-6);
  }
}

// Why there are colour classes: two spins with coupling J, drawn at once from each other's old values, become independent (each follows its
// own half of the old pair), P(equal) = 1/2, while their law has P(equal) = 1 / (1 + exp(-2 J)).
TEST(BoltzmannMachine, CoupledUnitsUpdatedAtOnceHaveTheWrongLaw) {
  double const coupling = 0.6, right = 1 / (1 + std::exp(-2 * coupling));
  auto const pair = make_ising_lattice({.rows = 1, .columns = 2, .coupling = coupling, .periodic = false});
  Index const lanes = 4096, tiles = 4;
  double const chains = double(tiles * lanes), bound = 5 * 0.5 / std::sqrt(chains);
  auto const equal = [&](TileStorage const& x) {
    auto const f = frequencies(x, lanes);
    return f[0] + f[3];
  };
  auto const start = [](Index chain, Index) { return double(chain % 2); };
  auto const x = points(tiles, 2, lanes, start), at_once = points(tiles, 2, lanes, start), other = points(tiles, 2, lanes, start);
  sweeps(*pair, x, lanes, 0, 60);
  for (Index s = 0; s < 60; s++) {
    copy_array(other, at_once);
    sweeps(*pair, at_once, lanes, 100 + s, 1, 1, holding(2, [](Index i) { return i == 1; }));
    sweeps(*pair, other, lanes, 100 + s, 1, 1, holding(2, [](Index i) { return i == 0; }));
    copy_array(Kokkos::subview(at_once, Kokkos::ALL, 1, Kokkos::ALL), Kokkos::subview(other, Kokkos::ALL, 1, Kokkos::ALL));
  }
  EXPECT_NEAR(equal(x), right, bound);
  EXPECT_NEAR(equal(at_once), 0.5, bound);
  EXPECT_GT(right - 0.5, 10 * bound);
}

struct Lattice {
  IsingLatticeOptions options;
  std::size_t colours;
};
double spin(Index state, Index i) { return 2 * unit(state, i) - 1; }
// E(s) from the bonds of each site, written without lists of edges.
double ising_energy(IsingLatticeOptions const& o, Index state) {
  double e = 0;
  for (Index r = 0; r < o.rows; r++)
    for (Index c = 0; c < o.columns; c++) {
      double const here = spin(state, r * o.columns + c);
      e -= o.field * here;
      if (o.periodic || c + 1 < o.columns) e -= o.coupling * here * spin(state, r * o.columns + (c + 1) % o.columns);
      if (o.periodic || r + 1 < o.rows) e -= o.coupling * here * spin(state, (r + 1) % o.rows * o.columns + c);
    }
  return e;
}

TEST(IsingLattice, IsTheMachineOfItsSpins) {
  for (auto const& [o, colours] : {Lattice{{.rows = 3, .columns = 3, .coupling = 0.4, .field = 0.1}, 4},
                                   Lattice{{.rows = 4, .columns = 3, .coupling = -0.7, .field = 0.3, .periodic = false}, 2},
                                   Lattice{{.rows = 1, .columns = 6, .coupling = 0.5, .periodic = false}, 2},
                                   Lattice{{.rows = 4, .columns = 4, .coupling = 0.44}, 2}}) {
    auto const machine = make_ising_lattice(o);
    EXPECT_EQ(machine->graph().classes.size(), colours);
    auto const e = path_energies(*machine, 1);
    double const constant = e[0] - ising_energy(o, 0);
    for (std::size_t s = 0; s < e.size(); s++)
      ASSERT_NEAR(e[s] - constant, ising_energy(o, Index(s)), in_double ? 1e-12 : 2e-5) << o.rows << " x " << o.columns;
  }
}

// Away from the critical point 300 sweeps of a small lattice forget their start.
TEST(IsingLattice, EnergyAndMagnetisationAgainstEnumeration) {
  for (IsingLatticeOptions const& o : {IsingLatticeOptions{.rows = 3, .columns = 3, .coupling = 0.3, .field = 0.05},
                                       IsingLatticeOptions{.rows = 4, .columns = 4, .coupling = 0.35}}) {
    auto const machine = make_ising_lattice(o);
    Index const units = o.rows * o.columns, lanes = 4096, tiles = 2;
    auto const p = probabilities(path_energies(*machine, 1));
    auto const x = points(tiles, units, lanes, [](Index, Index) { return 0.; });
    sweeps(*machine, x, lanes, 0, 300);
    auto const found = frequencies(x, lanes);
    auto const magnetisation = [&](Index s) {
      double m = 0;
      for (Index i = 0; i < units; i++) m += spin(s, i) / double(units);
      return std::abs(m);
    };
    auto const compare = [&](auto const& f, char const* what) {
      double expected = 0, square = 0, mean = 0;
      for (std::size_t s = 0; s < p.size(); s++) {
        double const value = f(Index(s));
        expected += p[s] * value, square += p[s] * value * value, mean += found[s] * value;
      }
      EXPECT_NEAR(mean, expected, 5 * std::sqrt((square - expected * expected) / double(tiles * lanes))) << what;
    };
    compare([&](Index s) { return ising_energy(o, s); }, "energy");
    compare(magnetisation, "|magnetisation|");
  }
}

std::string refusal(std::function<void()> const& act) {
  try {
    act();
  } catch (Failure const& failure) {
    EXPECT_EQ(failure.code(), ExitCode::usage);
    return failure.what();
  }
  return "";
}

TEST(BoltzmannMachine, WhatMakesNoSenseIsRefused) {
  EXPECT_THAT(refusal([] { BoltzmannMachine({.visible = 3, .hidden = 2, .connections = {"visible"}}); }), HasSubstr("between"));
  EXPECT_THAT(refusal([] { make_ising_lattice({.rows = 2, .columns = 4}); }), HasSubstr("periodic = false"));
  deck::Schema const schema = boltzmann_machine_schema();
  for (deck::Key const& k : schema.keys)
    if (k.name == "connections") {
      EXPECT_THAT(k.problem(std::vector<std::string>{"visible", "among"}), HasSubstr("among"));
    }
  EXPECT_THROW(CouplingGraph(3, {{0, 1}, {0, 1}}), Failure);
  EXPECT_THROW(CouplingGraph(3, {{1, 1}}), Failure);
}

}  // namespace
}  // namespace partita::test::machine
