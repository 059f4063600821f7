// Annealed importance sampling of log p(x_0) against the closed form and against quadrature.
#include <gtest/gtest.h>

#include <cmath>

#include "estimators/hee_annealing.hpp"
#include "hee_reference.hpp"

namespace partita {
namespace {

auto const key = random::make_key(31);
AnnealedLikelihood anneal(Hee const& model, std::vector<double> const& points, HeeAnnealingOptions const& o) {
  return annealed_likelihood(model, points, o, Communicator::world(), key);
}

TEST(HeeAnnealing, ReferenceLogLikelihood) {
  Hee const model = reference_model();
  auto const found = anneal(model, reference_x0, {.temperatures = 100, .chains = 256}).points.front();
  EXPECT_LT(found.error(), 0.01);
  EXPECT_NEAR(found.value, -2.479524313146, 4 * found.error());
}

// One-dimensional members by quadrature (docs/theory/hee.md): W = 1.5, b_0 = .3, b_1 = .4.
TEST(HeeAnnealing, NonlinearMembers) {
  struct Case {
    char const *f, *phi, *g;
    double x0, log_density;
  };
  for (auto const& c : {Case{"tanh", "identity", "quadratic", 1.1, -1.22960153}, Case{"identity", "identity", "quartic", .8, -.61935895},
                        Case{"tanh", "tanh", "quadratic", .8, -.92354693}}) {
    Hee model({.widths = {1, 1}, .f = c.f, .phi = c.phi, .g = c.g}, key);
    set_parameters(model, {1.5, .3, .4});
    auto const found = anneal(model, {c.x0}, {.temperatures = 50, .chains = 256}).points.front();
    EXPECT_LT(found.error(), 0.02) << c.f << c.phi << c.g;
    EXPECT_NEAR(found.value, c.log_density, 4 * found.error()) << c.f << c.phi << c.g;
  }
}

// Data far sharper than the prior, of many points: every point is found, and errors that are known are those that the points show.
TEST(HeeAnnealing, ManyPointsOfALargerModel) {
  Hee const model({.widths = {30, 12, 6}, .initial_scale = 2}, key);
  Index const count = 40;
  std::vector<double> points;
  for (int i = 0; i < count * 30; i++) points.push_back(1.5 * standard_normal(i));
  auto const exact = log_density(layer_marginals(model.host_layers()).front(), points);
  auto const found = anneal(model, points, {.temperatures = 400, .chains = 32});
  EXPECT_NEAR(found.acceptance, 0.7, 0.05);
  // Of 32 weights the tail is known roughly: by chance it is too heavy for an error at a few points.
  double squares = 0, mean = 0, variance = 0, known = 0;
  for (std::size_t i = 0; i < exact.size(); i++) {
    double const off = found.points[i].value - exact[i], error = found.points[i].error();
    EXPECT_GT(found.points[i].effective, 8);
    if (std::isnan(error)) continue;
    squares += off * off / error / error;
    mean += off, variance += error * error, known++;
  }
  EXPECT_GE(known, 30);
  EXPECT_NEAR(squares / known, 1, 4 * std::sqrt(2. / known));
  EXPECT_NEAR(mean, 0, 4 * std::sqrt(variance));
}

// Chains are keyed by their numbers: what a tile gives depends neither on the tiles beside it nor on the rank that has it.
TEST(HeeAnnealing, SameBitsWhateverTheRank) {
  Hee const model({.widths = {6, 5, 4}, .f = "tanh"}, key);
  std::vector<double> points;
  for (int i = 0; i < 12 * 6; i++) points.push_back(standard_normal(i));
  HeeAnnealingOptions const o{.temperatures = 20, .chains = 32};
  auto const all = anneal(model, points, o);  // three tiles of four points
  points.resize(8 * 6);
  auto const some = anneal(model, points, o);
  for (std::size_t i = 0; i < 8; i++) EXPECT_EQ(some.points[i].value, all.points[i].value);
  for (double other : Communicator::world().all_gather(std::vector<double>{all.points.back().value}))
    EXPECT_EQ(other, all.points.back().value);
}

}  // namespace
}  // namespace partita
