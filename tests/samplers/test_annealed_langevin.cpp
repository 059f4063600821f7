#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/require.hpp"
#include "energies/gaussian.hpp"
#include "samplers/annealed_langevin.hpp"
#include "sampling.hpp"

namespace partita {
namespace {

using namespace partita::sampling;

constexpr Index dimension = 2, level_steps = 30;
std::vector<double> const levels{4, 1, 0.5};
random::Key const key{5, 6};

// The score of N(0, I) with noise, -x / (1 + sigma^2): there is no energy.
class NoisyGaussian : public ScoreModel {
 public:
  Index dimension() const override { return partita::dimension; }
  std::vector<double> noise_levels() const override { return levels; }
  void set_noise(double sigma) const override {
    sigma_ = sigma;
    if (asked.empty() || asked.back() != sigma) asked.push_back(sigma);
  }
  void gradient(ConstTiles x, Tiles g) const override {
    evaluations++;
    Index const tiles = extent(x, 0), d = extent(x, 1);
    auto const variance = Real(1 + sigma_ * sigma_);
    Kokkos::parallel_for(
        "test::noisy_gaussian", Kokkos::RangePolicy<Execution, Kokkos::IndexType<Index>>(0, extent(x, 2)), KOKKOS_LAMBDA(Index l) {
          for (Index t = 0; t < tiles; t++)
            for (Index i = 0; i < d; i++) g(t, i, l) = x(t, i, l) / variance;
        });
  }
  mutable std::vector<double> asked;
  mutable Index evaluations = 0;

 private:
  mutable double sigma_ = levels.back();
};

std::vector<Point> sample(NoisyGaussian const& model, AnnealedLangevinOptions const& o, std::vector<Index> const& cuts, Index count = 128) {
  AnnealedLangevin sampler(o);
  Chains chains = make_chains(count, dimension, {InitialState::normal, levels.front()}, key);
  sampler.prepare(model, chains, key);
  Index step = 0;
  for (Index n : cuts) sampler.advance(model, chains, key, step, n), step += n;
  return states(chains);
}

TEST(AnnealedLangevin, GoesDownTheLadderAndStays) {
  NoisyGaussian model;
  sample(model, {.step_size = 0.05, .level_steps = level_steps}, {4 * level_steps});
  EXPECT_EQ(model.asked, levels);
  EXPECT_EQ(model.evaluations, 4 * level_steps);
}

TEST(AnnealedLangevin, CutsOfTheStepsDoNotMatter) {
  for (bool denoise : {false, true}) {
    AnnealedLangevinOptions const o{.step_size = 0.05, .level_steps = level_steps, .denoise = denoise};
    NoisyGaussian model;
    auto const whole = sample(model, o, {4 * level_steps});
    EXPECT_EQ(sample(model, o, {level_steps + 7, 1, 2 * level_steps - 8, 0, 1, level_steps - 1}), whole);
    EXPECT_EQ(sample(model, o, std::vector<Index>(4 * level_steps, 1)), whole);
  }
}

TEST(AnnealedLangevin, IsUlaAtTheLowestNoise) {
  // Steps of eta at sigma_L on H = 1 / (1 + sigma_L^2): variance 1 / (H - eta H^2 / 2), which 200 steps at eta H = 0.08 forget their start
  // by.
  NoisyGaussian model;
  double const eta = 0.1, h = 1 / (1 + levels.back() * levels.back()), variance = 1 / (h - 0.5 * eta * h * h);
  AnnealedLangevinOptions const o{.step_size = eta, .level_steps = 200};
  EXPECT_LT(largest_z(sample(model, o, {600}, 20000), {0, 0}, scaled(identity(2), variance)), 4);
}

TEST(AnnealedLangevin, LastStepTakesTheNoiseAwayAndChainsRest) {
  NoisyGaussian model;
  Index const ladder = 3 * level_steps;
  AnnealedLangevinOptions o{.step_size = 0.05, .level_steps = level_steps};
  auto const noisy = sample(model, o, {ladder});
  o.denoise = true;
  auto const clean = sample(model, o, {ladder + 1});
  EXPECT_EQ(sample(model, o, {ladder + 50}), clean);
  double const s = levels.back() * levels.back();  // x + sigma^2 s(x) = x / (1 + sigma^2) here
  for (std::size_t c = 0; c < clean.size(); c++)
    for (std::size_t i = 0; i < 2; i++) EXPECT_NEAR(clean[c][i], noisy[c][i] / (1 + s), 1e-6 * (1 + std::abs(noisy[c][i])));
}

TEST(AnnealedLangevin, RefusesModelsWithoutLevels) {
  auto const plain = make_gaussian({});
  Chains chains = make_chains(16, 2, {}, key);
  try {
    AnnealedLangevin({.step_size = 0.1}).prepare(*plain, chains, key);
    FAIL() << "accepted";
  } catch (Failure const& f) {
    EXPECT_EQ(f.code(), ExitCode::usage);
    EXPECT_THAT(f.what(), testing::HasSubstr("model.noise_levels"));
  }
}

}  // namespace
}  // namespace partita
