// Annealed importance sampling of log Z in both directions against brute force, and the statistics of its weights against closed forms.
#include <gtest/gtest.h>

#include "core/require.hpp"
#include "estimators/annealing.hpp"
#include "estimators/enumeration.hpp"
#include "estimators/importance.hpp"
#include "models/gaussian_mrf.hpp"
#include "small_machines.hpp"

namespace partita {
namespace {

Communicator ranks() { return Communicator::world(); }
random::Key key_of(int direction, int seed) {
  return random::derived_key(small::key, random::Stream::annealing, std::uint64_t(2 * seed + direction));
}

// Log weights of both directions; the reverse ones from exact draws.
struct BothWays {
  std::vector<double> forward, reverse;
};
BothWays anneal(GibbsModel& model, Schedule const& betas, Tiling const& tiling, int seed = 0) {
  Chains const at_model("at the model", tiling, share_of_tiles(tiling.tiles(), ranks().rank(), ranks().ranks()), model.dimension());
  Enumeration(model, ranks()).draw(at_model, key_of(1, seed));
  return {forward_log_weights(model, betas, tiling, ranks(), key_of(0, seed)),
          reverse_log_weights(model, betas, at_model, ranks(), key_of(1, seed))};
}

TEST(Annealing, Schedules) {
  Schedule const published = piecewise_schedule({0.5, 0.9, 1}, {1e-3, 1e-4, 1e-5});
  ASSERT_EQ(published.size(), 14501u);
  EXPECT_EQ(published.front(), 0);
  EXPECT_EQ(published.back(), 1);
  EXPECT_DOUBLE_EQ(published[1], 1e-3);
  EXPECT_DOUBLE_EQ(published[500], 0.5);
  EXPECT_DOUBLE_EQ(published[501], 0.5001);
  EXPECT_DOUBLE_EQ(published[14499], 0.99999);
  EXPECT_EQ(uniform_schedule(4), (Schedule{0, 0.25, 0.5, 0.75, 1}));
  EXPECT_THROW(piecewise_schedule({0.5}, {0.1}), Failure);
  EXPECT_THROW(piecewise_schedule({0.5, 1}, {0.1}), Failure);
  EXPECT_THROW(piecewise_schedule({0.5, 0.4, 1}, {0.1, 0.1, 0.1}), Failure);
  EXPECT_THROW(piecewise_schedule({1}, {0}), Failure);
  EXPECT_EQ(temperatures_of({0.5, 0.9, 1}, {1e-3, 1e-4, 1e-5}), 14500);
  EXPECT_THROW(piecewise_schedule({0.5, 1}, {0.1, 1e-12}), Failure);  // before anything is allocated
}

// Gaussian works: with log weights of variance s^2 forward about c - s^2/2, those of the reverse are about -c - s^2/2.
TEST(Annealing, AcceptanceRatio) {
  double const c = 300, s = 2;
  double squares = 0;
  Index const repeats = 60;
  for (Index r = 0; r < repeats; r++) {
    std::vector<double> forward, reverse;
    for (Index i = 0; i < 400; i++) forward.push_back(c - s * s / 2 + s * small::normal(r * 400 + i, 2));
    for (Index i = 0; i < 100; i++) reverse.push_back(-c - s * s / 2 + s * small::normal(r * 100 + i, 3));
    auto const found = acceptance_ratio(forward, reverse);
    EXPECT_LT(found.error, 0.2);
    squares += (found.value - c) * (found.value - c) / found.error / found.error / double(repeats);
  }
  EXPECT_NEAR(squares, 1, 4 * std::sqrt(2. / double(repeats)));
  auto const far_apart = acceptance_ratio({-700, -705}, {400, 390, 395});  // no overlap: still between the two
  EXPECT_GT(far_apart.value, -706);
  EXPECT_LT(far_apart.value, -389);
}

// With references of their own and from data, strong couplings, several tiles of chains.
TEST(Annealing, LogZ) {
  auto const check = [](GibbsModel& model, double log_z) {
    auto const w = anneal(model, uniform_schedule(200), {160, 64});
    ASSERT_EQ(w.forward.size(), 160u);
    double const start = model.log_z_reference();
    auto const forward = log_mean_exp(w.forward), reverse = log_mean_exp(w.reverse);
    auto const bar = acceptance_ratio(w.forward, w.reverse);
    EXPECT_LT(forward.error(), 0.1);
    EXPECT_LT(reverse.error(), 0.1);
    EXPECT_LT(bar.error, 0.08);
    EXPECT_NEAR(start + forward.value, log_z, 4 * forward.error() + small::rounding);
    EXPECT_NEAR(start - reverse.value, log_z, 4 * reverse.error() + small::rounding);
    EXPECT_NEAR(start + bar.value, log_z, 4 * bar.error + small::rounding);
  };
  Rbm restricted = small::rbm(9, 6, 1.5);
  check(restricted, small::log_z(restricted));
  restricted.set_reference(small::moments_of_data(9));
  check(restricted, small::log_z(restricted));
  BoltzmannMachine general = small::machine(6, 3, 1);
  check(general, small::log_z(general));
  general.set_reference(small::moments_of_data(6));
  check(general, small::log_z(general));
}

// What makes the two directions bounds, and Bennett's ratio right: exp of the weights is unbiased in each, the means of the logarithms lie
// on either side, and the reverse path is the time reversal of the forward one (Crooks, J. Stat. Phys. 90, 1998), so that with c = log
// Z/Z_0 E_F[sigmoid(w - c)] = E_R[sigmoid(w + c)]. Few temperatures, many chains; within 4 standard errors.
void expect_bounds(GibbsModel& model, double log_z) {
  auto const w = anneal(model, uniform_schedule(3), {1 << 15, 256});
  double const c = log_z - model.log_z_reference();
  auto const mean = [](std::vector<double> const& weights, auto const& f) {
    double sum = 0, squares = 0;
    for (double v : weights) sum += f(v), squares += f(v) * f(v);
    auto const n = double(weights.size());
    return Estimate{sum / n, std::sqrt((squares / n - sum * sum / n / n) / n)};
  };
  auto const forward = mean(w.forward, [c](double v) { return std::exp(v - c); });
  auto const reverse = mean(w.reverse, [c](double v) { return std::exp(v + c); });
  EXPECT_NEAR(forward.value, 1, 4 * forward.error);
  EXPECT_NEAR(reverse.value, 1, 4 * reverse.error);
  auto const below = mean(w.forward, [c](double v) { return v - c; }), above = mean(w.reverse, [c](double v) { return -v - c; });
  EXPECT_LT(below.value, -10 * below.error);
  EXPECT_GT(above.value, 10 * above.error);
  auto const accept_f = mean(w.forward, [c](double v) { return 1 / (1 + std::exp(c - v)); });
  auto const accept_r = mean(w.reverse, [c](double v) { return 1 / (1 + std::exp(-v - c)); });
  EXPECT_NEAR(accept_f.value, accept_r.value, 4 * std::hypot(accept_f.error, accept_r.error));
}
TEST(Annealing, BoundsOfAnRbm) {
  Rbm model = small::rbm(6, 5, 1.2);
  expect_bounds(model, small::log_z(model));
}
TEST(Annealing, BoundsOfAGeneralMachine) {
  BoltzmannMachine model = small::machine(5, 2, 1);
  expect_bounds(model, small::log_z(model));
}

// Two units that hold one another down, with a reference that holds both up: exact expectations from a sum over all paths of two
// temperatures. Sweeps back in the order of those forth would give 0.107 in place of the same number.
TEST(Annealing, ReversedSweeps) {
  BoltzmannMachine model(BoltzmannMachineOptions{.visible = 2, .hidden = 0});
  assign(model.parameters(), {-7.2017, -0.7306, -1.9315});
  model.set_reference({{1 / (1 + std::exp(-8.2346)), 1 / (1 + std::exp(-1.9236))}, {1, 1}, 1'000'000});
  auto const w = anneal(model, uniform_schedule(2), {1 << 15, 256});
  double const c = small::log_z(model) - model.log_z_reference();
  double forward = 0, reverse = 0;
  for (double v : w.forward) forward += 1 / (1 + std::exp(c - v)) / (1 << 15);
  for (double v : w.reverse) reverse += 1 / (1 + std::exp(-v - c)) / (1 << 15);
  double const error = 0.5 / std::sqrt(1 << 15);  // at most
  EXPECT_NEAR(forward, 0.20425, 4 * error);
  EXPECT_NEAR(reverse, 0.20425, 4 * error);
}

// log Z of a Gaussian field is known: (d log(2 pi) - log det J + g'J^-1 g) / 2.
TEST(Annealing, GaussianField) {
  GaussianMrf model({.precision = {2, -0.9, -0.9, 1}, .potential = {0.5, -1}});
  auto const w = forward_log_weights(model, uniform_schedule(100), {128, 64}, ranks(), key_of(0, 0));
  double const determinant = 2 - 0.81, quadratic = (1 * 0.25 + 2 * 0.9 * 0.5 * -1 + 2 * 1) / determinant;
  double const log_z = std::log(2 * 3.141592653589793) - std::log(determinant) / 2 + quadratic / 2;
  auto const found = log_mean_exp(w);
  EXPECT_LT(found.error(), 0.05);
  EXPECT_NEAR(model.log_z_reference() + found.value, log_z, 4 * found.error());
}

// Chains are keyed by their numbers: what one gives depends neither on the tiles beside it nor on the rank that has it.
TEST(Annealing, SameBitsWhateverTheRank) {
  Rbm model = small::rbm(9, 6, 1.5);
  auto const all = anneal(model, uniform_schedule(10), {96, 32}), some = anneal(model, uniform_schedule(10), {64, 32});
  for (std::size_t i = 0; i < some.forward.size(); i++) {
    EXPECT_EQ(some.forward[i], all.forward[i]);
    EXPECT_EQ(some.reverse[i], all.reverse[i]);
  }
  for (double other : ranks().all_gather(std::vector<double>{all.reverse.back()})) EXPECT_EQ(other, all.reverse.back());
}

}  // namespace
}  // namespace partita
