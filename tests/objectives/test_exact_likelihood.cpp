#include <gtest/gtest.h>

#include "data/bars_and_stripes.hpp"
#include "models/host_values.hpp"
#include "models/rbm.hpp"
#include "objectives/exact_likelihood.hpp"
#include "optimizers/adam.hpp"

namespace partita {
namespace {

random::Key const key = random::make_key(5);

Rbm small_rbm(Index visible, Index hidden, double scale) {
  Rbm model({.visible = visible, .hidden = hidden});
  std::vector<double> theta(model.parameters().extent(0));
  for (std::size_t i = 0; i < theta.size(); i++) {
    auto const w = random::words(key, i, random::Stream::test, 0, 0);
    theta[i] = scale * random::normal_pair(w.w[0], w.w[1], double()).a;
  }
  assign(model.parameters(), theta);
  return model;
}

data::Dataset bars() { return data::Dataset({data::bars_and_stripes(3), 0, {}}, {}, key); }

TEST(ExactLikelihood, GradientIsThatOfTheReportedLikelihood) {
  Communicator const ranks = Communicator::world();
  Rbm model = small_rbm(9, 4, 0.5);
  auto const data = bars();
  data::Batches const batches(data, 14, key);
  ExactLikelihood objective(model, batches, ranks, Summation::reproducible, {});
  Timers timers;
  auto const gradient = to_host(objective.gradient(0, timers));
  objective.report(1);
  auto theta = to_host(model.parameters());
  auto const likelihood = [&] {
    assign(model.parameters(), theta);
    objective.gradient(0, timers);
    return objective.report(1)[0];
  };
  // Central differences of a mean of energies: rounding 1e-6 / h in float, h^2 in truth.
  double const h = sizeof(Real) == 8 ? 1e-5 : 1e-2, tolerance = sizeof(Real) == 8 ? 1e-8 : 5e-4;
  for (std::size_t i : {0ul, 7ul, 20ul, 36ul, 40ul, 45ul, 48ul}) {
    double const at = theta[i];
    theta[i] = at + h;
    double const above = likelihood();
    theta[i] = at - h;
    double const below = likelihood();
    theta[i] = at;
    EXPECT_NEAR(-gradient[i], (above - below) / (2 * h), tolerance) << i;
  }
}

// The penalty lambda/2 |W|^2 is of the weights alone.
TEST(ExactLikelihood, WeightDecayAddsToTheGradientOfWeights) {
  Communicator const ranks = Communicator::world();
  Rbm model = small_rbm(9, 4, 0.5);
  auto const data = bars();
  data::Batches const batches(data, 14, key);
  double const lambda = 0.3;
  ExactLikelihood plain(model, batches, ranks, Summation::reproducible, {}),
      decayed(model, batches, ranks, Summation::reproducible, {.weight_decay = lambda});
  Timers timers;
  auto const without = to_host(plain.gradient(0, timers)), with = to_host(decayed.gradient(0, timers)), theta = to_host(model.parameters());
  for (std::size_t k = 0; k < theta.size(); k++)
    EXPECT_NEAR(with[k], without[k] + (k < 9 * 4 ? lambda * theta[k] : 0), sizeof(Real) == 8 ? 1e-14 : 1e-6) << k;
}

TEST(ExactLikelihood, LearnsBarsAndStripes) {
  Communicator const ranks = Communicator::world();
  Rbm model = small_rbm(9, 8, 0.1);
  auto const data = bars();
  data::Batches const batches(data, 14, key);
  ExactLikelihood objective(model, batches, ranks, Summation::reproducible, {});
  Adam adam({}, extent(model.parameters(), 0));
  Timers timers;
  double last = 0;
  for (Index update = 0; update < 6000; update++) {
    adam.update(model.parameters(), objective.gradient(update, timers), 0.02);
    last = objective.report(update + 1)[0];
  }
  // -log 14 = -2.639 is the best possible; 8 hidden units reach -2.70 (docs/theory/boltzmann.md).
  EXPECT_GT(last, -2.72);
  EXPECT_LT(last, -std::log(14.));
}

}  // namespace
}  // namespace partita
