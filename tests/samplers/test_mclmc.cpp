// Microcanonical samplers against closed forms, and what their warm-up tunes.
#include <gtest/gtest.h>

#include "../optimizers/copy_state.hpp"
#include "comm/communicator.hpp"
#include "core/copy.hpp"
#include "core/require.hpp"
#include "energies/double_well.hpp"
#include "energies/gaussian.hpp"
#include "models/host_values.hpp"
#include "models/mlp_energy.hpp"
#include "samplers/barker.hpp"
#include "samplers/hmc.hpp"
#include "samplers/mala.hpp"
#include "samplers/mclmc.hpp"
#include "sampling.hpp"

namespace {

using namespace partita;
using namespace partita::sampling;

auto const key = random::make_key(21);

Matrix diagonal(std::vector<double> const& values) {
  Matrix m(std::ssize(values), std::ssize(values));
  for (Index i = 0; i < m.rows; i++) m(i, i) = values[i];
  return m;
}

// Steps so short that the bias, which falls with their fourth power in x^2, is far below the bounds: four standard errors of 2^15 chains.
TEST(Mclmc, SamplesTheTargetInTheLimitOfShortSteps) {
  for (double temperature : {1., 0.5})
    for (auto const& o : {GaussianOptions{.dimension = 4, .mean = {-1, 1}, .diagonal = {1, 0.25}},
                          GaussianOptions{.dimension = 3, .mean = {0.5}, .precision = "ar1", .correlation = 0.6},
                          GaussianOptions{.dimension = 2, .mean = {1}, .precision = "dense", .matrix = {2, 0.5, 0.5, 1}}}) {
      auto const model = make_gaussian(o);
      auto const exact = model->gaussian().at(0);
      Mclmc sampler({.step_size = 0.2, .decoherence_length = 1.5, .temperature = temperature});
      EXPECT_LT(largest_z(run(sampler, *model, 1 << 15, {InitialState::normal, 1.5, 0.5}, 200), exact.mean,
                          scaled(inverse(exact.precision), temperature)),
                4)
          << o.precision << " T " << temperature;
    }
}

// The same chains with longer steps: their variances are seen to be wrong, and the more the longer.
TEST(Mclmc, IsBiasedByItsStep) {
  auto const model = make_gaussian({.dimension = 3});
  auto const off = [&](double step) {
    Mclmc sampler({.step_size = step, .decoherence_length = 1.5});
    return std::abs(z_score(
        run(sampler, *model, 1 << 15, {}, 200), [](Point const& x) { return (x[0] * x[0] + x[1] * x[1] + x[2] * x[2]) / 3; }, 1));
  };
  EXPECT_LT(off(0.2), 4);
  EXPECT_GT(off(2.5), 10);
  EXPECT_GT(off(3), off(2.5));
}

double well_energy(double x) { return std::pow(x, 4) - 4 * x * x + x; }

// Pairs of double wells, both of the law of theory/langevin.md, whose barrier chains have to cross.
template <class S>
void expect_double_wells(S&& sampler, Index chains, Index steps) {
  auto const model = make_double_well({.dimension = 2});
  auto const drawn = run(sampler, *model, chains, {InitialState::uniform, 2}, steps);
  for (std::size_t i : {0, 1}) {
    EXPECT_LT(std::abs(z_score(
                  drawn, [i](Point const& x) { return x[i] < .1260002 ? 1 : 0; }, .9335173193)),
              4);
    EXPECT_LT(std::abs(z_score(
                  drawn, [i](Point const& x) { return x[i] * x[i]; }, 2.0118971701)),
              4);
    EXPECT_LT(std::abs(z_score(
                  drawn, [i](Point const& x) { return well_energy(x[i]); }, -4.6942394010)),
              4);
  }
}
TEST(DoubleWells, Mclmc) { expect_double_wells(Mclmc({.step_size = 0.05, .decoherence_length = 1.5}), 1 << 14, 4000); }
TEST(DoubleWells, Mams) { expect_double_wells(Mams({.step_size = 0.3, .trajectory_length = 1.5}), 1 << 15, 400); }

// A network's energy, which large models' kernels evaluate, against quadrature.
TEST(Network, MomentsOfAllSamplers) {
  MlpEnergy model({.layers = {2, 8, 1}, .quadratic = 1});
  model.initialise([](Index i) {
    auto const w = random::words(key, std::uint64_t(i), random::Stream::test, 0, 0);
    return 2 * random::normal_pair(w.w[0], w.w[1], double()).a;
  });
  Index const cells = 256;  // over [-6, 6]^2
  TileStorage const x("x", cells, 2, cells);
  TileScalarStorage const e("e", cells, cells);
  auto const place = [&](Index i) { return 12 * (double(i) + 0.5) / double(cells) - 6; };
  auto const host = Kokkos::create_mirror_view(x);
  for (Index t = 0; t < cells; t++)
    for (Index l = 0; l < cells; l++) host(t, 0, l) = Real(place(t)), host(t, 1, l) = Real(place(l));
  copy_array(x, host);
  model.reserve(cells, cells);
  model.energy(x, e);
  auto const energy = values_on_host(e);
  double z = 0, moments[2] = {}, squares[3] = {};
  for (Index t = 0; t < cells; t++)
    for (Index l = 0; l < cells; l++) {
      double const w = std::exp(-double(energy(t, l))), a = place(t), b = place(l);
      z += w, moments[0] += w * a, moments[1] += w * b, squares[0] += w * a * a, squares[1] += w * a * b, squares[2] += w * b * b;
    }
  Point const mean = {moments[0] / z, moments[1] / z};
  Matrix covariance(2, 2);
  covariance(0, 0) = squares[0] / z - mean[0] * mean[0], covariance(1, 1) = squares[2] / z - mean[1] * mean[1];
  covariance(0, 1) = covariance(1, 0) = squares[1] / z - mean[0] * mean[1];
  Mala mala({.step_size = 0.3});
  Hmc hmc({.step_size = 0.5, .leapfrog_steps = 3});
  Barker barker({.step_size = 0.8});
  Mclmc mclmc({.step_size = 0.15, .decoherence_length = 1});
  Mams mams({.step_size = 0.6, .trajectory_length = 1.5});
  for (Sampler* sampler : {static_cast<Sampler*>(&mala), static_cast<Sampler*>(&hmc), static_cast<Sampler*>(&barker),
                           static_cast<Sampler*>(&mclmc), static_cast<Sampler*>(&mams)})
    EXPECT_LT(largest_z(run(*sampler, model, 1 << 14, {}, 300), mean, covariance), 4);
}

struct WarmedUp {
  Chains chains;
  Index step = 0;
};
template <class S>
void warm_up(S& sampler, DifferentiableModel& model, WarmedUp& w, Index calls) {
  for (Index k = 0; k < calls; k++, w.step += 20) {
    fill_array(w.chains.accepted, 0);
    sampler.advance(model, w.chains, key, w.step, 20);
    sampler.adapt(acceptance(w.chains, 20));
    sampler.adapt_to(model, w.chains, Communicator::world());
  }
}

// Deviations from 1 to 100 far from 0, and first steps far too long and far too short: the warm-up finds the scales, the length, 0.7 of the
// radius of four coordinates of unit variance, and one step.
TEST(MclmcWarmup, FindsScalesLengthAndStep) {
  std::vector<double> const precision = {1, 0.1, 1e-2, 1e-4};
  auto const model = make_gaussian({.dimension = 4, .mean = {100}, .diagonal = precision});
  double reached[2];
  int n = 0;
  for (double first : {0.01, 100.}) {
    Mclmc sampler({.step_size = first});
    WarmedUp w{make_chains(2048, 4, {InitialState::normal, 1, 100}, key)};
    sampler.prepare(*model, w.chains, key);
    warm_up(sampler, *model, w, 128);
    auto const scales = to_host(sampler.length().scales());
    for (std::size_t i = 0; i < 4; i++) EXPECT_NEAR(double(scales[i]) * std::sqrt(precision[i]), 1, 0.05) << i;
    EXPECT_NEAR(sampler.length()(), 0.7 * 2, 0.05);
    reached[n++] = sampler.step_size();
    // An energy error of 5e-4 a coordinate biases variances by less than a hundredth.
    sampler.advance(*model, w.chains, key, w.step, 400);
    auto const chains = states(w.chains);
    for (std::size_t i = 0; i < 4; i++) {
      double variance = 0;
      for (Point const& x : chains) variance += std::pow(x[i] - 100, 2) * precision[i] / double(chains.size());
      EXPECT_NEAR(variance, 1, 0.01 + 4 * std::sqrt(2. / double(chains.size()))) << i;
    }
  }
  EXPECT_NEAR(reached[0] / reached[1], 1, 0.05);
}

TEST(MclmcWarmup, KeepsWhatTheDeckNames) {
  auto const model = make_gaussian({.dimension = 4, .diagonal = {1, 0.1}});
  Mclmc sampler({.step_size = 0.3, .decoherence_length = 1.7, .energy_error_variance = 0, .adapt_mass = false});
  WarmedUp w{make_chains(256, 4, {}, key)};
  sampler.prepare(*model, w.chains, key);
  warm_up(sampler, *model, w, 10);
  EXPECT_EQ(sampler.step_size(), 0.3);
  EXPECT_EQ(sampler.length()(), 1.7);
  for (double s : to_host(sampler.length().scales())) EXPECT_EQ(s, 1);
}

TEST(MamsWarmup, ReachesItsAcceptanceAndStaysExact) {
  std::vector<double> const precision = {1, 0.1, 1e-2, 1e-4};
  auto const model = make_gaussian({.dimension = 4, .mean = {100}, .diagonal = precision});
  Mams sampler({});
  WarmedUp w{make_chains(4096, 4, {InitialState::normal, 1, 100}, key)};
  sampler.prepare(*model, w.chains, key);
  warm_up(sampler, *model, w, 64);
  fill_array(w.chains.accepted, 0);
  sampler.advance(*model, w.chains, key, w.step, 400);
  EXPECT_NEAR(acceptance(w.chains, 400), 0.9, 0.05);
  EXPECT_LT(largest_z(states(w.chains), Point(4, 100), diagonal({1, 10, 1e2, 1e4})), 4);
}

// In the middle of a warm-up, between two renewals of the scales.
template <class S>
void expect_same_bits_after_restart(S first, S second) {
  auto const model = make_gaussian({.dimension = 3, .diagonal = {1, 0.1, 0.01}});
  WarmedUp a{make_chains(64, 3, {}, key, 64)}, b{make_chains(64, 3, {}, key, 64)};
  first.prepare(*model, a.chains, key), second.prepare(*model, b.chains, key);
  warm_up(first, *model, a, 5);
  first.advance(*model, a.chains, key, a.step, 7);
  test::copy_state(first, second);
  copy_array(b.chains.x, a.chains.x);
  if (first.keeps_velocity()) copy_array(b.chains.velocity, a.chains.velocity);
  a.step += 7, b.step = a.step;
  warm_up(first, *model, a, 12), warm_up(second, *model, b, 12);
  EXPECT_EQ(states(a.chains), states(b.chains));
  EXPECT_EQ(first.step_size(), second.step_size());
  EXPECT_EQ(first.length()(), second.length()());
}
TEST(MclmcWarmup, GoesOnFromACheckpointWithTheSameBits) { expect_same_bits_after_restart(Mclmc({}), Mclmc({})); }
TEST(MamsWarmup, GoesOnFromACheckpointWithTheSameBits) { expect_same_bits_after_restart(Mams({}), Mams({})); }

// What a checkpoint holds does not depend on where steps were cut, in lanes past the last chain neither.
TEST(MclmcWarmup, CutsDoNotMatterToCheckpoints) {
  auto const model = make_gaussian({.dimension = 3, .diagonal = {1, 0.1, 0.01}});
  auto const bytes = [&](std::vector<Index> const& cuts) {
    Mclmc sampler({});
    Chains chains = make_chains(37, 3, {}, key, 32);
    sampler.prepare(*model, chains, key);
    Index step = 0;
    for (Index n : cuts) sampler.advance(*model, chains, key, step, n), step += n;
    State state;
    sampler.describe_state(state);
    chains.describe_state(state, "chains");
    std::vector<std::vector<std::byte>> out;
    for (StateField const& f : state.fields()) f.save(out.emplace_back(std::size_t(f.size()) * bytes_of(f.element)).data());
    return out;
  };
  EXPECT_EQ(bytes({20}), bytes({7, 1, 12}));
}

// From where one step leads to energies beyond all bounds: it is undone and counted, chains stay finite, and the warm-up shortens it.
TEST(Mclmc, UndoesStepsThatDiverge) {
  auto const model = make_double_well({.dimension = 3});
  Mclmc sampler({.step_size = 1e4});
  WarmedUp w{make_chains(256, 3, {}, key)};
  auto const before = states(w.chains);
  sampler.prepare(*model, w.chains, key);
  sampler.advance(*model, w.chains, key, 0, 5);
  EXPECT_EQ(states(w.chains), before);
  auto const diverging = values_on_host(w.chains.diverging);
  for (Index l = 0; l < 256; l++) EXPECT_EQ(diverging(0, l), 5);
  w.step = 5;
  warm_up(sampler, *model, w, 40);
  EXPECT_LT(sampler.step_size(), 1);
  for (Point const& x : states(w.chains)) EXPECT_LT(std::abs(x[0]), 3);
}

TEST(Mclmc, NeedsTwoCoordinatesThatMove) {
  for (Index d : {1, 2}) {
    auto const model = make_gaussian({.dimension = d});
    Chains chains = make_chains(64, d, {}, key, 64);
    Mclmc mclmc({});
    Mams mams({});
    for (Sampler* sampler : {static_cast<Sampler*>(&mclmc), static_cast<Sampler*>(&mams)}) {
      if (d == 1) EXPECT_THROW(sampler->prepare(*model, chains, key), Failure);
      else EXPECT_NO_THROW(sampler->prepare(*model, chains, key));
    }
  }
}

}  // namespace
