// Posterior means of a linear member against the closed form, and of a nonlinear one against quadrature.
#include <gtest/gtest.h>

#include <cmath>

#include "estimators/hee_likelihood.hpp"
#include "estimators/hee_reconstruction.hpp"
#include "hee_reference.hpp"

namespace partita {
namespace {

auto const key = random::make_key(51);
HeeLangevinOptions const closed_form{.statistic_mean = "closed_form"};

// Means over copies of one point, each from a chain of its own, with their standard errors.
std::vector<std::vector<Estimate>> over_copies(Hee const& model, std::vector<double> const& x0, Index copies,
                                               ReconstructionOptions const& o) {
  std::vector<double> points;
  for (Index c = 0; c < copies; c++) points.insert(points.end(), x0.begin(), x0.end());
  auto const found = reconstruct(model, closed_form, points, o, Communicator::world(), key);
  std::vector<std::vector<Estimate>> out;
  for (std::size_t l = 0; l < found.size(); l++) {
    std::size_t const n = std::size_t(model.width(Index(l)));
    out.emplace_back();
    for (std::size_t i = 0; i < n; i++) {
      std::vector<double> values;
      for (std::size_t c = 0; c < std::size_t(copies); c++) values.push_back(found[l][c * n + i]);
      out.back().push_back(mean_and_error(values));
    }
  }
  return out;
}

TEST(HeeReconstruction, LinearMember) {
  auto const found = over_copies(reference_model(), reference_x0, 300, {.duration = 30, .average_over = 20});
  auto const layers = reference_layers();
  auto const mean = posterior(layers, reference_x0).mean;
  for (std::size_t i = 0; i < 4; i++) {
    Estimate const e = found[1 + i / 2][i % 2];
    EXPECT_LT(e.error, 0.02);
    EXPECT_NEAR(e.value, mean[i], 4 * e.error) << "latent unit " << i;
  }
  for (Index i = 0; i < 3; i++) {
    auto const& l = layers[0];
    double const expected = (l.weight(i, 0) * mean[0] + l.weight(i, 1) * mean[1] + l.bias[i]) / 2;
    Estimate const e = found[0][i];
    EXPECT_NEAR(e.value, expected, 4 * e.error) << "x_0 " << i;
  }
}

// The first row of one unit over another in docs/theory/hee.md: posterior mean .5616, and A' = x_0 - d log p / d b_0.
TEST(HeeReconstruction, NonlinearMember) {
  Hee model({.widths = {1, 1}, .f = "tanh"}, key);
  set_parameters(model, {1.5, .3, .4});
  auto const found = over_copies(model, {1.1}, 300, {.duration = 30, .average_over = 20});
  EXPECT_NEAR(found[1][0].value, .5616, 4 * found[1][0].error + 5e-5);
  EXPECT_NEAR(found[0][0].value, 1.1 - .63854873, 4 * found[0][0].error);
}

}  // namespace
}  // namespace partita
