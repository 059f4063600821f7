// Trajectories of random length, masses from the chains, and energies that are large, against closed forms.
#include <gtest/gtest.h>

#include <numbers>

#include "../optimizers/copy_state.hpp"
#include "comm/communicator.hpp"
#include "core/copy.hpp"
#include "energies/gaussian.hpp"
#include "models/gaussian_mrf.hpp"
#include "models/host_values.hpp"
#include "samplers/barker.hpp"
#include "samplers/hmc.hpp"
#include "samplers/mala.hpp"
#include "samplers/replica_exchange.hpp"
#include "sampling.hpp"

namespace {

using namespace partita;
using namespace partita::sampling;

auto const key = random::make_key(11);

// Eigenvectors and eigenvalues of a symmetric matrix by Jacobi rotations.
struct Modes {
  Matrix vectors;  // columns
  std::vector<double> values;
};
Modes modes_of(Matrix a) {
  Index const d = a.rows;
  Matrix v(d, d);
  for (Index i = 0; i < d; i++) v(i, i) = 1;
  for (int sweep = 0; sweep < 30; sweep++)
    for (Index p = 0; p < d; p++)
      for (Index q = p + 1; q < d; q++) {
        double const angle = std::atan2(2 * a(p, q), a(q, q) - a(p, p)) / 2, c = std::cos(angle), s = std::sin(angle);
        auto const rotate = [c, s](double& x, double& y) {
          double const old = x;
          x = c * old - s * y, y = s * old + c * y;
        };
        for (Index k = 0; k < d; k++) rotate(a(k, p), a(k, q));
        for (Index k = 0; k < d; k++) rotate(a(p, k), a(q, k));
        for (Index k = 0; k < d; k++) rotate(v(k, p), v(k, q));
      }
  Modes m{v, {}};
  for (Index i = 0; i < d; i++) m.values.push_back(a(i, i));
  return m;
}
double along(Modes const& m, std::size_t mode, Point const& x) {
  double sum = 0;
  for (std::size_t i = 0; i < x.size(); i++) sum += m.vectors(Index(i), Index(mode)) * x[i];
  return sum;
}

// A leapfrog of length h turns a mode of precision p by the angle phi, cos phi = 1 - h^2 p / 2, each time.
constexpr Index dimension = 10;
constexpr double leapfrog = 0.1;
Index half_period(double precision) { return Index(std::lround(std::numbers::pi / std::acos(1 - leapfrog * leapfrog * precision / 2))); }
std::vector<Point> after_trajectories(DifferentiableModel& model, Index leapfrogs, bool random_length) {
  Hmc sampler({.step_size = leapfrog, .leapfrog_steps = leapfrogs, .target_acceptance = 0, .random_length = random_length});
  return run(sampler, model, 4096, {InitialState::zero}, 80);
}

// From 0, where no mode has any variance, 80 trajectories: with a mean length of a half or a whole period of each mode in turn, all modes
// come to their variance. 200 numbers with 4096 independent chains each: beyond 4.5 standard errors with probability .0014.
TEST(Hmc, EveryModeForgetsItsStartAtTwentyLengths) {
  auto const model = make_gaussian({.dimension = dimension, .precision = "ar1", .correlation = 0.9});
  Modes const modes = modes_of(model->gaussian().front().precision);
  for (double resonant : modes.values)
    for (Index periods : {1, 2}) {
      auto const chains = after_trajectories(*model, periods * half_period(resonant), true);
      for (std::size_t k = 0; k < modes.values.size(); k++)
        EXPECT_LT(std::abs(z_score(
                      chains,
                      [&](Point const& x) {
                        double const y = along(modes, k, x);
                        return y * y;
                      },
                      1 / modes.values[k])),
                  4.5)
            << "precision " << modes.values[k] << " at " << periods << " half periods of " << resonant;
    }
}

// What random lengths are for: at its half period a mode keeps next to nothing of the velocities it is given.
TEST(Hmc, AFixedLengthResonates) {
  auto const model = make_gaussian({.dimension = dimension, .precision = "ar1", .correlation = 0.9});
  Modes const modes = modes_of(model->gaussian().front().precision);
  auto const slowest = std::size_t(std::min_element(modes.values.begin(), modes.values.end()) - modes.values.begin());
  double variance = 0;
  for (Point const& x : after_trajectories(*model, half_period(modes.values[slowest]), false))
    variance += std::pow(along(modes, slowest, x), 2) / 4096;
  EXPECT_LT(variance, 0.7 / modes.values[slowest]);
}

// Lengths are a function of key and step, uniform on 1 .. 2 L - 1: counts within 5 standard deviations.
TEST(Hmc, LengthsAreUniform) {
  Index const mean = 4, steps = 70000, most = 2 * mean - 1;
  HamiltonianScheme<> const scheme{Real(1), Real(1), mean, {}, true, key};
  std::vector<double> counts(std::size_t(most) + 1);
  for (Index n = 0; n < steps; n++) {
    Index const length = scheme.evaluations(n);
    ASSERT_TRUE(length >= 1 && length <= most);
    EXPECT_EQ(scheme.evaluations(n), length);
    counts[length]++;
  }
  double const expected = double(steps) / double(most);
  for (Index n = 1; n <= most; n++) EXPECT_NEAR(counts[n], expected, 5 * std::sqrt(expected));
  HamiltonianScheme<> const fixed{Real(1), Real(1), mean};
  for (Index n = 0; n < 10; n++) EXPECT_EQ(fixed.evaluations(n), mean);
}

// ---- masses ----

TEST(HmcMass, ScalesAreDeviationsOverTheLeast) {
  auto const scales = scales_of({4, 100, 1, 7}, {false, false, false, true}, 1000000);
  ASSERT_EQ(scales.size(), 4u);
  EXPECT_NEAR(scales[0], 2, 1e-4);
  EXPECT_NEAR(scales[1], 10, 1e-3);
  EXPECT_EQ(scales[2], 1);
  EXPECT_EQ(scales[3], 1);
  // Of five places half of what they say about the logarithms counts: from sqrt(10^4) to its square root.
  EXPECT_NEAR(scales_of({1, 1e4}, {false, false}, 5)[1], 10, 1e-4);
  EXPECT_TRUE(scales_of({1, 0}, {false, false}, 100).empty());
  EXPECT_TRUE(scales_of({1, NAN}, {false, false}, 100).empty());
}

// Deviations from 1 to 100 far from 0: the warm-up finds them, and one step size serves all coordinates; the samples are the target's.
TEST(HmcMass, WarmupFindsTheScalesAndSamplesStayExact) {
  std::vector<double> const precision = {1, 1e-1, 1e-2, 1e-3, 1e-4};
  auto const model = make_gaussian({.dimension = 5, .mean = {1000}, .diagonal = precision});
  auto const world = Communicator::world();
  Hmc sampler({.step_size = 0.5, .leapfrog_steps = 4, .adapt_mass = true});
  Chains chains = make_chains(4096, 5, {InitialState::normal, 1, 1000}, key);
  sampler.prepare(*model, chains, key);
  Index step = 0;
  for (int k = 0; k < 64; k++, step += 20) {
    fill_array(chains.accepted, 0);
    sampler.advance(*model, chains, key, step, 20);
    sampler.adapt(acceptance(chains, 20));
    sampler.adapt_to(*model, chains, world);
  }
  auto const scales = values_on_host(sampler.scales());
  for (std::size_t i = 0; i < 5; i++) EXPECT_NEAR(double(scales(i)) * std::sqrt(precision[i]), 1, 0.05) << i;
  fill_array(chains.accepted, 0);
  sampler.advance(*model, chains, key, step, 400);
  // With equal scales the acceptance of a trajectory hangs on its length, the same for all chains: a deviation of some .2 from one to the
  // next, so that windows of 20 know its mean, and tune the step size, to some .05.
  EXPECT_NEAR(acceptance(chains, 400), 0.65, 0.1);
  Matrix covariance(5, 5);
  for (Index i = 0; i < 5; i++) covariance(i, i) = 1 / precision[i];
  EXPECT_LT(largest_z(states(chains), Point(5, 1000), covariance), 4);
}

// In the middle of the warm-up, between two renewals of the scales, which come at calls 1, 2, 4, 8, ..
TEST(HmcMass, StateInACheckpointContinuesWithTheSameBits) {
  auto const model = make_gaussian({.dimension = 3, .diagonal = {1, 0.1, 0.01}});
  auto const world = Communicator::world();
  HmcOptions const options{.step_size = 0.5, .leapfrog_steps = 4, .adapt_mass = true};
  Hmc first(options), second(options);
  Chains a = make_chains(64, 3, {}, key, 64), b = make_chains(64, 3, {}, key, 64);
  first.prepare(*model, a, key), second.prepare(*model, b, key);
  auto const warm_up = [&](Hmc& sampler, Chains& chains, Index from, Index to) {
    for (Index step = from; step < to; step += 20) {
      sampler.advance(*model, chains, key, step, 20);
      sampler.adapt(0.6);
      sampler.adapt_to(*model, chains, world);
    }
  };
  warm_up(first, a, 0, 100);
  test::copy_state(first, second);
  copy_array(b.x, a.x);
  warm_up(first, a, 100, 320), warm_up(second, b, 100, 320);
  EXPECT_EQ(states(a), states(b));
  auto const scales = [](Hmc const& s) { return to_host(s.scales()); };
  EXPECT_EQ(scales(first), scales(second));
}

// Held coordinates have no scale and do not stand in the way; chains that have not moved say nothing.
TEST(HmcMass, HeldCoordinatesAreLeftOut) {
  auto const model = make_gaussian({.dimension = 3, .diagonal = {1, 1, 0.01}});
  Hmc sampler({.step_size = 0.5, .leapfrog_steps = 4, .adapt_mass = true});
  Chains chains = make_chains(1024, 3, {InitialState::zero}, key);
  DeviceVector<std::uint8_t> const held("held", 3);
  fill_array(Kokkos::subview(held, std::pair(0, 1)), std::uint8_t{1});
  chains.held = held;
  sampler.prepare(*model, chains, key);
  auto const scale = [&](std::size_t i) { return values_on_host(sampler.scales())(i); };
  sampler.adapt_to(*model, chains, Communicator::world());
  for (std::size_t i = 0; i < 3; i++) EXPECT_EQ(scale(i), 1);
  for (Index step = 0; step < 640; step += 20) {
    sampler.advance(*model, chains, key, step, 20);
    sampler.adapt_to(*model, chains, Communicator::world());
  }
  EXPECT_EQ(scale(0), 1);
  EXPECT_EQ(scale(1), 1);
  EXPECT_NEAR(scale(2), 10, 0.5);
}

// ---- large energies ----

// E = x^2 / 2 - 1e4 x is -5e7 where the chains are: floats there are 4 apart, and its differences are of order 1.
TEST(LargeEnergies, AreComparedExactly) {
  GaussianMrf field({{}, {}, {1}}, {1e4});
  Mala mala({.step_size = 0.5, .target_acceptance = 0});
  Hmc hmc({.step_size = 0.7, .leapfrog_steps = 2, .target_acceptance = 0});
  Barker barker({.step_size = 1, .target_acceptance = 0});
  ReplicaExchange ladder({.moves = "mala", .step_size = 0.5, .target_acceptance = 0, .betas = {1, 0.5}}, {}, Communicator::world());
  for (Sampler* sampler :
       {static_cast<Sampler*>(&mala), static_cast<Sampler*>(&hmc), static_cast<Sampler*>(&barker), static_cast<Sampler*>(&ladder)}) {
    auto const chains = run(*sampler, field, 1 << 14, {InitialState::normal, 0.5, 1e4}, 100);
    EXPECT_LT(std::abs(z_score(
                  chains, [](Point const& x) { return x[0] - 1e4; }, 0)),
              4);
    EXPECT_LT(std::abs(z_score(
                  chains, [](Point const& x) { return (x[0] - 1e4) * (x[0] - 1e4); }, 1)),
              4);
  }
  // At both rungs (E_0 - E_1) has the law of two centred Gaussians: rate by quadrature of E min(1, exp((1 - b)(x_0^2 - x_1^2) / 2)).
  double rate = 0, weight = 0;
  for (int i = -600; i <= 600; i++)
    for (int j = -900; j <= 900; j++) {
      double const x = i * 0.01, y = j * 0.01, p = std::exp(-(x * x + 0.5 * y * y) / 2);
      weight += p, rate += p * std::min(1., std::exp(0.5 * (x * x - y * y) / 2));
    }
  // 50 attempts of each of 16384 chains, correlated over a few: .0012 if 10 of them were independent
  for (auto const& r : ladder.results())
    if (r.name == "swap_rate_01") {
      EXPECT_NEAR(r.value, rate / weight, 0.005);
    }
}

// Sums of many terms keep the digits that differences need: a coordinate's change of 1e-2 in 2e5 of energy 1/2 each.
TEST(LargeEnergies, SumsOfManyTermsKeepSmallDifferences) {
  Index const d = 1 << 18;
  auto const model = make_gaussian({.dimension = d, .mean = {0}, .diagonal = {1}});
  TileStorage const x("x", 1, d, pitch_quantum);
  fill_array(x, Real(1));
  auto const host = Kokkos::create_mirror_view(x);
  Kokkos::View<double**, Kokkos::LayoutRight, DeviceMemory> const e("energies", 1, pitch_quantum);
  auto const energy_of_lane_0 = [&] {
    model->precise_energy(x, e);
    return values_on_host(e)(0, 0);
  };
  double const before = energy_of_lane_0();
  copy_array(host, x);
  host(0, 5, 0) = Real(1.125);  // exact, as are its energy and all sums of eight
  copy_array(x, host);
  EXPECT_EQ(before, double(d) / 2);
  EXPECT_NEAR(energy_of_lane_0() - before, (1.125 * 1.125 - 1) / 2, 1e-6);
}

// An energy without a value refuses every proposal, each counted as diverging; the chain stays.
class NotANumber : public DifferentiableModel {
 public:
  Index dimension() const override { return 1; }
  void energy_and_gradient(ConstTiles, TileScalars energy, Tiles gradient) const override {
    fill_array(energy, NAN);
    fill_array(gradient, Real(0));
  }
};
TEST(Acceptance, AnEnergyThatIsNotANumberDiverges) {
  NotANumber model;
  Mala sampler({.step_size = 0.1, .target_acceptance = 0});
  Chains chains = make_chains(64, 1, {}, key, 64);
  auto const before = states(chains);
  sampler.advance(model, chains, key, 0, 25);
  EXPECT_EQ(states(chains), before);
  auto const host = [](auto const& v) { return values_on_host(v); };
  auto const accepted = host(chains.accepted), diverging = host(chains.diverging);
  for (Index l = 0; l < 64; l++) {
    EXPECT_EQ(accepted(0, l), 0);
    EXPECT_EQ(diverging(0, l), 25);
  }
}

}  // namespace
