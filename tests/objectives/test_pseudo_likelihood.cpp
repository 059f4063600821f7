// Pseudo-likelihood against the conditionals of the energy, and what it learns against the machine that made the data.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "core/require.hpp"
#include "models/host_values.hpp"
#include "objectives/pseudo_likelihood.hpp"

namespace partita {
namespace {

using testing::HasSubstr;
using Values = std::vector<double>;
constexpr bool in_double = std::is_same_v<Real, double>;
random::Key const key{41, 42};

double normal(Index i, std::uint64_t which) {
  auto const w = random::words(key, std::uint64_t(i), random::Stream::test, which, 0);
  return random::normal_pair(w.w[0], w.w[1], double()).a;
}
double unit(Index state, Index i) { return double(state >> i & 1); }

Values random_parameters(BoltzmannMachine const& machine, double scale) {
  Values theta;
  for (std::size_t k = 0; k < machine.parameters().extent(0); k++) theta.push_back(scale * normal(Index(k), 1));
  return theta;
}

// E of each state; x_i is bit i.
Values energies(BoltzmannMachine const& machine) {
  auto const theta = to_host(machine.parameters());
  Index const d = machine.dimension();
  Values e;
  for (Index s = 0; s < Index{1} << d; s++) {
    std::size_t k = 0;
    double sum = 0;
    for (Index i = 0; i < d; i++)
      for (Index j = i + 1; j < d; j++) sum -= theta[k++] * unit(s, i) * unit(s, j);
    for (Index i = 0; i < d; i++) sum -= theta[k++] * unit(s, i);
    e.push_back(sum);
  }
  return e;
}
// sum_k log p(x_k | rest) of a state, by comparison with the states that differ from it in unit k.
double pseudo_likelihood(Values const& e, Index state, Index d) {
  double sum = 0;
  for (Index k = 0; k < d; k++) sum -= std::log1p(std::exp(e[state] - e[state ^ Index{1} << k]));
  return sum;
}

data::Dataset states(Index d, std::vector<Index> const& items) {
  std::vector<float> values;
  for (Index s : items)
    for (Index i = 0; i < d; i++) values.push_back(float(unit(s, i)));
  return {{{"test", std::ssize(items), {d}, values}, 0, {}}, {}, key};
}

struct Learning {
  data::Dataset set;
  data::Batches batches;
  PseudoLikelihood objective;
  Timers timers;
  Learning(BoltzmannMachine& machine, std::vector<Index> const& items)
      : set(states(machine.dimension(), items)),
        batches(set, std::ssize(items), key),
        objective(machine, batches, Communicator::world(), Summation::reproducible, {.tile_width = 16}) {}
  Values gradient() { return to_host(objective.gradient(0, timers)); }
};

// 50 items: four tiles, the last of two items. In float the differences are those of energies in double, at parameters in float.
TEST(PseudoLikelihood, ValueAndGradientAgainstEnumeration) {
  Index const d = 5;
  BoltzmannMachine machine(BoltzmannMachineOptions{.visible = d});
  Values const theta = random_parameters(machine, 0.7);
  std::vector<Index> items;
  for (Index k = 0; k < 50; k++) items.push_back(k * k % 32);
  auto const mean_of = [&](Values const& at) {
    assign(machine.parameters(), at);
    auto const e = energies(machine);
    double sum = 0;
    for (Index s : items) sum += pseudo_likelihood(e, s, d);
    return sum / double(items.size());
  };
  assign(machine.parameters(), theta);
  Learning learning(machine, items);
  auto const found = learning.gradient();
  learning.gradient();
  EXPECT_NEAR(learning.objective.report(2)[0], mean_of(theta), in_double ? 1e-13 : 2e-6);
  // Central differences: step^2 / 6 times a third derivative below 10, and rounding (of the parameters, in float) over the step.
  double const step = in_double ? 1e-5 : 1e-2;
  for (std::size_t k = 0; k < theta.size(); k++) {
    Values up = theta, down = theta;
    up[k] += step, down[k] -= step;
    EXPECT_NEAR(found[k], -(mean_of(up) - mean_of(down)) / (2 * step), in_double ? 1e-9 : 1e-4) << "parameter " << k;
  }
}

// Data with the frequencies of a machine's law: its parameters are where the gradient vanishes, and where ascent from zero ends.
TEST(PseudoLikelihood, LearnsTheMachineBehindTheData) {
  Index const d = 4, wanted = 20000;
  BoltzmannMachine machine(BoltzmannMachineOptions{.visible = d});
  Values const truth = random_parameters(machine, 0.6);
  assign(machine.parameters(), truth);
  auto const e = energies(machine);
  double z = 0;
  for (double v : e) z += std::exp(-v);
  std::vector<Index> items;
  for (Index s = 0; s < Index{1} << d; s++) items.insert(items.end(), std::lround(wanted * std::exp(-e[s]) / z), s);
  Learning learning(machine, items);
  for (double g : learning.gradient()) EXPECT_NEAR(g, 0, 5e-4);  // counts are whole numbers: 16 / 2 of 20000 rounded away

  Values theta(truth.size());
  assign(machine.parameters(), theta);
  double const rate = 0.5;  // the loss is convex, its curvature at most d / 2
  for (int update = 0; update < 400; update++) {
    auto const g = learning.gradient();
    for (std::size_t k = 0; k < theta.size(); k++) theta[k] -= rate * g[k];
    assign(machine.parameters(), theta);
  }
  for (std::size_t k = 0; k < theta.size(); k++) EXPECT_NEAR(theta[k], truth[k], 0.02) << "parameter " << k;
}

TEST(PseudoLikelihood, HiddenUnitsAreRefused) {
  BoltzmannMachine machine(BoltzmannMachineOptions{.visible = 3, .hidden = 2});
  auto const set = states(3, {0, 1, 2, 3});
  data::Batches const batches(set, 4, key);
  try {
    PseudoLikelihood(machine, batches, Communicator::world(), Summation::fast, {});
    FAIL();
  } catch (Failure const& failure) {
    EXPECT_EQ(failure.code(), ExitCode::usage);
    EXPECT_THAT(failure.what(), HasSubstr("model.hidden = 2"));
  }
}

}  // namespace
}  // namespace partita
