// Samples of an HEE against the exact laws of the reference model R2.
#include <gmock/gmock.h>

#include "../estimators/hee_reference.hpp"
#include "../optimizers/copy_state.hpp"
#include "../samplers/sampling.hpp"
#include "core/copy.hpp"
#include "core/require.hpp"
#include "generators/hee_generator.hpp"

namespace {

using namespace partita;
using sampling::Point;

auto const key = random::make_key(31);
constexpr bool in_double = sizeof(Real) == 8;
constexpr Index count = in_double ? 2048 : 16384;  // normals in double are slow
Point const joint_mean{.18, -.033125, .143625, .1525, -.015, -.05, .25};

// First order with A' in closed form: the gradient dynamics of the joint law, whose discrete laws have closed forms.
HeeLangevinOptions gradient_dynamics(double dt, std::string const& integrator = "euler") {
  return {.step_size = dt, .order = "first", .statistic_mean = "closed_form", .integrator = integrator};
}

// All variables of each sample, one after the other.
std::vector<Point> points(Generator& generator) {
  Tiling const& tiling = generator.tiling();
  std::vector<Point> out(tiling.chains);
  for (auto const& values : generator.samples()) {
    auto const host = values_on_host(values);
    for (Index s = 0; s < tiling.chains; s++)
      for (std::size_t i = 0; i < values.extent(1); i++) out[s].push_back(double(host(s / tiling.width, i, s % tiling.width)));
  }
  return out;
}

std::vector<Point> first_entries(std::vector<Point> all, std::size_t n) {
  for (Point& p : all) p.resize(n);
  return all;
}

Matrix block(Matrix const& m, Index n) {
  Matrix b(n, n);
  for (Index i = 0; i < n; i++)
    for (Index j = 0; j < n; j++) b(i, j) = m(i, j);
  return b;
}

void run_until(Generator& generator, Index step, Index end) {
  while (step < end) {
    Index const next = std::min(end, generator.next_boundary(step));
    generator.advance(step, next - step);
    step = next;
  }
}

struct Generation {
  Hee model = reference_model();
  HeeDynamicsGenerator generator;
  Generation(HeeLangevinOptions const& dynamics, HeeRun const& run, Index samples = count, Index width = 64)
      : generator(model, dynamics, run, {samples, width}, Communicator::world(), key, {InitialState::normal, .7}) {}
  std::vector<Point> finish() {
    run_until(generator, 0, generator.steps());
    return points(generator);
  }
};

TEST(HeeAncestral, HasTheJointLaw) {
  auto const model = reference_model();
  HeeAncestralGenerator generator(model, {count, 128}, Communicator::world(), key);
  EXPECT_EQ(generator.steps(), 0);
  EXPECT_LT(sampling::largest_z(points(generator), joint_mean, inverse(joint_precision(reference_layers()))), 4);
}

// The smallest eigenvalue of the joint precision is 0.57: after 14 tau the start is forgotten to exp(-16) of its covariance.
TEST(HeeJoint, HasTheJointLaw) {
  Generation run(gradient_dynamics(.1, "leimkuhler_matthews"), joint_run({.duration = 14, .output = "last"}));
  Matrix const precision = joint_precision(reference_layers());
  EXPECT_GT(eigenvalues(precision).front(), .57);
  EXPECT_LT(sampling::largest_z(run.finish(), joint_mean, inverse(precision)), 4);
}

// Euler's stationary covariance is P^-1 (I - dt P / 2)^-1.
TEST(HeeJoint, OfEulerStepsHasTheirBias) {
  double const dt = .1;
  Generation run(gradient_dynamics(dt), joint_run({.duration = 14, .output = "last"}));
  Matrix const precision = joint_precision(reference_layers());
  Matrix const biased = inverse(precision + (-dt / 2) * (precision * precision));
  EXPECT_LT(sampling::largest_z(run.finish(), joint_mean, biased), 4);
}

// What image and the mean of its K latent chains do is linear: with P the joint precision, T = diag(tau) and N of covariance I for the
// image and I / K for the mean, z += -dt T^-1 P z + sqrt(2 dt T^-1) N. Covariance of x_0 in the long run.
Matrix marginal_covariance(double dt, double tau_0, Index latent_chains) {
  Matrix const precision = joint_precision(reference_layers());
  Matrix step = identity(7), noise(7, 7), covariance = identity(7);
  for (Index i = 0; i < 7; i++) {
    double const rate = i < 3 ? dt / tau_0 : dt;
    for (Index j = 0; j < 7; j++) step(i, j) -= rate * precision(i, j);
    noise(i, i) = 2 * rate / (i < 3 ? 1 : double(latent_chains));
  }
  for (int n = 0; n < 20 * tau_0 / dt; n++) covariance = step * covariance * transpose(step) + noise;
  return block(covariance, 3);
}
double largest_difference(Matrix const& a, Matrix const& b) {
  double worst = 0;
  for (std::size_t i = 0; i < a.values.size(); i++) worst = std::max(worst, std::abs(a.values[i] - b.values[i]));
  return worst;
}

void expect_marginal(double tau_0, Index latent_chains, double duration) {
  auto dynamics = gradient_dynamics(.1);
  dynamics.tau_0 = tau_0;
  Generation run(dynamics, marginal_run({.duration = duration, .output = "last", .latent_chains = latent_chains}), count / 4);
  Point const mean(joint_mean.begin(), joint_mean.begin() + 3);
  EXPECT_LT(sampling::largest_z(first_entries(run.finish(), 3), mean, marginal_covariance(.1, tau_0, latent_chains)), 4)
      << latent_chains << " latent chains, tau_0 = " << tau_0;
}
TEST(HeeMarginal, HasTheLawOfItsRecursion) {
  expect_marginal(1, 4, 14);
  expect_marginal(1, 16, 14);
  expect_marginal(8, 4, 40);
}

// One latent chain is joint generation. With more the image misses a part of the noise of eta_0 while its mean still lags behind the image,
// an error O(tau_l / tau_0) for any K: latent chains must be fast, not only many.
TEST(HeeMarginal, IsExactWhereTheImageIsSlow) {
  Matrix const exact = block(inverse(joint_precision(reference_layers())), 3);
  EXPECT_LT(largest_difference(marginal_covariance(1e-3, 1, 1), exact), 1e-3);
  double const error = largest_difference(marginal_covariance(1e-2, 1, 16), exact);
  EXPECT_GT(error, .01);
  EXPECT_LT(largest_difference(marginal_covariance(1e-2, 10, 16), exact), .2 * error);
}

TEST(HeeMarginal, ImagesAreTheSameWithinAGroup) {
  for (Index group : {1, 2, 4, 8, 16}) {
    Generation run({}, marginal_run({.duration = .3, .output = "last", .latent_chains = group}), 40, 16);
    auto const samples = run.finish();
    HeeChains const& chains = run.generator.chains();
    auto const x0 = values_on_host(chains.x[0]);
    auto const x1 = values_on_host(chains.x[1]);
    ASSERT_EQ(chains.tiling.chains, 40 * group);
    for (Index c = 0; c < chains.tiling.chains; c++) {
      Index const tile = c / chains.tiling.width, lane = c % chains.tiling.width;
      for (std::size_t i = 0; i < 3; i++) ASSERT_EQ(double(x0(tile, i, lane)), samples[c / group][i]) << "chain " << c;
      if (lane > 0) {
        ASSERT_NE(x1(tile, 0, lane), x1(tile, 0, lane - 1)) << "chain " << c;
      }
    }
  }
}

// The reported mean against the states that the chains pass through, at the end of every tenth step of the last part.
void expect_average(HeeRun const& settings, Index group) {
  Generation run({}, settings, 40, 16);
  Index const first = run.generator.steps() - 50;
  std::vector<Point> sums(40, Point(7));
  for (Index step = 0; step < run.generator.steps();) {
    Index const next = run.generator.next_boundary(step);
    run.generator.advance(step, next - step);
    step = next;
    EXPECT_TRUE(step == first || (step > first && (step - first) % HeeDynamicsGenerator::average_every == 0)) << step;
    if (step == first) continue;
    HeeChains const& chains = run.generator.chains();
    std::size_t entry = 0;
    for (auto const& layer : chains.x) {
      auto const host = values_on_host(layer);
      for (std::size_t i = 0; i < layer.extent(1); i++, entry++)
        for (Index s = 0; s < 40; s++) sums[s][entry] += double(host(s * group / chains.tiling.width, i, s * group % chains.tiling.width));
    }
  }
  auto const averages = points(run.generator);
  for (std::size_t s = 0; s < 40; s++)
    for (std::size_t i = 0; i < 7; i++) EXPECT_NEAR(averages[s][i], sums[s][i] / 5, 1e-6) << "sample " << s << " entry " << i;
}
TEST(HeeGenerator, AveragesOverTheLastPart) {
  expect_average(joint_run({.duration = .8, .average_over = .5}), 1);
  expect_average(marginal_run({.duration = .8, .average_over = .5, .latent_chains = 4}), 4);
  expect_average(joint_run({.duration = .5, .average_over = .5}), 1);
}

TEST(HeePosterior, MeansOfTheReferenceModel) {
  Generation run({}, posterior_run({.duration = 12, .average_over = 9}), 1024);
  for (std::size_t i = 0; i < 3; i++)
    fill_array(Kokkos::subview(run.generator.chains().x[0], Kokkos::ALL, i, Kokkos::ALL), Real(reference_x0[i]));
  auto const samples = run.finish();
  Point const golden{.220112, -.153561, -.003584, .218990};
  for (std::size_t i = 0; i < 4; i++)
    EXPECT_LT(std::abs(sampling::z_score(
                  samples, [&](Point const& p) { return p[3 + i]; }, golden[i])),
              4)
        << "latent unit " << i;
  for (Point const& p : samples)
    for (std::size_t i = 0; i < 3; i++) ASSERT_NEAR(p[i], reference_x0[i], 1e-6);
}

TEST(HeeGenerator, StateHalfWayContinuesWithTheSameBits) {
  for (HeeRun const& settings :
       {joint_run({.duration = 1, .average_over = .6}), marginal_run({.duration = 1, .average_over = .6, .latent_chains = 4}),
        joint_run({.duration = 1, .output = "last"})})
    for (Index half : {30, 70}) {  // before and amid the averages
      Generation whole({}, settings, 40, 16), second({}, settings, 40, 16);
      run_until(whole.generator, 0, half);
      test::copy_state(whole.generator, second.generator);
      run_until(whole.generator, half, whole.generator.steps());
      run_until(second.generator, half, second.generator.steps());
      EXPECT_EQ(points(whole.generator), points(second.generator));
    }
}

TEST(HeeGenerator, NamesItsVariables) {
  Generation run({}, joint_run({}));
  auto const variables = run.generator.variables();
  ASSERT_EQ(variables.size(), 3u);
  EXPECT_EQ(variables[0].name, "x");
  EXPECT_EQ(variables[0].size, 3);
  EXPECT_EQ(variables[2].name, "layer2");
  EXPECT_EQ(variables[2].size, 2);
  EXPECT_EQ(run.generator.steps(), 30000);
  EXPECT_EQ(run.generator.next_boundary(0), 20000);
  EXPECT_EQ(run.generator.chain_steps_per_step(), count);
}

TEST(HeeGenerator, RefusesWhatCannotBe) {
  auto const refusal = [](HeeRun const& settings) -> std::string {
    try {
      Generation const run({}, settings, 40, 16);
    } catch (Failure const& f) {
      EXPECT_EQ(f.code(), ExitCode::usage);
      return f.what();
    }
    return "accepted";
  };
  EXPECT_THAT(refusal(marginal_run({.latent_chains = 3})), testing::HasSubstr("generator.latent_chains = 3"));
  EXPECT_THAT(refusal(joint_run({.duration = 10, .average_over = 11})), testing::HasSubstr("generator.average_over = 11"));
  EXPECT_THAT(refusal(joint_run({.duration = 10, .average_over = .05})), testing::HasSubstr("generator.average_over = 0.05"));
  EXPECT_EQ(refusal(joint_run({.duration = 10, .average_over = 11, .output = "last"})), "accepted");
}

}  // namespace
