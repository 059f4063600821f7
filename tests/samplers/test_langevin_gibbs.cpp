// A small machine with Gaussian visible units, whose law is a mixture of one normal for each state of its hidden units: moments of
// independent chains against those of the mixture, within 4.5 standard errors.
#include <gtest/gtest.h>

#include "core/copy.hpp"
#include "core/require.hpp"
#include "energies/double_well.hpp"
#include "models/host_values.hpp"
#include "samplers/hmc.hpp"
#include "samplers/langevin_gibbs.hpp"
#include "samplers/mala.hpp"
#include "samplers/ula.hpp"
#include "sampling.hpp"

namespace {

using namespace partita;
using namespace partita::sampling;

auto const key = random::make_key(7);
constexpr Index d = 3, f = 2, states_of_h = 4, count = 1 << 15;
Point const w{0.9, -0.6, 0.4, 0.8, -0.7, 0.5}, a{0.3, -0.2, 0.1}, b{-0.2, 0.4}, s{0.5, 1, 1.5};

std::unique_ptr<GaussianRbm> machine(std::string const& parametrisation = "B") {
  auto rbm = std::make_unique<GaussianRbm>(
      RbmOptions{.visible = d, .hidden = f, .visible_units = "gaussian", .parametrisation = parametrisation, .learn_variance = true});
  Point weight = w, z;
  for (std::size_t i = 0; i < d; i++) {
    z.push_back(2 * std::log(s[i]));
    for (std::size_t j = 0; j < f; j++)
      if (parametrisation == "A") weight[i * f + j] /= s[i];
  }
  assign(rbm->weight(), weight), assign(rbm->visible_bias(), a), assign(rbm->hidden_bias(), b), assign(rbm->log_variance(), z);
  rbm->parameters_changed();
  return rbm;
}

double mean(std::size_t i, int h) { return a[i] + w[i * f] * (h & 1) + w[i * f + 1] * (h >> 1); }

// The law of v, or with v_0 held at `shown` that of the others: p(h) ~ exp(b'h + sum (m^2 - a^2) / (2 s^2)), times N(shown; m_0, s_0^2).
struct Mixture {
  Point p;
  explicit Mixture(double const* shown = nullptr) {
    double total = 0;
    for (int h = 0; h < states_of_h; h++) {
      double log_p = b[0] * (h & 1) + b[1] * (h >> 1);
      for (std::size_t i = 0; i < d; i++) log_p += (mean(i, h) * mean(i, h) - a[i] * a[i]) / (2 * s[i] * s[i]);
      if (shown) log_p -= (*shown - mean(0, h)) * (*shown - mean(0, h)) / (2 * s[0] * s[0]);
      p.push_back(std::exp(log_p)), total += p.back();
    }
    for (double& v : p) v /= total;
  }
  double average(std::function<double(int)> const& of) const {
    double sum = 0;
    for (int h = 0; h < states_of_h; h++) sum += p[h] * of(h);
    return sum;
  }
  double first(std::size_t i) const {
    return average([i](int h) { return mean(i, h); });
  }
  double second(std::size_t i, std::size_t k) const {
    return average([=](int h) { return mean(i, h) * mean(k, h) + (i == k ? s[i] * s[i] : 0); });
  }
};

// Largest |z| over first and second moments of the coordinates from `from` on.
double worst(std::vector<Point> const& chains, Mixture const& law, std::size_t from = 0) {
  double z = 0;
  for (std::size_t i = from; i < d; i++) {
    z = std::max(z, std::abs(z_score(
                        chains, [i](Point const& x) { return x[i]; }, law.first(i))));
    for (std::size_t k = from; k <= i; k++)
      z = std::max(z, std::abs(z_score(
                          chains, [=](Point const& x) { return x[i] * x[k]; }, law.second(i, k))));
  }
  return z;
}

TEST(LangevinGibbs, AdjustedIsExactAtEveryStepSize) {
  for (auto const& [parametrisation, eta, langevin_steps] :
       {std::tuple("A", 0.3, Index{3}), std::tuple("B", 0.3, Index{3}), std::tuple("B", 1., Index{1}), std::tuple("B", 0.05, Index{20})}) {
    LangevinGibbs sampler({.step_size = eta, .langevin_steps = langevin_steps, .adjusted = true, .target_acceptance = 0});
    auto const model = machine(parametrisation);
    EXPECT_LT(worst(run(sampler, *model, count, {InitialState::normal, 2}, 150), Mixture()), 4.5) << parametrisation << ", eta " << eta;
  }
}

// With v_0 held and many steps v_1 given h has variance 2 / (2 - eta) s^2; at eta = 0.01 that is 0.5 % too much, and p(h | v) follows it a
// little: bounds of 1 % of a variance above the statistical ones.
TEST(LangevinGibbs, WithoutTheTestTheBiasIsThatOfTheStep) {
  for (double eta : {0.01, 0.5}) {
    LangevinGibbs sampler({.step_size = eta, .langevin_steps = eta < 0.1 ? 500 : 50});
    auto const model = machine();
    auto const chains = run(sampler, *model, count, {InitialState::normal, 2}, 150);
    Mixture const law;
    for (std::size_t i = 0; i < d; i++) {
      double sum = 0, squares = 0;
      for (Point const& x : chains) sum += x[i], squares += x[i] * x[i];
      double const n = double(count), variance = squares / n - sum * sum / n / n;
      double const exact = law.second(i, i) - law.first(i) * law.first(i), error = 4.5 * std::sqrt(3 / n) * exact;
      if (eta < 0.1) {
        EXPECT_NEAR(sum / n, law.first(i), 4.5 * std::sqrt(exact / n) + 0.01 * s[i]);
        EXPECT_NEAR(variance, exact, error + 0.01 * exact);
      } else {
        EXPECT_GT(variance, exact + 0.2 * s[i] * s[i]) << "the bias of a large step would be missing";  // a third of s^2, less what h takes
      }
    }
  }
}

TEST(LangevinGibbs, HeldUnitsGiveTheConditionalLaw) {
  double const shown = 1.1;
  auto const model = machine();
  Chains chains = make_chains(count, d, {InitialState::normal, 1}, key);
  fill_array(Kokkos::subview(chains.x, Kokkos::ALL, 0, Kokkos::ALL), Real(shown));
  DeviceVector<std::uint8_t> const held("held", d);
  fill_array(Kokkos::subview(held, 0), 1);
  chains.held = held;
  LangevinGibbs sampler({.step_size = 0.3, .langevin_steps = 4, .adjusted = true});
  sampler.prepare(*model, chains, key);
  sampler.advance(*model, chains, key, 0, 100);
  auto const after = states(chains);
  for (Point const& x : after) ASSERT_EQ(x[0], double(Real(shown)));
  EXPECT_LT(worst(after, Mixture(&shown), 1), 4.5);
}

// The same bits however steps are cut into calls and tiles, and whatever other lanes hold; acceptance is counted.
TEST(LangevinGibbs, StepsAreAFunctionOfChainAndStep) {
  auto const model = machine();
  auto const advanced = [&](Index width, std::vector<Index> const& cuts) {
    LangevinGibbs sampler({.step_size = 0.4, .langevin_steps = 2, .adjusted = true});
    Chains chains = make_chains(100, d, {InitialState::normal, 1}, key, width);
    Index first = 0;
    for (Index steps : cuts) sampler.advance(*model, chains, key, first, steps), first += steps;
    double const rate = acceptance(chains, 12);
    EXPECT_GT(rate, 0.5);
    EXPECT_LT(rate, 1);
    return states(chains);
  };
  auto const whole = advanced(112, {12});
  EXPECT_EQ(advanced(112, {5, 1, 6}), whole);
  auto const tiles = advanced(48, {12});  // products of another shape: other roundings
  for (std::size_t c = 0; c < whole.size(); c++)
    for (std::size_t i = 0; i < d; i++) EXPECT_NEAR(tiles[c][i], whole[c][i], 1e-4);
}

TEST(LangevinGibbs, AdaptsToItsTarget) {
  auto const model = machine();
  LangevinGibbs sampler({.step_size = 0.01, .langevin_steps = 1, .adjusted = true, .target_acceptance = 0.999});
  EXPECT_TRUE(sampler.adapts());
  for (int k = 0; k < 50; k++) sampler.adapt(1);
  EXPECT_GT(sampler.step_size(), 0.01);
  for (int k = 0; k < 50; k++) sampler.adapt(5);  // an acceptance that no step size gives: eta stays at 1
  EXPECT_EQ(sampler.step_size(), 1);
  EXPECT_FALSE(LangevinGibbs({.step_size = 0.01}).adapts());
  EXPECT_FALSE(LangevinGibbs({.step_size = 0.01}).adjusted());
}

TEST(LangevinGibbs, OtherModelsAreRefused) {
  Chains chains = make_chains(16, d, {}, key);
  LangevinGibbs sampler({.step_size = 0.1});
  EXPECT_THROW(sampler.prepare(Rbm({.visible = d, .hidden = f}), chains, key), Failure);
  EXPECT_THROW(sampler.prepare(*make_double_well({.dimension = d}), chains, key), Failure);
}

// The samplers of energies follow dF/dv.
TEST(GaussianRbmMarginal, LangevinSamplersFindTheMixture) {
  for (auto const* parametrisation : {"A", "B"}) {
    auto const model = machine(parametrisation);
    Mala mala({.step_size = 0.1});
    EXPECT_LT(worst(run(mala, *model, count, {InitialState::normal, 2}, 300), Mixture()), 4.5);
    Hmc hmc({.step_size = 0.3, .leapfrog_steps = 4});
    EXPECT_LT(worst(run(hmc, *model, count, {InitialState::normal, 2}, 100), Mixture()), 4.5);
  }
  auto const model = machine();
  Ula ula({.step_size = 0.002});  // 0.4 % of bias in the stiffest direction, half a standard error
  EXPECT_LT(worst(run(ula, *model, count, {InitialState::normal, 2}, 3000), Mixture()), 5.5);
}

}  // namespace
