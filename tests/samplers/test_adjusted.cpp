// Metropolis-adjusted samplers on targets that are not Gaussian, against exact moments: four standard errors over independent chains.
#include <gtest/gtest.h>

#include "core/copy.hpp"
#include "energies/banana.hpp"
#include "energies/double_well.hpp"
#include "energies/funnel.hpp"
#include "energies/gaussian.hpp"
#include "energies/gaussian_mixture.hpp"
#include "energies/phi4.hpp"
#include "samplers/barker.hpp"
#include "samplers/hmc.hpp"
#include "samplers/mala.hpp"
#include "sampling.hpp"

namespace {

using namespace partita;
using namespace partita::sampling;

// The expectations of docs/theory/langevin.md, started on both sides of the barrier; relaxation between the wells takes 8 units of time.
void expect_double_well(Sampler& sampler, Index steps) {
  auto const model = make_double_well({});
  auto const chains = run(sampler, *model, 1 << 16, {InitialState::uniform, 2}, steps);
  auto const energy = [](Point const& x) { return std::pow(x[0], 4) - 4 * x[0] * x[0] + x[0]; };
  EXPECT_LT(std::abs(z_score(
                chains, [](Point const& x) { return x[0] < .1260002 ? 1 : 0; }, .9335173193)),
            4);
  EXPECT_LT(std::abs(z_score(
                chains, [](Point const& x) { return x[0]; }, -1.2272600813)),
            4);
  EXPECT_LT(std::abs(z_score(
                chains, [](Point const& x) { return x[0] * x[0]; }, 2.0118971701)),
            4);
  EXPECT_LT(std::abs(z_score(chains, energy, -4.6942394010)), 4);
}
TEST(DoubleWell, Mala) {
  Mala sampler({.step_size = 0.08});
  expect_double_well(sampler, 2500);
}
TEST(DoubleWell, Hmc) {
  Hmc sampler({.step_size = 0.2, .leapfrog_steps = 6});
  expect_double_well(sampler, 400);
}

TEST(DoubleWell, Barker) {
  Barker sampler({.step_size = 0.5});
  expect_double_well(sampler, 2500);
}

// At temperature 2, moments from quadrature of exp(-U / 2).
TEST(DoubleWell, HotterThanItsEnergy) {
  double z = 0, mean = 0, energy = 0;
  for (int i = -5000; i <= 5000; i++) {
    double const x = i * 1e-3, u = std::pow(x, 4) - 4 * x * x + x, w = std::exp(-u / 2);
    z += w, mean += w * x, energy += w * u;
  }
  Mala mala({.step_size = 0.06, .temperature = 2});
  Hmc hmc({.step_size = 0.25, .leapfrog_steps = 5, .temperature = 2});
  for (auto const& [sampler, steps] : {std::pair<Sampler*, Index>(&mala, 1000), std::pair<Sampler*, Index>(&hmc, 200)}) {
    auto const chains = run(*sampler, *make_double_well({}), 1 << 15, {InitialState::uniform, 2}, steps);
    EXPECT_LT(std::abs(z_score(
                  chains, [](Point const& x) { return x[0]; }, mean / z)),
              4);
    EXPECT_LT(std::abs(z_score(
                  chains, [](Point const& x) { return std::pow(x[0], 4) - 4 * x[0] * x[0] + x[0]; }, energy / z)),
              4);
  }
}

Matrix matrix(std::vector<double> values) {
  auto const n = Index(std::lround(std::sqrt(double(values.size()))));
  Matrix m(n, n);
  m.values = std::move(values);
  return m;
}

TEST(Hmc, MixtureMoments) {
  // Overlapping modes: mean sum w mu = (.3 - 1.05, .7), covariance sigma^2 + sum w mu mu' - mean mean'.
  auto const model = make_gaussian_mixture({.dimension = 2, .means = {1, 0, -1.5, 1}, .weights = {3, 7}, .sigma = 1});
  Hmc sampler({.step_size = 0.4, .leapfrog_steps = 4});
  Point const mean = {-0.75, 0.7};
  Matrix const covariance = matrix({1 + .3 + .7 * 2.25 - .5625, .7 * -1.5 + .75 * .7, .7 * -1.5 + .75 * .7, 1 + .7 - .49});
  EXPECT_LT(largest_z(run(sampler, *model, 1 << 15, {}, 200), mean, covariance), 4);
}

// The default mixture from a start that is round, so that each of the eight modes has its eighth: covariance radius^2 / 2 + sigma^2.
TEST(Mala, RoundMixtureMoments) {
  auto const model = make_gaussian_mixture({});
  Mala sampler({.step_size = 0.1});
  EXPECT_LT(largest_z(run(sampler, *model, 1 << 15, {InitialState::normal, 3}, 500), {0, 0}, matrix({8.25, 0, 0, 8.25})), 4);
}

TEST(Hmc, BananaMoments) {
  BananaOptions const o{.scale = 1.2, .bend = 0.4};
  Hmc sampler({.step_size = 0.3, .leapfrog_steps = 6});
  double const a2 = o.scale * o.scale;
  EXPECT_LT(largest_z(run(sampler, *make_banana(o), 1 << 15, {}, 200), {0, 0}, matrix({a2, 0, 0, 1 + 2 * a2 * a2 * o.bend * o.bend})), 4);
}

TEST(Hmc, FunnelMoments) {
  FunnelOptions const o{.dimension = 3, .sigma = 1};
  Hmc sampler({.step_size = 0.15, .leapfrog_steps = 12});
  auto const chains = run(sampler, *make_funnel(o), 1 << 15, {}, 300);
  EXPECT_LT(std::abs(z_score(
                chains, [](Point const& x) { return x[0]; }, 0)),
            4);
  EXPECT_LT(std::abs(z_score(
                chains, [](Point const& x) { return x[0] * x[0]; }, 1)),
            4);
  // x_i e^{-v/2} is standard normal
  for (std::size_t i : {1, 2})
    EXPECT_LT(std::abs(z_score(
                  chains, [i](Point const& x) { return x[i] * x[i] * std::exp(-x[0]); }, 1)),
              4);
}

// A chain of two sites, by quadrature over both.
TEST(Mala, Phi4Moments) {
  Phi4Options const o{.dimension = 2, .beta = 4, .stiffness = 0.1};
  double const h = 1. / 3, bond = o.beta * o.stiffness / (2 * h), well = o.beta * h / (4 * o.stiffness);
  double z = 0, xx = 0, xy = 0;
  for (int i = -300; i <= 300; i++)
    for (int j = -300; j <= 300; j++) {
      double const x = i * 0.01, y = j * 0.01, sx = 1 - x * x, sy = 1 - y * y;
      double const w = std::exp(-bond * (x * x + (x - y) * (x - y) + y * y) - well * (sx * sx + sy * sy));
      z += w, xx += w * x * x, xy += w * x * y;
    }
  Mala sampler({.step_size = 0.05});
  EXPECT_LT(
      largest_z(run(sampler, *make_phi4(o), 1 << 15, {InitialState::uniform, 1.5}, 1500), {0, 0}, matrix({xx / z, xy / z, xy / z, xx / z})),
      4);
}

// ---- acceptance ----

// On a standard normal in equilibrium, E min(1, exp(-error)) by quadrature over position and velocity.
TEST(Acceptance, IsTheExactOne) {
  auto const model = make_gaussian({.dimension = 1});
  for (double eta : {0.1, 0.5, 1.2}) {
    double expected = 0, weight = 0, const_step = std::sqrt(2 * eta);
    for (int i = -800; i <= 800; i++)
      for (int j = -800; j <= 800; j++) {
        double const x = i * 0.01, v = j * 0.01, half = v - const_step / 2 * x, y = x + const_step * half, w = half - const_step / 2 * y;
        double const p = std::exp(-(x * x + v * v) / 2);
        weight += p, expected += p * std::min(1., std::exp((x * x + v * v - y * y - w * w) / 2));
      }
    expected /= weight;
    auto const key = random::make_key(4);
    Index const chains = 1 << 16, steps = 40;
    Chains set = make_chains(chains, 1, {}, key);
    Mala sampler({.step_size = eta, .target_acceptance = 0});
    sampler.prepare(*model, set, key);
    sampler.advance(*model, set, key, 0, steps);
    // successive steps of a chain are correlated: at most as if each chain gave one number
    EXPECT_NEAR(acceptance(set, steps), expected, 4 * std::sqrt(expected * (1 - expected) / double(chains))) << eta;
    auto const diverging = values_on_host(set.diverging);
    for (Index n = 0; n < std::ssize(diverging); n++) ASSERT_EQ(diverging.data()[n], 0);
  }
}

// Of barker, on a standard normal in equilibrium: over positions, lengths z of both signs, and both ways to go, in one dimension and, where
// the two coordinates decide together, in two by the product of their laws.
TEST(Acceptance, OfBarkerIsTheExactOne) {
  auto const sigmoid = [](double a) { return 1 / (1 + std::exp(-a)); };
  auto const key = random::make_key(4);
  for (double step : {0.3, 1., 2.5}) {
    // log of a coordinate's part of the acceptance ratio, with its probability
    std::vector<std::pair<double, double>> parts;
    double weight = 0;
    for (int i = -30; i <= 30; i++)
      for (int j = -30; j <= 30; j++)
        for (int way : {1, -1}) {
          double const x = i / 6., z = j / 6., w = way * step * z, y = x + w;
          double const p = std::exp(-(x * x + z * z) / 2) * sigmoid(-x * w);
          weight += p;
          parts.emplace_back((x * x - y * y) / 2 + std::log1p(std::exp(w * x)) - std::log1p(std::exp(-w * y)), p);
        }
    std::sort(parts.begin(), parts.end());
    double expected[2] = {};
    for (auto const& [a, p] : parts) expected[0] += p / weight * std::min(1., std::exp(a));
    // E min(1, exp(a + b)): for each a, b below -a by its exponential, above by 1
    std::vector<double> low{0}, high{0};
    for (auto const& [a, p] : parts) low.push_back(low.back() + p / weight * std::exp(a)), high.push_back(high.back() + p / weight);
    for (auto const& [a, p] : parts) {
      auto const at = std::size_t(std::lower_bound(parts.begin(), parts.end(), std::pair(-a, 0.)) - parts.begin());
      expected[1] += p / weight * (std::exp(a) * low[at] + high.back() - high[at]);
    }
    for (Index d : {1, 2}) {
      auto const model = make_gaussian({.dimension = d});
      Index const chains = 1 << 16, steps = 40;
      Chains set = make_chains(chains, d, {}, key);
      Barker sampler({.step_size = step, .target_acceptance = 0});
      sampler.advance(*model, set, key, 0, steps);
      double const mean = expected[d - 1];
      EXPECT_NEAR(acceptance(set, steps), mean, 4 * std::sqrt(mean * (1 - mean) / double(chains))) << step << " d " << d;
    }
  }
}

// In equilibrium a reversible chain goes from x to y as often as back: averages of what changes its sign with the exchange of both are 0.
// Exact draws of a tridiagonal Gaussian are those of independent normals, x_i = 0.6 x_{i-1} + 0.8 n_i.
TEST(Acceptance, OfBarkerBalancesInDetail) {
  auto const key = random::make_key(8);
  constexpr Index d = 3;
  auto const model = make_gaussian({.dimension = d, .precision = "ar1", .correlation = 0.6});
  Chains set = make_chains(1 << 18, d, {}, key);
  auto const x = values_on_host(set.x);
  for (std::size_t t = 0; t < x.extent(0); t++)
    for (std::size_t i = 1; i < d; i++)
      for (std::size_t l = 0; l < x.extent(2); l++) x(t, i, l) = Real(0.6) * x(t, i - 1, l) + Real(0.8) * x(t, i, l);
  copy_array(set.x, x);
  auto const before = states(set);
  Barker sampler({.step_size = 1.2, .target_acceptance = 0});
  sampler.advance(*model, set, key, 0, 1);
  auto both = states(set);
  for (std::size_t n = 0; n < both.size(); n++) both[n].insert(both[n].end(), before[n].begin(), before[n].end());
  EXPECT_NEAR(acceptance(set, 1), 0.5, 0.3);  // neither of the two is all there is
  for (std::size_t i = 0; i < d; i++)
    for (std::size_t j = 0; j < d; j++) {
      auto const odd = [i, j](Point const& p) { return p[i] * std::pow(p[d + j], 3) - p[d + i] * std::pow(p[j], 3); };
      auto const asymmetric = [i, j](Point const& p) { return (p[i] > 0.3) * p[d + j] - (p[d + i] > 0.3) * p[j]; };
      EXPECT_LT(std::abs(z_score(both, odd, 0)), 4) << i << j;
      EXPECT_LT(std::abs(z_score(both, asymmetric, 0)), 4) << i << j;
    }
}

TEST(Acceptance, CountsStepsAndDivergences) {
  auto const key = random::make_key(4);
  auto const model = make_double_well({});
  Chains set = make_chains(64, 1, {InitialState::uniform, 1.5}, key, 64);
  Mala cautious({.step_size = 1e-6});
  cautious.advance(*model, set, key, 0, 25);
  EXPECT_GT(acceptance(set, 25), 0.99);
  // From x = 40 a step of 1 lands near -2.5e5: an energy error of 1e21, refused and counted; the chain stays.
  Chains far = make_chains(64, 1, {InitialState::zero, 0, 40}, key, 64);
  Mala reckless({.step_size = 1});
  reckless.advance(*model, far, key, 0, 25);
  EXPECT_EQ(acceptance(far, 25), 0);
  auto const diverging = values_on_host(far.diverging);
  for (Index l = 0; l < 64; l++) EXPECT_EQ(diverging(0, l), 25);
  for (auto const& x : states(far)) EXPECT_EQ(x[0], 40);
}

// From steps far too small and far too large the warm-up comes to the target, and to one step size.
template <class S, class Options>
void expect_adaptation(Options options, double target, double wide) {
  auto const model = make_gaussian({.dimension = 10, .diagonal = {1, 0.2}});
  auto const key = random::make_key(6);
  double reached[2];
  int n = 0;
  for (double start : {wide / 100, wide}) {
    options.step_size = start;
    S sampler(options);
    Chains set = make_chains(4096, 10, {}, key);
    ASSERT_TRUE(sampler.adapts());
    Index step = 0;
    auto const measure = [&](Index steps) {
      fill_array(set.accepted, 0);
      sampler.advance(*model, set, key, step, steps);
      step += steps;
      return acceptance(set, steps);
    };
    for (int k = 0; k < 60; k++) {
      double const found = measure(10), before = sampler.step_size();
      sampler.adapt(found);
      EXPECT_EQ(sampler.step_size() > before, found > target);
    }
    EXPECT_NEAR(measure(20), target, 0.02);
    reached[n++] = sampler.step_size();
  }
  EXPECT_NEAR(reached[0] / reached[1], 1, 0.05);
}
TEST(Adaptation, MalaReachesItsTarget) { expect_adaptation<Mala>(MalaOptions{}, 0.574, 4); }
TEST(Adaptation, BarkerReachesItsTarget) { expect_adaptation<Barker>(BarkerOptions{}, 0.574, 4); }
// At one length: of random ones, the same for all chains, few trajectories know the acceptance badly (test_hmc.cpp has those).
TEST(Adaptation, HmcReachesItsTarget) { expect_adaptation<Hmc>(HmcOptions{.leapfrog_steps = 3, .random_length = false}, 0.65, 2.5); }

}  // namespace
