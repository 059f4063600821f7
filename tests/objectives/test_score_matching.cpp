#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "../refusal.hpp"
#include "core/copy.hpp"
#include "core/dense.hpp"
#include "core/require.hpp"
#include "models/mlp_energy.hpp"
#include "models/mlp_score.hpp"
#include "objectives/denoising_score_matching.hpp"

namespace partita {
namespace {

using Values = std::vector<double>;
constexpr bool in_double = std::is_same_v<Real, double>;
constexpr Index dimension = 2;
random::Key const key{21, 22};

double normal(std::uint64_t which, Index k) {
  auto const w = random::words(key, std::uint64_t(k), random::Stream::test, which, 0);
  return random::normal_pair(w.w[0], w.w[1], double()).a;
}
Values host(ConstVector v) {
  auto const h = values_on_host(v);
  return {h.data(), h.data() + h.size()};
}

// N(0, S) with S = [1.2 0.4; 0.4 0.6].
Matrix covariance() {
  Matrix s(2, 2);
  s.values = {1.2, 0.4, 0.4, 0.6};
  return s;
}
data::Dataset gaussian_data(Index points) {
  Matrix const l = cholesky(covariance());
  std::vector<float> values;
  for (Index k = 0; k < points; k++) {
    double const a = normal(1, 2 * k), b = normal(1, 2 * k + 1);
    values.insert(values.end(), {float(l(0, 0) * a), float(l(1, 0) * a + l(1, 1) * b)});
  }
  return {{{"test", points, {dimension}, values}, 0, {}}, {}, key};
}

// body(tile, lane) of all lanes of x.
template <class Body>
void for_lanes(ConstTiles const& x, Body const& body) {
  Index const lanes = extent(x, 2);
  Kokkos::parallel_for(
      "test::lanes", Kokkos::RangePolicy<Execution, Kokkos::IndexType<Index>>(0, extent(x, 0) * lanes),
      KOKKOS_LAMBDA(Index n) { body(n / lanes, n % lanes); });
}

// E(x) = x' H x / 2 with the four entries of H as parameters.
class QuadraticEnergy : public TrainableModel {
 public:
  explicit QuadraticEnergy(int order = 2) : order_(order) { set(identity(2)); }
  void set(Matrix const& h) {
    auto const to = Kokkos::create_mirror_view(h_);
    for (std::size_t k = 0; k < 4; k++) to(k) = Real(h.values[k]);
    copy_array(h_, to);
  }
  Index dimension() const override { return 2; }
  Vector parameters() const override { return h_; }
  std::vector<ParameterBlock> parameter_blocks() const override { return {{"H", {2, 2}, 0}}; }
  int highest_jet_order() const override { return order_; }
  void energy_and_gradient(ConstTiles x, TileScalars energy, Tiles gradient) const override {
    ConstVector const h = h_;
    for_lanes(
        x, KOKKOS_LAMBDA(Index t, Index l) {
          for (Index i = 0; i < 2; i++) {
            gradient(t, i, l) = 0;
            for (Index j = 0; j < 2; j++) gradient(t, i, l) += symmetric(h, i, j) * x(t, j, l);
          }
          energy(t, l) = Real(0.5) * (x(t, 0, l) * gradient(t, 0, l) + x(t, 1, l) * gradient(t, 1, l));
        });
  }
  void jet_forward(ConstTiles x, ConstTiles v, int, TileScalars e0, TileScalars e1, TileScalars e2) override {
    v_ = v;
    set_form(e0, x, x, 0.5), set_form(e1, v, x, 1), set_form(e2, v, v, 1);
  }
  void jet_reverse(ConstTiles x, ConstTileScalars, ConstTileScalars c1, ConstTileScalars c2, Vector sum) override {
    auto const v = v_;
    Index const tiles = extent(x, 0), lanes = extent(x, 2);
    Kokkos::parallel_for(
        "test::reverse", Kokkos::RangePolicy<Execution, Kokkos::IndexType<Index>>(0, 4), KOKKOS_LAMBDA(Index k) {
          Index const i = k / 2, j = k % 2;
          for (Index t = 0; t < tiles; t++)
            for (Index l = 0; l < lanes; l++) {
              if (c1.data() != nullptr) sum(k) += c1(t, l) * Real(0.5) * (v(t, i, l) * x(t, j, l) + v(t, j, l) * x(t, i, l));
              if (c2.data() != nullptr) sum(k) += c2(t, l) * v(t, i, l) * v(t, j, l);
            }
        });
  }
  // to = factor a' H b, where it is asked for.
  void set_form(TileScalars to, ConstTiles a, ConstTiles b, Real factor) const {
    if (to.data() == nullptr) return;
    ConstVector const h = h_;
    for_lanes(
        a, KOKKOS_LAMBDA(Index t, Index l) {
          to(t, l) = 0;
          for (Index i = 0; i < 2; i++)
            for (Index j = 0; j < 2; j++) to(t, l) += factor * symmetric(h, i, j) * a(t, i, l) * b(t, j, l);
        });
  }

