// Samples of a belief network against its law by enumeration.
#include <gtest/gtest.h>

#include "../models/machine.hpp"
#include "generators/dbn_generator.hpp"

namespace partita::test {
namespace {

constexpr Index visible = 4, middle = 3, samples = 20000;
Tiling const tiling{samples, 64};

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

// p(v_i = 1 | h) of the lowest machine, for all states h of its hidden units.
std::vector<double> visible_means(Rbm const& m, Index h) {
  auto const w = to_host(m.weight()), a = to_host(m.visible_bias());
  std::vector<double> out;
  for (std::size_t i = 0; i < visible; i++) {
    double field = a[i];
    for (std::size_t j = 0; j < middle; j++) field += w[i * middle + j] * machine::unit(h, Index(j));
    out.push_back(sigmoid(field));
  }
  return out;
}

TEST(DbnGenerator, SamplesTheLawOfTheNetwork) {
  DeepBeliefNetwork network({.layers = {visible, middle, 2}});
  std::vector<double> theta(network.parameters().extent(0));
  for (std::size_t k = 0; k < theta.size(); k++) theta[k] = 1.2 * machine::normal(Index(k), 4);
  assign(network.parameters(), theta);
  network.parameters_changed();
  DbnGenerator generator(network, {.steps = 60}, tiling, Communicator::world(), machine::key);
  generator.advance(0, 60);
  auto const values = generator.samples();
  auto const x = machine::host(values[0]), means = machine::host(values[1]);

  // p(h) of the top machine, whose visible units h are; then exact moments.
  auto const p = machine::probabilities(machine::path_energies(network.top(), 1));
  std::vector<std::vector<double>> given;  // by h: p(v = 1 | h)
  for (std::size_t h = 0; h < p.size(); h++) given.push_back(visible_means(network.machine(0), Index(h)));
  double const n = double(samples);
  auto const mean_of = [&](auto const& f) {
    double sum = 0;
    for (Index c = 0; c < samples; c++) sum += f(c / tiling.width, c % tiling.width) / n;
    return sum;
  };
  for (std::size_t i = 0; i < visible; i++) {
    double mean = 0, square = 0;
    for (std::size_t h = 0; h < p.size(); h++) mean += p[h] * given[h][i], square += p[h] * given[h][i] * given[h][i];
    EXPECT_NEAR(mean_of([&](Index t, Index l) { return double(x(t, i, l)); }), mean, 4 * std::sqrt(mean * (1 - mean) / n));
    EXPECT_NEAR(mean_of([&](Index t, Index l) { return double(means(t, i, l)); }), mean, 4 * std::sqrt((square - mean * mean) / n));
    // x is drawn from its mean: E (x - m) m = 0, with variance E m^3 (1 - m) below 1/8.
    EXPECT_NEAR(mean_of([&](Index t, Index l) {
                  double const m = means(t, i, l);
                  return (x(t, i, l) - m) * m;
                }),
                0, 4 * std::sqrt(0.125 / n));
    for (std::size_t j = 0; j < i; j++) {
      double both = 0;
      for (std::size_t h = 0; h < p.size(); h++) both += p[h] * given[h][i] * given[h][j];
      EXPECT_NEAR(mean_of([&](Index t, Index l) { return double(x(t, i, l) * x(t, j, l)); }), both, 4 * std::sqrt(both * (1 - both) / n));
    }
  }
  // Each lane's means are those given one of the states of h.
  for (Index c = 0; c < 200; c++) {
    double nearest = 1;
    for (auto const& m : given) {
      double apart = 0;
      for (std::size_t i = 0; i < visible; i++)
        apart = std::max(apart, std::abs(m[i] - double(means(c / tiling.width, i, c % tiling.width))));
      nearest = std::min(nearest, apart);
    }
    EXPECT_LT(nearest, 1e-5);
  }
}

}  // namespace
}  // namespace partita::test
