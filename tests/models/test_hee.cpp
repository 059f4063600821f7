// The hierarchical exponential-family model: closed forms of its Gaussian members, quadrature for the others (docs/theory/hee.md),
// ancestral samples within four standard errors.
#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numbers>

#include "core/copy.hpp"
#include "core/require.hpp"
#include "models/hee_joint.hpp"

namespace {

using namespace partita;

constexpr bool in_double = sizeof(Real) == 8;
auto const key = random::make_key(11);

std::size_t at(Index i) { return std::size_t(i); }

std::vector<double> on_host(Vector const& v) {
  auto const host = values_on_host(v);
  return {host.data(), host.data() + host.extent(0)};
}

// Writes parameter blocks by name.
void set(Hee& model, std::map<std::string, std::vector<double>> const& values) {
  Vector const theta = model.parameters();
  auto const host = values_on_host(theta);
  std::size_t found = 0;
  for (auto const& block : model.parameter_blocks())
    if (auto const given = values.find(block.name); given != values.end()) {
      found++;
      for (std::size_t i = 0; i < given->second.size(); i++) host(at(block.offset) + i) = Real(given->second[i]);
    }
  ASSERT_EQ(found, values.size());
  copy_array(theta, host);
  model.parameters_changed();
}

// Reference model R2 of docs/theory/hee.md.
Hee reference_model(std::string const& g = "quadratic") {
  Hee model({.widths = {3, 2, 2}, .g = g}, key);
  set(model, {{"layer0/weight", {1, -.5, .3, .8, -.7, .4}},
              {"layer1/weight", {.9, .2, -.4, .6}},
              {"layer0/bias", {.2, -.1, .4}},
              {"layer1/bias", {.3, -.2}},
              {"layer2/bias", {-.1, .5}}});
  return model;
}

Hee lateral_model() {
  Hee model = reference_model("lateral");
  set(model, {{"layer0/lateral", {1.1, .3, -.2, .1, .9, 0, -.4, .2, 1.3}},
              {"layer1/lateral", {.8, -.5, .2, 1.2}},
              {"layer2/lateral", {1, .6, 0, .7}}});
  return model;
}

std::vector<TileStorage> make_layers(Hee const& model, Tiling const& tiling, Index tiles) {
  std::vector<TileStorage> x;
  for (Index l = 0; l <= model.layers(); l++) x.emplace_back("x", at(tiles), at(model.width(l)), at(tiling.pitch()));
  return x;
}

// (x_0, .., x_L) of every chain.
std::vector<std::vector<double>> states(Tiling const& tiling, TileRange mine, std::vector<TileStorage> const& x) {
  std::vector<std::vector<double>> out;
  std::vector<TileStorage::HostMirror> host;
  for (auto const& layer : x) host.push_back(values_on_host(layer));
  for (Index t = 0; t < mine.count; t++)
    for (Index k = 0; k < tiling.chains_in(mine.first + t); k++) {
      out.emplace_back();
      for (auto const& layer : host)
        for (std::size_t i = 0; i < layer.extent(1); i++) out.back().push_back(layer(at(t), i, at(k)));
    }
  return out;
}

std::vector<std::vector<double>> ancestral(Hee const& model, Tiling const& tiling, TileRange mine, Index step = 0) {
  auto const x = make_layers(model, tiling, mine.count);
  sample_ancestral(model, key, tiling, mine, x, step);
  return states(tiling, mine, x);
}

// The Gaussian p(x_0:L): M = I + D with blocks -Q_l^-1 W_l / 2 in D, precision 2 M' diag(Q) M, mean M^-1 diag(Q)^-1 b / 2.
GaussianMoments joint_law(Hee const& model) {
  auto const layers = model.host_layers();
  Index const n = model.width(0) + model.units();
  Matrix m = identity(n), q(n, n);
  GaussianMoments law{std::vector<double>(at(n)), {}};
  Index first = n;
  for (Index l = model.layers(); l >= 0; l--) {
    auto const& [weight, bias, coupling] = layers[at(l)];
    Index const width = model.width(l), above = first;
    first -= width;
    Matrix eta(width, 1);
    eta.values = bias;
    Matrix const w = l < model.layers() ? inverse(coupling) * weight : Matrix(width, 0);
    for (Index i = 0; i < width; i++) {
      for (Index j = 0; j < width; j++) q(first + i, first + j) = coupling(i, j);
      for (Index j = 0; j < w.columns; j++) {
        m(first + i, above + j) = -w(i, j) / 2;
        eta(i, 0) += weight(i, j) * law.mean[at(above + j)];
      }
    }
    Matrix const mean = inverse(coupling) * eta;
    for (Index i = 0; i < width; i++) law.mean[at(first + i)] = mean(i, 0) / 2;
  }
  law.precision = 2 * (transpose(m) * q * m);
  return law;
}

double log_density(GaussianMoments const& law, std::vector<double> const& x) {
  double square = 0;
  for (Index i = 0; i < law.precision.rows; i++)
    for (Index j = 0; j < law.precision.rows; j++)
      square += (x[at(i)] - law.mean[at(i)]) * law.precision(i, j) * (x[at(j)] - law.mean[at(j)]);
  return (log_determinant(law.precision) - double(law.precision.rows) * std::log(2 * std::numbers::pi) - square) / 2;
}

// Largest error of mean and covariance, in standard errors.
double largest_z(std::vector<std::vector<double>> const& x, GaussianMoments const& law) {
  Matrix const covariance = inverse(law.precision);
  Index const d = covariance.rows;
  auto const n = double(x.size());
  double z = 0;
  for (Index i = 0; i < d; i++)
    for (Index j = 0; j <= i; j++) {
      double sum = 0, product = 0;
      for (auto const& p : x) sum += p[at(i)] - law.mean[at(i)], product += (p[at(i)] - law.mean[at(i)]) * (p[at(j)] - law.mean[at(j)]);
      double const ii = covariance(i, i), ij = covariance(i, j), jj = covariance(j, j);
      z = std::max({z, std::abs(sum / n) / std::sqrt(ii / n), std::abs(product / n - ij) / std::sqrt((ii * jj + ij * ij) / n)});
    }
  return z;
}

struct Pair {
  Statistic phi;
  BaseMeasure g;
};
constexpr Pair unit_laws[] = {{Statistic::identity, BaseMeasure::quadratic},
                              {Statistic::identity, BaseMeasure::quartic},
                              {Statistic::tanh, BaseMeasure::quadratic},
                              {Statistic::tanh, BaseMeasure::quartic}};

// exp(h - top) on a grid of step 2e-3 over |x - mode| <= 8, where h is the exponent of a unit and top its largest value there.
struct Quadrature {
  static constexpr int points = 8001;
  static constexpr double step = 2e-3;
  double first, top = -1e300;
  std::vector<double> x, weight;
  Quadrature(Pair law, double eta) {
    UnitExponent<double> const h{law.phi, law.g, std::abs(eta)};
    first = std::copysign(h.mode(), eta) - 8;
    for (int i = 0; i < points; i++) {
      x.push_back(first + i * step);
      weight.push_back(UnitExponent<double>{law.phi, law.g, eta}.value(x.back()));
      top = std::max(top, weight.back());
    }
    for (double& w : weight) w = std::exp(w - top);
  }
  template <class F>
  double integral(F const& f) const {
    double sum = 0;
    for (std::size_t i = 0; i < x.size(); i++) sum += step * weight[i] * f(x[i]);
    return sum;
  }
  template <class F>
  double mean(F const& f) const {
    return integral(f) / integral([](double) { return 1.; });
  }
};

TEST(HeeFunctions, LogPartitionIsTheIntegral) {
  for (auto const law : unit_laws)
    for (double const eta : {0., 0x1p-10, .5, 1., 2.5, 5., 9., 20., 75., 300., 1000.})
      for (double const sign : {1., -1.}) {
        Quadrature const exact(law, sign * eta);
        double const value = exact.top + std::log(exact.integral([](double) { return 1.; }));
        double const slope = exact.mean([&](double x) { return law.phi == Statistic::tanh ? std::tanh(x) : x; });
        auto const expect = [&](auto const& a, double tolerance) {
          EXPECT_NEAR(a.value, value, tolerance * std::max(1., std::abs(value))) << "eta " << sign * eta;
          EXPECT_NEAR(a.slope, slope, tolerance * std::max(1., std::abs(slope))) << "eta " << sign * eta;
        };
        expect(log_partition(law.phi, law.g, sign * eta), 1e-11);
        expect(log_partition(law.phi, law.g, float(sign * eta)), 1e-6);
      }
  EXPECT_NEAR(log_partition(Statistic::identity, BaseMeasure::quartic, 0.).value, std::log(2 * std::tgamma(1.25)), 1e-12);
}

// Five points, h = 1e-2: h^4 / 30 times the fifth derivative, below 1e-8 here, and rounding 1e-12 / h.
TEST(HeeFunctions, MeanStatisticIsTheDerivativeOfTheLogPartition) {
  double const h = 1e-2;
  for (auto const [phi, g] : unit_laws)
    for (double const eta : {-30., -3.3, -.2, 0., .7, 2.2, 6., 40.}) {
      auto const value = [phi = phi, g = g](double e) { return log_partition(phi, g, e).value; };
      double const difference = (8 * (value(eta + h) - value(eta - h)) - value(eta + 2 * h) + value(eta - 2 * h)) / (12 * h);
      EXPECT_NEAR(log_partition(phi, g, eta).slope, difference, 1e-8) << "eta " << eta;
    }
}

// Kolmogorov's distance, below 2.3 / sqrt(n) but once in 20,000 cases, and the first two moments within four standard errors.
TEST(HeeFunctions, DrawsOfAUnitFollowItsLaw) {
  constexpr int n = 1 << 15;
  std::uint64_t unit = 0;
  for (auto const law : unit_laws)
    for (double const eta : {-7., -1., 0., .4, 3., 12., 50.}) {
      std::vector<double> draws;
      for (int i = 0; i < n; i++, unit++)
        draws.push_back(sample_conditional(law.phi, law.g, Real(eta),
                                           [&](Index k) { return random::words(key, unit, random::Stream::test, 0, std::uint32_t(k)); }));
      Quadrature const exact(law, Real(eta));
      for (int power : {1, 2}) {
        double sum = 0;
        for (double x : draws) sum += std::pow(x, power);
        double const mean = exact.mean([&](double x) { return std::pow(x, power); });
        double const variance = exact.mean([&](double x) { return std::pow(x, 2 * power); }) - mean * mean;
        EXPECT_LT(std::abs(sum / n - mean), 4 * std::sqrt(variance / n)) << "eta " << eta << " power " << power;
      }
      std::sort(draws.begin(), draws.end());
      double const all = exact.integral([](double) { return 1.; });
      double below = 0, distance = 0;
      std::size_t counted = 0;
      for (std::size_t i = 0; i < exact.x.size(); i++) {
        below += Quadrature::step * exact.weight[i];
        while (counted < draws.size() && draws[counted] < exact.x[i] + Quadrature::step / 2) counted++;
        distance = std::max(distance, std::abs(double(counted) / n - below / all));
      }
      EXPECT_LT(distance, 2.3 / std::sqrt(n)) << "eta " << eta;
    }
  EXPECT_TRUE(std::isnan(sample_conditional(Statistic::tanh, BaseMeasure::quadratic, std::numeric_limits<Real>::quiet_NaN(), [](Index) {
    return random::Words{1, 2, 3, 4};
  })));
}

// One unit over another (docs/theory/hee.md), W = 1.5, b_0 = .3, b_1 = .4, to 8 digits: log p(x_0) and its derivatives, which are
// posterior means of eps_0 f(x_1), eps_0 and phi(x_1) - A'(b_1).
TEST(HeeFunctions, QuadratureOfOneDimensionalModels) {
  struct Case {
    Pair law;
    Transfer f;
    double x0, log_density, weight, bias0, bias1;
  };
  for (auto const& c :
       {Case{{Statistic::identity, BaseMeasure::quadratic}, Transfer::tanh, 1.1, -1.22960153, .14049380, .63854873, .36156460},
        Case{{Statistic::identity, BaseMeasure::quartic}, Transfer::identity, .8, -.61935895, .09963972, .52061824, .26685399},
        Case{{Statistic::tanh, BaseMeasure::quadratic}, Transfer::tanh, .8, -.92354693, .06611500, .47252395, .19641265}}) {
    auto const [phi, g] = c.law;
    auto const statistic = [phi = phi](double x) { return phi == Statistic::tanh ? std::tanh(x) : x; };
    double p = 0, weight = 0, bias0 = 0, bias1 = 0, mean = 0, square = 0;
    auto const top = log_partition(phi, g, .4);
    for (double x1 = -8; x1 <= 8; x1 += 1. / 128) {
      double const f = c.f == Transfer::tanh ? std::tanh(x1) : x1, eta = 1.5 * f + .3;
      auto const a = log_partition(phi, g, eta);
      double const dp =
          std::exp(UnitExponent<double>{phi, g, .4}.value(x1) - top.value + UnitExponent<double>{phi, g, eta}.value(c.x0) - a.value) / 128;
      double const epsilon = statistic(c.x0) - a.slope;
      p += dp, weight += dp * epsilon * f, bias0 += dp * epsilon, bias1 += dp * (statistic(x1) - top.slope);
      mean += dp * x1, square += dp * x1 * x1;
    }
    double const half_digit = 5e-9;
    EXPECT_NEAR(std::log(p), c.log_density, half_digit);
    EXPECT_NEAR(weight / p, c.weight, half_digit);
    EXPECT_NEAR(bias0 / p, c.bias0, half_digit);
    EXPECT_NEAR(bias1 / p, c.bias1, half_digit);
    if (c.x0 == 1.1) {
      EXPECT_NEAR(mean / p, .5616, 5e-5);
      EXPECT_NEAR(square / p - mean * mean / p / p, .3633, 5e-5);
    }
  }
}

TEST(Hee, LogJointOfTheReferenceState) {
  Hee const model = reference_model();
  Tiling const tiling{1, 16};
  auto const x = make_layers(model, tiling, 1);
  std::vector<std::vector<double>> const state{{.7, -.3, .5}, {.25, -.4}, {.6, .1}};
  for (std::size_t l = 0; l < 3; l++)
    for (std::size_t i = 0; i < state[l].size(); i++) fill_array(Kokkos::subview(x[l], 0, i, 0), Real(state[l][i]));
  // in float the state itself is rounded: 7 squares of numbers below 1, each wrong by at most 1e-7
  EXPECT_NEAR(-log_joint(model, tiling, {0, 1}, x).at(0), 4.903492100473, in_double ? 1e-12 : 7e-7);
}

TEST(Hee, LogJointOfGaussianMembers) {
  for (auto const& model : {reference_model(), lateral_model()}) {
    Tiling const tiling{40, 32};
    TileRange const mine{0, 2};
    auto const x = make_layers(model, tiling, 2);
    sample_ancestral(model, key, tiling, mine, x, 0);
    auto const points = states(tiling, mine, x);
    auto const values = log_joint(model, tiling, mine, x);
    ASSERT_EQ(values.size(), 40u);
    auto const law = joint_law(model);
    for (std::size_t i = 0; i < 40; i++) EXPECT_NEAR(values[i], log_density(law, points[i]), in_double ? 1e-11 : 1e-5);
  }
}

TEST(Hee, LogJointOfNonlinearMembers) {
  for (auto const& [phi, g, f] :
       {std::tuple("identity", "quartic", "softplus"), {"tanh", "quadratic", "relu"}, {"identity", "quadratic", "tanh"}}) {
    Hee model({.widths = {1, 1}, .f = f, .phi = phi, .g = g}, key);
    set(model, {{"layer0/weight", {1.5}}, {"layer0/bias", {.3}}, {"layer1/bias", {.4}}});
    Tiling const tiling{16, 16};
    auto const x = make_layers(model, tiling, 1);
    sample_ancestral(model, key, tiling, {0, 1}, x, 0);
    auto const points = states(tiling, {0, 1}, x);
    auto const values = log_joint(model, tiling, {0, 1}, x);
    auto const log_conditional = [&](double at_x, double eta) {
      return UnitExponent<double>{model.phi(), model.g(), eta}.value(at_x) - log_partition(model.phi(), model.g(), eta).value;
    };
    for (std::size_t i = 0; i < 16; i++) {
      double const x1 = points[i][1];
      double const passed = std::string(f) == "softplus" ? std::log1p(std::exp(x1))
                            : std::string(f) == "tanh"   ? std::tanh(x1)
                                                         : std::max(x1, 0.);
      EXPECT_NEAR(values[i], log_conditional(points[i][0], 1.5 * passed + .3) + log_conditional(x1, Real(.4)), in_double ? 1e-12 : 2e-6);
    }
  }
}

// The closed forms of the test itself, at the digits of docs/theory/hee.md.
TEST(Hee, ReferenceMomentsAreTheTheorys) {
  auto const law = joint_law(reference_model());
  double const tolerance = 6e-7;
  Matrix const covariance = inverse(law.precision);
  EXPECT_NEAR(law.mean[0], .18, tolerance);
  EXPECT_NEAR(law.mean[2], .143625, tolerance);
  EXPECT_NEAR(law.mean[3], .1525, tolerance);
  EXPECT_NEAR(law.mean[6], .25, tolerance);
  EXPECT_NEAR(covariance(0, 0), .694375, tolerance);
  EXPECT_NEAR(covariance(0, 1), -.015906, tolerance);
  EXPECT_NEAR(covariance(1, 2), .016672, tolerance);
  EXPECT_NEAR(covariance(2, 2), .601066, tolerance);
}

TEST(Hee, AncestralSamplesOfGaussianMembers) {
  Tiling const tiling{1 << 17, 256};
  for (auto const& model : {reference_model(), lateral_model()})
    EXPECT_LT(largest_z(ancestral(model, tiling, {0, tiling.tiles()}), joint_law(model)), 4);
}

TEST(Hee, AncestralChainsDoNotDependOnTheTilesBesideThem) {
  Tiling const tiling{300, 64};
  Hee const linear({.widths = {20, 17, 9}}, key), coupled({.widths = {20, 17, 9}, .g = "lateral"}, key),
      nonlinear({.widths = {20, 17, 9}, .f = "softplus", .phi = "tanh", .g = "quartic"}, key);
  for (Hee const* model : {&linear, &coupled, &nonlinear}) {
    auto const all = ancestral(*model, tiling, {0, 5});
    ASSERT_EQ(all.size(), 300u);
    for (Index tile : {0, 3, 4}) {
      auto const one = ancestral(*model, tiling, {tile, 1});
      for (std::size_t k = 0; k < one.size(); k++) EXPECT_EQ(one[k], all[at(tiling.first_chain(tile)) + k]);
    }
    EXPECT_NE(all[0], all[1]);
    EXPECT_NE(all[0], ancestral(*model, tiling, {0, 1}, 1)[0]);
  }
}

TEST(Hee, StartsFromScaledNormalWeights) {
  Hee const model({.widths = {60, 50, 40}, .g = "lateral", .initial_scale = 2}, key);
  auto const layers = model.host_layers();
  ASSERT_EQ(layers.size(), 3u);
  for (std::size_t l = 0; l < 2; l++) {
    auto const& w = layers[l].weight.values;
    double sum = 0, square = 0;
    for (double e : w) sum += e, square += e * e;
    auto const n = double(w.size()), variance = 4. / double(layers[l].weight.columns);
    EXPECT_LT(std::abs(sum / n), 4 * std::sqrt(variance / n));
    EXPECT_LT(std::abs(square / n - variance), 4 * variance * std::sqrt(2 / n));
    EXPECT_THAT(layers[l].bias, testing::Each(0));
    for (Index i = 0; i < layers[l].coupling.rows; i++)  // S = I: Q = 1.1 I
      for (Index j = 0; j < layers[l].coupling.rows; j++) EXPECT_EQ(layers[l].coupling(i, j), i == j ? double(Real(1) + Real(.1)) : 0);
  }
  EXPECT_NE(layers[0].weight.values[0], layers[1].weight.values[0]);
  EXPECT_EQ(on_host(model.parameters()), on_host(Hee({.widths = {60, 50, 40}, .g = "lateral", .initial_scale = 2}, key).parameters()));
  EXPECT_NE(on_host(model.parameters()),
            on_host(Hee({.widths = {60, 50, 40}, .g = "lateral", .initial_scale = 2}, random::make_key(12)).parameters()));
}

TEST(Hee, MissingConnectionsAreZeroAndStayZero) {
  double const density = .2, lateral_density = .3;
  Hee const model({.widths = {70, 50, 30}, .g = "lateral", .top_bias = "zero", .density = density, .lateral_density = lateral_density},
                  key);
  Vector const gradient("gradient", model.parameters().extent(0));
  fill_array(gradient, Real(1));
  model.keep_learnable(gradient);
  auto const kept = on_host(gradient), theta = on_host(model.parameters());
  double weights = 0;
  for (auto const& block : model.parameter_blocks()) {
    double sum = 0;
    Index size = 1;
    for (Index e : block.extents) size *= e;
    for (Index i = 0; i < size; i++) {
      double const flag = kept[at(block.offset + i)];
      sum += flag;
      EXPECT_TRUE(flag == 1 || theta[at(block.offset + i)] == 0);
    }
    auto const n = double(size);
    auto const expect_share = [&](double possible, double certain, double p) {
      EXPECT_LT(std::abs(sum - certain - p * possible), 4 * std::sqrt(possible * p * (1 - p))) << block.name;
    };
    if (block.name.ends_with("weight")) {
      expect_share(n, 0, density);
      weights += sum;
    } else if (block.name.ends_with("lateral")) {
      auto const diagonal = double(block.extents[0]);
      expect_share(n - diagonal, diagonal, lateral_density);
      for (Index i = 0; i < block.extents[0]; i++) EXPECT_EQ(kept[at(block.offset + i * (block.extents[0] + 1))], 1);
    } else {
      EXPECT_EQ(sum, block.name == "layer2/bias" ? 0 : n) << block.name;
    }
  }
  EXPECT_EQ(double(model.weight_count()), weights);
}

TEST(Hee, WhereAllIsLearntNothingIsMasked) {
  Hee const model({.widths = {7, 5, 3}}, key);
  EXPECT_EQ(model.weight_count(), 50);
  EXPECT_EQ(model.units(), 8);
  Vector const gradient("gradient", model.parameters().extent(0));
  fill_array(gradient, Real(1));
  model.keep_learnable(gradient);
  EXPECT_THAT(on_host(gradient), testing::Each(1));
}

TEST(Hee, ParameterBlocksFillTheParameters) {
  for (char const* g : {"quadratic", "lateral"}) {
    Hee const model({.widths = {7, 5, 3}, .g = g}, key);
    Index end = 0;
    for (auto const& block : model.parameter_blocks()) {
      EXPECT_EQ(block.offset, end) << block.name;
      Index size = 1;
      for (Index e : block.extents) size *= e;
      end += size;
    }
    EXPECT_EQ(end, extent(model.parameters(), 0));
  }
}

TEST(Hee, CouplingIsPositiveDefinite) {
  Hee const model = lateral_model();
  auto const layers = model.host_layers();
  auto const theta = on_host(model.parameters());
  for (Index l = 0; l <= 2; l++) {
    Index const n = model.width(l);
    Matrix s(n, n);
    std::copy_n(theta.begin() + model.lateral_offset(l), n * n, s.values.begin());
    Matrix const q = transpose(s) * s + model.lateral_floor() * identity(n);
    for (Index i = 0; i < n; i++)
      for (Index j = 0; j < n; j++) EXPECT_NEAR(layers[at(l)].coupling(i, j), q(i, j), in_double ? 1e-15 : 5e-7);
    EXPECT_TRUE(is_positive_definite(layers[at(l)].coupling));
  }
}

std::string message_of(HeeOptions const& o) {
  try {
    Hee const model(o, key);
  } catch (Failure const& f) {
    EXPECT_EQ(f.code(), ExitCode::usage);
    return f.what();
  }
  return "";
}

TEST(Hee, RefusesWhatItCannotBe) {
  using testing::HasSubstr;
  EXPECT_THAT(message_of({.widths = {5}}), HasSubstr("at least one latent layer"));
  EXPECT_THAT(message_of({.widths = {5, 0}}), HasSubstr("at least one unit"));
  EXPECT_THAT(message_of({.widths = {5, 2}, .phi = "tanh", .g = "lateral"}), HasSubstr("use statistic = \"identity\""));
  EXPECT_THAT(message_of({.widths = {5, 2}, .f = "silu"}), HasSubstr("model.activation = \"silu\" is unknown; use \"identity\", \"tanh\""));
  EXPECT_THAT(message_of({.widths = {5, 2}, .top_bias = "fixed"}), HasSubstr("\"learnt\" or \"zero\""));
}

TEST(Hee, SchemaRefusesValuesOutOfRange) {
  auto const problem = [](std::string const& name, deck::Value const& v) {
    auto const keys = hee_schema().keys;
    return std::find_if(keys.begin(), keys.end(), [&](auto const& k) { return k.name == name; })->problem(v);
  };
  EXPECT_NE(problem("widths", std::vector<std::int64_t>{4}), "");
  EXPECT_EQ(problem("widths", std::vector<std::int64_t>{4, 1}), "");
  EXPECT_NE(problem("density", 0.), "");
  EXPECT_EQ(problem("density", 1.), "");
  EXPECT_NE(problem("lateral_floor", 0.), "");
  EXPECT_NE(problem("base_measure", std::string("cubic")), "");
}

}  // namespace