 private:
  KOKKOS_FORCEINLINE_FUNCTION static Real symmetric(ConstVector const& h, Index i, Index j) {
    return Real(0.5) * (h(2 * i + j) + h(2 * j + i));
  }
  Vector h_{"H", 4};
  ConstTiles v_;
  int order_;
};

// An objective with what it needs.
template <class Class, class Network, class... Options>
struct Learning {
  data::Dataset set;
  data::Batches batches;
  Network& model;
  Class objective;
  Timers timers;

  Learning(Network& m, Index points, Index batch, Options... options, double data_noise = 0)
      : set(gaussian_data(points)),
        batches(set, batch, key),
        model(m),
        objective(m, batches, Communicator::world(), Summation::reproducible, key, {.tile_width = 16, .data_noise = data_noise},
                  options...) {}
  Values gradient(Index update = 3) { return host(objective.gradient(update, timers)); }
  double loss(Index update = 3) {
    gradient(update);
    return objective.report(update).front();
  }
};
template <class Network>
using Exact = Learning<ExactScoreMatching, Network>;
template <class Network>
using Sliced = Learning<SlicedScoreMatching, Network, SlicedOptions>;
template <class Network>
using Denoising = Learning<DenoisingScoreMatching, Network, DenoisingOptions>;

// The sliced rule along given directions.
class AlongBasis : public ScoreMatching {
 public:
  AlongBasis(TrainableScore& m, data::Batches const& b, Communicator c, Summation s, random::Key k, ScoreMatchingOptions o)
      : ScoreMatching(m, b, c, s, k, o, {2, false}, 2) {}

 private:
  void add(Points const& p, Vector sum) override {
    for (Index i = 0; i < dimension; i++) {
      TileStorage const v("basis", 1, dimension, tiling_.pitch());
      fill_array(Kokkos::subview(v, 0, i, Kokkos::ALL), Real(1));
      add_sliced(p, lanes_of(v, p), 1, sum);
    }
  }
};

MlpOptions network(Index outputs, Index noise_levels = 0) {
  return {.layers = {dimension, 12, 9, outputs},
          .activation = "silu",
          .quadratic = 0.3,
          .noise_levels = noise_levels,
          .noise_highest = 2,
          .noise_lowest = 0.3};
}
template <class Network>
Network made(MlpOptions const& o) {
  Network m(o);
  m.initialise([](Index i) { return normal(2, i); });
  return m;
}

// Fourth-order central differences, see tests/models/test_mlp_energy.cpp for their error.
double difference(std::function<double(double)> const& f) {
  double const h = in_double ? 2e-3 : 6e-2;
  auto const central = [&](double s) { return (f(s) - f(-s)) / (2 * s); };
  return (4 * central(h) - central(2 * h)) / 3;
}

template <class L>
void expect_difference_of_loss(L&& learning, Index update = 3) {
  Values const gradient = learning.gradient(update);
  double largest = 1;
  for (double g : gradient) largest = std::max(largest, std::abs(g));
  Vector const theta = learning.model.parameters();
  learning.objective.report(0);
  for (std::size_t k = 0; k < gradient.size(); k += in_double ? 1 : 7) {
    auto const entry = Kokkos::subview(theta, k);
    auto const kept = host(theta)[k];
    double const want = difference([&](double s) {
      fill_array(entry, Real(kept + s));
      return learning.loss(update);
    });
    fill_array(entry, Real(kept));
    ASSERT_NEAR(gradient[k], want, (in_double ? 1e-7 : 1e-2) * largest) << "parameter " << k;
  }
}

template <class Network>
struct ScoreMatchingGradient : testing::Test {
  static constexpr Index outputs = std::is_same_v<Network, MlpEnergy> ? 1 : dimension;
  Network model = made<Network>(network(outputs)), conditioned = made<Network>(network(outputs, 4));
};
using Networks = testing::Types<MlpEnergy, MlpScore>;
TYPED_TEST_SUITE(ScoreMatchingGradient, Networks);

constexpr Index batch = 25;  // of two tiles, the last with nine real lanes

TYPED_TEST(ScoreMatchingGradient, ExactIsTheDifferenceOfItsLoss) { expect_difference_of_loss(Exact<TypeParam>(this->model, 60, batch)); }
TYPED_TEST(ScoreMatchingGradient, SlicedIsTheDifferenceOfItsLoss) {
  for (char const* directions : {"gaussian", "rademacher", "sphere"})
    for (bool reduced : {false, true})
      expect_difference_of_loss(
          Sliced<TypeParam>(this->model, 60, batch, {.directions = directions, .projections = 2, .variance_reduced = reduced}));
}
TYPED_TEST(ScoreMatchingGradient, DenoisingIsTheDifferenceOfItsLoss) {
  expect_difference_of_loss(Denoising<TypeParam>(this->model, 60, batch, {.sigma = {0.4}}));
  for (Index update : {0, 3}) expect_difference_of_loss(Denoising<TypeParam>(this->model, 60, batch, {.sigma = {1.5, 0.2}}), update);
  expect_difference_of_loss(Denoising<TypeParam>(this->conditioned, 60, batch, {}));
}

TYPED_TEST(ScoreMatchingGradient, WithNoiseOnTheDataIsTheDifferenceOfItsLoss) {
  expect_difference_of_loss(Exact<TypeParam>(this->model, 60, batch, 0.3));
  expect_difference_of_loss(Sliced<TypeParam>(this->model, 60, batch, {}, 0.3));
}

// A network that keeps what an objective asked of it last: the points, their noise and g = -s there.
template <class Network>
struct Watched : Network {
  using Network::Network;
  TileStorage x, g;
  mutable TileScalarStorage sigma;
  using Network::set_noise;
  void set_noise(ConstTileScalars s) const override {
    Network::set_noise(s);
    sigma = TileScalarStorage("sigma", s.extent(0), s.extent(1));
    copy_array(sigma, s);
  }
  void gradient_forward(ConstTiles at, Tiles gradient) override {
    Network::gradient_forward(at, gradient);
    x = TileStorage("x", at.extent(0), at.extent(1), at.extent(2)), g = TileStorage("g", at.extent(0), at.extent(1), at.extent(2));
    copy_array(x, at), copy_array(g, gradient);
  }
};

Values all_of(TileStorage const& v) {
  auto const h = values_on_host(v);
  return {h.data(), h.data() + h.size()};
}

// What is learnt is what samplers and later runs have: a new network with the same parameters gives the scores that the updates worked
// with, in training at the noise of the data where it is conditioned on that, and after an update as from the start.
template <class Network>
void expect_function_of_a_new_network(Index noise_levels, std::vector<double> const& sigma) {
  MlpOptions const options = network(ScoreMatchingGradient<Network>::outputs, noise_levels);
  auto learning_model = made<Watched<Network>>(options);
  auto const fresh = made<Network>(options);
  Denoising<Watched<Network>> learning(learning_model, 50, batch, {.sigma = sigma});
  for (Index update : {0, 1, 2, 3}) {
    learning.gradient(update);
    TileStorage const& x = learning_model.x;
    TileStorage const got("got", x.extent(0), x.extent(1), x.extent(2)), want("want", x.extent(0), x.extent(1), x.extent(2));
    learning_model.gradient(x, got);
    fresh.gradient(x, want);
    EXPECT_EQ(all_of(got), all_of(want)) << "after update " << update;
    if (noise_levels > 0) fresh.set_noise(ConstTileScalars(learning_model.sigma));
    fresh.gradient(x, want);
    if (noise_levels > 0) fresh.set_noise(fresh.noise_levels().back());
    Values const a = all_of(learning_model.g), b = all_of(want);
    for (std::size_t k = 0; k < a.size(); k++)
      ASSERT_NEAR(a[k], b[k], 50 * std::numeric_limits<Real>::epsilon() * (1 + std::abs(b[k]))) << "in update " << update;
  }
}
TYPED_TEST(ScoreMatchingGradient, IsOfTheFunctionThatANewNetworkHas) {
  expect_function_of_a_new_network<TypeParam>(0, {0.4});
  expect_function_of_a_new_network<TypeParam>(0, {1.5, 0.2});
  expect_function_of_a_new_network<TypeParam>(4, {});
}

TYPED_TEST(ScoreMatchingGradient, SlicedAlongTheBasisIsExact) {
  Exact<TypeParam> exact(this->model, 60, batch);
  Learning<AlongBasis, TypeParam> sliced(this->model, 60, batch);
  EXPECT_EQ(exact.gradient(), sliced.gradient());
  // Rademacher directions with four projections: the same mean as the basis where both signs of v_0 v_1 come equally often.
  Sliced<TypeParam> random(this->model, 60, batch, {.directions = "rademacher", .projections = 400, .variance_reduced = true});
  double const want = exact.loss(), got = random.loss();
  EXPECT_NEAR(got, want, 0.05 * std::max(1., std::abs(want)));  // 4 standard errors of 25 x 400 terms of order one
}

TEST(ScoreMatching, LanesPastTheBatchWeighNothing) {
  // 25 items in tiles of 16, or in one of 32 with seven idle lanes: the same up to the order of summation.
  MlpEnergy model = made<MlpEnergy>(network(1));
  Exact<MlpEnergy> narrow(model, 60, batch);
  data::Batches const batches(narrow.set, batch, key);
  ExactScoreMatching wide(model, batches, Communicator::world(), Summation::fast, key, {.tile_width = 32});
  Timers timers;
  Values const a = narrow.gradient(), b = host(wide.gradient(3, timers));
  for (std::size_t k = 0; k < a.size(); k++)
    EXPECT_NEAR(a[k], b[k], 200 * std::numeric_limits<Real>::epsilon() * std::max(1., std::abs(a[k])));
  EXPECT_NEAR(narrow.objective.report(3)[0], wide.report(3)[0], 1e-5);
}

// ---- Gaussian data, quadratic energy: exact J = 1/2 tr(H S H) - tr H, minimum at H = S^-1 with value -1/2 tr S^-1 ----

constexpr Index points = 4000;

Matrix second_moments(data::Dataset const& set) {
  Matrix s(2, 2);
  Values x(2);
  for (Index k = 0; k < points; k++) {
    set.values(set.item(data::Split::train, k), x.data());
    for (Index i = 0; i < 2; i++)
      for (Index j = 0; j < 2; j++) s(i, j) += x[i] * x[j] / points;
  }
  return s;
}

TEST(ScoreMatchingOfGaussians, ExactIsLeastAtTheInverseOfTheSecondMoments) {
  QuadraticEnergy model;
  Exact<QuadraticEnergy> learning(model, points, points);
  Matrix const h = inverse(second_moments(learning.set));
  model.set(h);
  for (double g : learning.gradient()) EXPECT_NEAR(g, 0, in_double ? 1e-12 : 1e-4);
  EXPECT_NEAR(learning.objective.report(0)[0], -0.5 * (h(0, 0) + h(1, 1)), in_double ? 1e-11 : 1e-4);
}

// Full batches, with new noise or directions in each; the mean of H over the last half of the way.
template <class L>
Matrix learnt(L&& learning, Index updates) {
  Matrix mean(2, 2), h = identity(2);
  for (Index u = 0; u < updates; u++) {
    learning.model.set(h);
    Values const g = learning.gradient(u);
    for (std::size_t k = 0; k < 4; k++) {
      h.values[k] -= 0.5 * g[k];  // stable below 2 / largest eigenvalue of S
      if (2 * u >= updates) mean.values[k] += h.values[k] / double(updates - updates / 2);
    }
  }
  return mean;
}
// Standard errors of (second moments)^-1 of n points: sqrt((H_ii H_jj + H_ij^2) / n), here with a share of other noise: new directions or
// new z in every update average out over the way, to `extra` of the variance.
void expect_inverse(Matrix const& got, Matrix const& moments, double extra) {
  Matrix const want = inverse(moments);
  for (Index i = 0; i < 2; i++)
    for (Index j = 0; j < 2; j++) {
      double const error = std::sqrt((1 + extra) * (want(i, i) * want(j, j) + want(i, j) * want(i, j)) / points);
      EXPECT_NEAR(got(i, j), want(i, j), 4 * error) << i << ", " << j;
    }
}

TEST(ScoreMatchingOfGaussians, ExactRecoversTheInverseCovariance) {
  QuadraticEnergy model;
  expect_inverse(learnt(Exact<QuadraticEnergy>(model, points, points), 100), covariance(), 0);
}
TEST(ScoreMatchingOfGaussians, SlicedRecoversTheInverseCovariance) {
  QuadraticEnergy model;
  for (char const* directions : {"gaussian", "rademacher", "sphere"})
    for (bool reduced : {false, true})
      expect_inverse(learnt(Sliced<QuadraticEnergy>(model, points, points, {.directions = directions, .variance_reduced = reduced}), 100),
                     covariance(), 0.2);
}
TEST(ScoreMatchingOfGaussians, DenoisingRecoversTheInverseOfTheNoisyCovariance) {
  QuadraticEnergy model;
  for (double sigma : {0.5, 1.}) {
    Matrix const noisy = covariance() + sigma * sigma * identity(2);
    Denoising<QuadraticEnergy> learning(model, points, points, {.sigma = {sigma}});
    expect_inverse(learnt(learning, 400), noisy, 0.2);
    model.set(inverse(noisy));
    learning.objective.report(0);
    // E |z/sigma - H x~|^2 = tr(1/sigma^2 - H), and twice that over n is more than the variance of the mean.
    double const least = 0.5 * sigma * sigma * (2 / (sigma * sigma) - inverse(noisy)(0, 0) - inverse(noisy)(1, 1));
    EXPECT_NEAR(learning.loss(1000), least, 4 * least * std::sqrt(2. / points));
  }
}

// Denoising on Gaussian data x ~ N(0, S) with s(y) = -H y, y = x + sigma z ~ N(0, D), D = S + sigma^2 I, and H symmetric. With
// r = sigma H y - z an item's loss is J = |r|^2 / 2 and its derivative by H_ij, of the symmetric part of H, sigma (r_i y_j + r_j y_i) / 2.
// r and y are Gaussian with
//     C = Cov r = sigma^2 H D H - 2 sigma^2 H + I,    K = E[r y'] = sigma (H D - I),
// since E[z y'] = sigma I. Moments of Gaussians (Isserlis) give
//     E J = tr C / 2,     Var J = tr C^2 / 2,     E dJ/dH_ij = sigma (K_ij + K_ji) / 2,
//     Var dJ/dH_ij = sigma^2 / 4 [ C_ii D_jj + C_jj D_ii + 2 C_ij D_ij + K_ij^2 + K_ji^2 + 2 K_ii K_jj ].
// At the best H = D^-1: K = 0 and C = I - sigma^2 D^-1. The gradient vanishes as sigma where sigma does: the weight lambda = sigma^2 has
// taken the 1/sigma^2 of the plain criterion's variance away.
struct OfAnItem {
  double mean, variance;
};
struct DenoisingMoments {
  Matrix c{2, 2}, d{2, 2}, k{2, 2};
  double sigma;
  DenoisingMoments(Matrix const& h, double s) : sigma(s) {
    d = covariance() + s * s * identity(2);
    Matrix const hd = h * d;
    c = s * s * (hd * h) + -2 * s * s * h + identity(2);
    k = s * (hd + -1. * identity(2));
  }
  OfAnItem loss() const {
    double squares = 0;
    for (double v : c.values) squares += v * v;
    return {0.5 * (c(0, 0) + c(1, 1)), 0.5 * squares};
  }
  OfAnItem gradient(Index i, Index j) const {
    double const products =
        c(i, i) * d(j, j) + c(j, j) * d(i, i) + 2 * c(i, j) * d(i, j) + k(i, j) * k(i, j) + k(j, i) * k(j, i) + 2 * k(i, i) * k(j, j);
    return {0.5 * sigma * (k(i, j) + k(j, i)), 0.25 * sigma * sigma * products};
  }
};

TEST(ScoreMatchingOfGaussians, DenoisingHasTheMomentsOfClosedForm) {
  constexpr Index items = 32000, each = 16, updates = items / each;  // one epoch: every item once
  for (double sigma : {0.05, 0.5, 2.})
    for (bool best : {true, false}) {
      QuadraticEnergy model;
      Matrix const h = best ? inverse(covariance() + sigma * sigma * identity(2)) : covariance();
      model.set(h);
      Denoising<QuadraticEnergy> learning(model, items, each, {.sigma = {sigma}});
      std::vector<Values> seen;  // by update: the loss, then the gradient
      for (Index u = 0; u < updates; u++) {
        seen.push_back(learning.gradient(u));
        seen.back().insert(seen.back().begin(), learning.objective.report(u).front());
      }
      DenoisingMoments const expected(h, sigma);
      for (std::size_t q = 0; q < 5; q++) {
        OfAnItem const want = q == 0 ? expected.loss() : expected.gradient(Index(q - 1) / 2, Index(q - 1) % 2);
        double mean = 0, variance = 0;
        for (Values const& v : seen) mean += v[q] / updates;
        for (Values const& v : seen) variance += (v[q] - mean) * (v[q] - mean) * each / updates;
        EXPECT_NEAR(mean, want.mean, 4 * std::sqrt(want.variance / items)) << "quantity " << q << ", sigma " << sigma << ", best " << best;
        // Of a mean of 16 quadratic forms, whose excess kurtosis is at most 12: Var of the sample variance is (2 + 12/16) / updates of its
        // square.
        EXPECT_NEAR(variance, want.variance, 4 * want.variance * std::sqrt(2.75 / updates))
            << "quantity " << q << ", sigma " << sigma << ", best " << best;
      }
    }
}

// ---- Rules ----

TEST(DenoisingScoreMatching, TakesOneSigmaAnEpochAndKeepsTheLast) {
  MlpEnergy model = made<MlpEnergy>(network(1));
  Denoising<MlpEnergy> falling(model, 50, batch, {.sigma = {0.8, 0.5, 0.2}});  // an epoch is two updates
  Index update = 0;
  for (double sigma : {0.8, 0.8, 0.5, 0.5, 0.2, 0.2, 0.2}) {
    Denoising<MlpEnergy> one(model, 50, batch, {.sigma = {sigma}});
    EXPECT_EQ(falling.gradient(update), one.gradient(update)) << update;
    update++;
  }
}

TEST(DenoisingScoreMatching, ReportsEachLevelOfTheLadder) {
  MlpScore model = made<MlpScore>(network(dimension, 4));
  Denoising<MlpScore> learning(model, 100, 100, {});
  for (Index u = 0; u < 10; u++) learning.gradient(u);
  auto const series = learning.objective.series();
  auto const values = learning.objective.report(10);
  ASSERT_EQ(series.size(), 5u);
  ASSERT_EQ(values.size(), 5u);
  EXPECT_THAT(series[1].definition, testing::HasSubstr("sigma = 2"));
  EXPECT_THAT(series[4].definition, testing::HasSubstr("sigma = 0.3"));
  double mean = 0;
  for (std::size_t k = 1; k < 5; k++) mean += values[k] / 4;
  EXPECT_NEAR(mean, values[0], 0.1 * values[0]);  // levels are drawn 250 times each, give or take 14
}

TEST(ScoreMatching, RefusesWhatCannotBeLearnt) {
  QuadraticEnergy flat(1);  // as an energy of rectifiers, whose second derivatives are zero
  MlpEnergy plain = made<MlpEnergy>(network(1)), conditioned = made<MlpEnergy>(network(1, 4));
  EXPECT_THAT(refusal([&] { Exact<QuadraticEnergy>(flat, 40, 20); }), testing::HasSubstr("derivatives of order 2"));
  EXPECT_THAT(refusal([&] { Sliced<QuadraticEnergy>(flat, 40, 20, {}); }), testing::HasSubstr("smooth activations"));
  EXPECT_THAT(refusal([&] { Exact<MlpEnergy>(conditioned, 40, 20); }), testing::HasSubstr("denoising_score_matching"));
  EXPECT_THAT(refusal([&] { Denoising<MlpEnergy>(plain, 40, 20, {}); }), testing::HasSubstr("objective.sigma is missing"));
  EXPECT_THAT(refusal([&] { Denoising<MlpEnergy>(plain, 40, 20, {.sigma = {0.1, 0.2}}); }), testing::HasSubstr("decreasing order"));
  EXPECT_THAT(refusal([&] { Denoising<MlpEnergy>(conditioned, 40, 20, {.sigma = {0.1}}); }), testing::HasSubstr("remove one of the two"));
}

}  // namespace
}  // namespace partita
