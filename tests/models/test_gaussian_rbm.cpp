// Restricted machines of real visible units against sums over their hidden units and Gaussian integrals.
#include <gtest/gtest.h>

#include <numbers>

#include "core/copy.hpp"
#include "core/dense.hpp"
#include "core/require.hpp"
#include "machine.hpp"
#include "models/gaussian_rbm.hpp"

namespace partita::test::machine {
namespace {

constexpr double eps = std::numeric_limits<Real>::epsilon();

struct Case {
  std::string parametrisation;
  Index visible, hidden;
};
std::string name_of(testing::TestParamInfo<Case> const& info) {
  return info.param.parametrisation + "_" + std::to_string(info.param.visible) + "_" + std::to_string(info.param.hidden);
}

// Deviations between 0.5 and 2.
std::unique_ptr<Rbm> machine_of(Case const& c) {
  auto rbm = make_rbm({.visible = c.visible,
                       .hidden = c.hidden,
                       .initial_scale = 0.7,
                       .visible_units = "gaussian",
                       .parametrisation = c.parametrisation,
                       .learn_variance = true});
  rbm->initialise([](Index i) { return normal(i, 11); });
  std::vector<double> a, b, z;
  for (Index i = 0; i < c.visible; i++) a.push_back(normal(i, 12)), z.push_back(2 * std::log(0.5 + 0.3 * double(i % 6)));
  for (Index j = 0; j < c.hidden; j++) b.push_back(0.7 * normal(j, 13));
  assign(rbm->visible_bias(), a), assign(rbm->hidden_bias(), b);
  assign(dynamic_cast<GaussianRbm&>(*rbm).log_variance(), z);
  rbm->parameters_changed();
  return rbm;
}

using Point = std::vector<double>;

// E(v, h) and what follows from it, by the formulas of the two parametrisations; h is a number, unit j is bit j.
struct Joint {
  bool per_deviation;
  std::size_t visible;
  Index hidden;
  Point w, a, b, s;

  Joint(GaussianRbm const& rbm, std::string const& parametrisation)
      : per_deviation(parametrisation == "A"),
        visible(rbm.dimension()),
        hidden(rbm.hidden()),
        w(to_host(rbm.weight())),
        a(to_host(rbm.visible_bias())),
        b(to_host(rbm.hidden_bias())) {
    for (double z : to_host(rbm.log_variance())) s.push_back(std::exp(z / 2));
  }

  Index hidden_states() const { return Index{1} << hidden; }
  double weight(std::size_t i, Index j) const { return w[i * std::size_t(hidden) + std::size_t(j)]; }
  double scale(std::size_t i) const { return per_deviation ? 1 / s[i] : 1 / (s[i] * s[i]); }
  double pull(std::size_t i, Index h) const {  // (W h)_i
    double sum = 0;
    for (Index j = 0; j < hidden; j++) sum += weight(i, j) * unit(h, j);
    return sum;
  }
  double energy(Point const& v, Index h) const {
    double e = 0;
    for (std::size_t i = 0; i < visible; i++) e += (v[i] - a[i]) * (v[i] - a[i]) / (2 * s[i] * s[i]) - v[i] * scale(i) * pull(i, h);
    for (Index j = 0; j < hidden; j++) e -= b[j] * unit(h, j);
    return e;
  }
  double reference_energy(Point const& v, Point const& m) const {
    double e = 0;
    for (std::size_t i = 0; i < visible; i++) e += (v[i] - m[i]) * (v[i] - m[i]) / (2 * s[i] * s[i]);
    return e;
  }
  double path_energy(Point const& v, double beta, Point const& m) const {
    Point e;
    for (Index h = 0; h < hidden_states(); h++) e.push_back(beta * energy(v, h) + (1 - beta) * reference_energy(v, m));
    return -log_sum_exp_minus(e);
  }
  Point posterior(Point const& v, double beta = 1) const {
    Point e;
    for (Index h = 0; h < hidden_states(); h++) e.push_back(beta * energy(v, h));
    return probabilities(e);
  }
  // sum_h p(h | v) f(h)
  double mean_over_hidden(Point const& v, std::function<double(Index)> const& f) const {
    auto const p = posterior(v);
    double sum = 0;
    for (Index h = 0; h < hidden_states(); h++) sum += p[h] * f(h);
    return sum;
  }
  // Of v_i given h under p_beta.
  double mean(std::size_t i, Index h, double beta, Point const& m) const {
    return (1 - beta) * m[i] + beta * (a[i] + s[i] * s[i] * scale(i) * pull(i, h));
  }
  // -log of the integral over v of exp(-beta E(v, h) - (1 - beta) E_0(v)), for each h: squares completed.
  Point hidden_energies(double beta, Point const& m) const {
    Point e;
    for (Index h = 0; h < hidden_states(); h++) {
      double log_integral = 0;
      for (Index j = 0; j < hidden; j++) log_integral += beta * b[j] * unit(h, j);
      for (std::size_t i = 0; i < visible; i++) {
        double const variance = s[i] * s[i], centre = mean(i, h, beta, m);
        log_integral += std::log(2 * std::numbers::pi * variance) / 2 +
                        (centre * centre - beta * a[i] * a[i] - (1 - beta) * m[i] * m[i]) / (2 * variance);
      }
      e.push_back(-log_integral);
    }
    return e;
  }
};

Point data_means(std::size_t units) {
  Point m;
  for (std::size_t i = 0; i < units; i++) m.push_back(0.3 * double(i) - 0.5);
  return m;
}

class GaussianRestricted : public testing::TestWithParam<Case> {
 protected:
  std::unique_ptr<Rbm> owned = machine_of(GetParam());
  GaussianRbm& rbm = dynamic_cast<GaussianRbm&>(*owned);
  Joint joint{rbm, GetParam().parametrisation};
  Index d = GetParam().visible, f = GetParam().hidden;
  double tolerance = 200 * eps * double(d);  // energies of some tens

  static constexpr Index tiles = 2, lanes = 48;
  TileStorage x = points(tiles, d, lanes, [](Index c, Index i) { return 1.5 * normal(i, 20 + std::uint64_t(c)); });
  decltype(host(TileStorage())) start = host(x);
  Point at(Index c) const {
    Point v;
    for (Index i = 0; i < d; i++) v.push_back(double(start(c / lanes, i, c % lanes)));
    return v;
  }
};
INSTANTIATE_TEST_SUITE_P(Shapes, GaussianRestricted,
                         testing::Values(Case{"A", 1, 1}, Case{"B", 2, 3}, Case{"A", 5, 4}, Case{"B", 5, 4}, Case{"B", 7, 2}), name_of);

TEST_P(GaussianRestricted, EnergiesAlongThePathAreSumsOverHiddenUnits) {
  auto const e = scalars(tiles, lanes);
  for (bool of_data : {false, true}) {
    Point const m = of_data ? data_means(joint.visible) : joint.a;
    if (of_data) rbm.set_reference({m, {}, 100});
    for (double beta : {0., 0.3, 1.}) {
      rbm.path_energy(seen(x, lanes), beta, seen(e, lanes));
      auto const found = host(e);
      for (Index c = 0; c < tiles * lanes; c++)
        ASSERT_NEAR(found(c / lanes, c % lanes), joint.path_energy(at(c), beta, m), tolerance) << beta;
    }
    EXPECT_NEAR(rbm.log_z_reference(), log_sum_exp_minus(joint.hidden_energies(0, m)), tolerance);
  }
}

TEST_P(GaussianRestricted, EnergiesOfHiddenUnitsAreIntegralsOverVisibleOnes) {
  Index const width = round_up(joint.hidden_states(), lane_quantum);
  auto const e = scalars(1, width);
  rbm.hidden_energy(seen(states(f), width), seen(e, width));
  auto const exact = joint.hidden_energies(1, joint.a);
  auto const found = host(e);
  for (std::size_t h = 0; h < exact.size(); h++) EXPECT_NEAR(found(0, h), exact[h], tolerance) << "state " << h;
}

// Means and variances within 5 standard errors; a normal's sample variance has the relative error sqrt(2 / n).
TEST_P(GaussianRestricted, ConditionalsOfBothLayers) {
  Index const width = 4096, count = 4;
  double const n = double(count * width);
  TileStorage const hidden("hidden", count, f, width);
  Point const m = data_means(joint.visible);
  rbm.set_reference({m, {}, 100});
  for (double beta : {0.3, 1.}) {
    Sweep const at_beta{.key = key, .chains = {{count * width, width}, {0, count}}, .step = 5, .beta = beta};
    Point const v = at(3);
    auto const shown = points(count, d, width, [&](Index, Index i) { return v[i]; });
    rbm.draw_hidden(seen(shown, width), seen(hidden, width), at_beta);
    expect_frequencies(frequencies(hidden, width), joint.posterior(v, beta), n);

    Index const h = 5 % joint.hidden_states();
    auto const drawn = points(count, d, width, [](Index, Index) { return 0.; });
    rbm.draw_visible(seen(points(count, f, width, [&](Index, Index j) { return unit(h, j); }), width), seen(drawn, width), at_beta);
    auto const found = host(drawn);
    for (std::size_t i = 0; i < joint.visible; i++) {
      double sum = 0, squares = 0, with_next = 0;
      for (Index c = 0; c < count * width; c++) {
        auto const away = [&](std::size_t k) { return (double(found(c / width, k, c % width)) - joint.mean(k, h, beta, m)) / joint.s[k]; };
        sum += away(i), squares += away(i) * away(i);
        if (i + 1 < joint.visible) with_next += away(i) * away(i + 1);
      }
      EXPECT_NEAR(sum / n, 0, 5 / std::sqrt(n)) << "beta " << beta << ", unit " << i;
      EXPECT_NEAR(squares / n, 1, 5 * std::sqrt(2 / n));
      EXPECT_NEAR(with_next / n, 0, 5 / std::sqrt(n));
    }
  }
}

// Mean of f over the chains against its mean under the law, a mixture of one normal for each h; within 5 standard errors.
void expect_moments(TileStorage const& x, Index width, Joint const& joint, double beta, Point const& m) {
  auto const p = probabilities(joint.hidden_energies(beta, m));
  auto const found = host(x);
  auto const tiles = extent(x, 0);
  double const n = double(tiles * width);
  for (std::size_t i = 0; i < joint.visible; i++)
    for (std::size_t k = 0; k <= i + 1; k++) {  // v_i v_k, and v_i itself
      bool const alone = k > i;
      double exact = 0, sum = 0, squares = 0;
      for (Index h = 0; h < joint.hidden_states(); h++)
        exact += p[h] * (alone ? joint.mean(i, h, beta, m)
                               : joint.mean(i, h, beta, m) * joint.mean(k, h, beta, m) + (i == k ? joint.s[i] * joint.s[i] : 0));
      for (Index c = 0; c < tiles * width; c++) {
        double const vi = double(found(c / width, i, c % width));
        double const away = (alone ? vi : vi * double(found(c / width, k, c % width))) - exact;
        sum += away, squares += away * away;
      }
      EXPECT_NEAR(sum / n, 0, 5 * std::sqrt(squares) / n) << "units " << i << ", " << k << ", beta " << beta;
    }
}

TEST_P(GaussianRestricted, SweepsSampleTheLaw) {
  Index const width = 4096, count = 4;
  Point const m = data_means(joint.visible);
  rbm.set_reference({m, {}, 100});
  auto const chains = points(count, d, width, [](Index c, Index) { return c % 2 == 0 ? 2. : -2.; });
  Index next = 0;
  for (double beta : {1., 0.4}) {
    sweeps(rbm, chains, width, next, 300, beta);
    next += 300;
    expect_moments(chains, width, joint, beta, m);
  }
  fill_array(chains, Real(100));  // at beta = 0 one sweep is a draw of the reference from anywhere
  sweeps(rbm, chains, width, next, 1, 0);
  expect_moments(chains, width, joint, 0, m);
}

// With v_0 held p(h | v_0) ~ p(h) N(v_0; mean, s^2), and v_1 is normal given h.
TEST_P(GaussianRestricted, HeldUnitsGiveTheConditionalLaw) {
  if (d < 2) GTEST_SKIP() << "no unit would be free";
  Index const width = 4096, count = 4;
  double const value = joint.a[0] + 0.8, n = double(count * width);
  auto const chains = points(count, d, width, [&](Index, Index i) { return i == 0 ? value : 0.; });
  sweeps(rbm, chains, width, 0, 300, 1, holding(d, [](Index i) { return i == 0; }));
  auto e = joint.hidden_energies(1, joint.a);
  for (Index h = 0; h < joint.hidden_states(); h++) {
    double const away = (value - joint.mean(0, h, 1, joint.a)) / joint.s[0];
    e[h] += away * away / 2;
  }
  auto const p = probabilities(e);
  double exact = 0, sum = 0, squares = 0;
  for (Index h = 0; h < joint.hidden_states(); h++) exact += p[h] * joint.mean(1, h, 1, joint.a);
  auto const after = host(chains);
  for (Index c = 0; c < count * width; c++) {
    ASSERT_EQ(after(c / width, 0, c % width), Real(value));
    double const away = double(after(c / width, 1, c % width)) - exact;
    sum += away, squares += away * away;
  }
  EXPECT_NEAR(sum / n, 0, 5 * std::sqrt(squares) / n);
}

TEST_P(GaussianRestricted, AnnealingFindsLogZ) {
  Index const width = 4096, temperatures = 60;
  rbm.set_reference({data_means(joint.visible), {}, 100});
  auto const chains = points(1, d, width, [](Index, Index) { return 1.; }),
             plain_chains = points(1, d, width, [](Index, Index) { return 1.; });
  LogWeights const log_weight("log weights", 1, width), plain("log weights", 1, width);
  Sweep sweep{.key = key, .chains = {{width, width}, {0, 1}}, .step = 0, .beta = 0};
  rbm.sweep(seen(chains, width), sweep);
  rbm.sweep(seen(plain_chains, width), sweep);
  for (Index k = 1; k <= temperatures; k++) {
    double const before = sweep.beta;
    sweep.step = k, sweep.beta = double(k) / double(temperatures);
    rbm.anneal(seen(chains, width), before, sweep, log_weight);
    if (k <= 3) rbm.GibbsModel::anneal(seen(plain_chains, width), before, sweep, plain);
    if (k != 3) continue;
    auto const a = host(log_weight), b = host(plain);
    auto const state = host(chains), plain_state = host(plain_chains);
    for (Index l = 0; l < width; l++) {
      ASSERT_NEAR(a(0, l), b(0, l), 10 * tolerance);
      ASSERT_EQ(state(0, 0, l), plain_state(0, 0, l));
    }
  }
  double sum = 0, squares = 0;
  auto const w = host(log_weight);
  for (Index l = 0; l < width; l++) sum += std::exp(w(0, l)), squares += std::exp(2 * w(0, l));
  double const n = double(width), mean = sum / n, error = std::sqrt((squares / n - mean * mean) / n) / mean;
  EXPECT_LT(error, 0.2);
  EXPECT_NEAR(std::log(mean) + rbm.log_z_reference(), log_sum_exp_minus(joint.hidden_energies(1, joint.a)), 5 * error + tolerance);
}

// dF/dv_i = (v_i - a_i) / s_i^2 - c_i sum_h p(h | v) (W h)_i.
TEST_P(GaussianRestricted, GradientInTheVisibleUnits) {
  auto const e = scalars(tiles, lanes);
  TileStorage const with_energy("gradient", tiles, d, pitch_quantum), alone("gradient", tiles, d, pitch_quantum);
  rbm.energy_and_gradient(seen(x, lanes), seen(e, lanes), seen(with_energy, lanes));
  rbm.gradient(seen(x, lanes), seen(alone, lanes));
  auto const energy = host(e);
  auto const found = host(with_energy), found_alone = host(alone);
  for (Index c = 0; c < tiles * lanes; c++) {
    Point const v = at(c);
    EXPECT_NEAR(energy(c / lanes, c % lanes), joint.path_energy(v, 1, joint.a), tolerance);
    for (std::size_t i = 0; i < joint.visible; i++) {
      double const exact = (v[i] - joint.a[i]) / (joint.s[i] * joint.s[i]) -
                           joint.scale(i) * joint.mean_over_hidden(v, [&](Index h) { return joint.pull(i, h); });
      EXPECT_NEAR(found(c / lanes, i, c % lanes), exact, tolerance);
      EXPECT_EQ(found(c / lanes, i, c % lanes), found_alone(c / lanes, i, c % lanes));
      if (!in_double) continue;
      Point above = v, below = v;
      above[i] += 1e-5, below[i] -= 1e-5;
      EXPECT_NEAR(exact, (joint.path_energy(above, 1, joint.a) - joint.path_energy(below, 1, joint.a)) / 2e-5, 1e-6);
    }
  }
}

// Weights of both signs for the chains of a minibatch, zero past `real`, that add up to zero as those of data and chains do.
struct Weights {
  static constexpr Index real = 75;
  Point value;
  TileScalarStorage device;
  Weights(Index tiles, Index lanes) {
    double total = 0;
    for (Index c = 0; c < tiles * lanes; c++) value.push_back(c < real ? 0.1 * normal(c, 4) : 0), total += value.back();
    value[0] -= total;
    device = scalars(tiles, lanes, [this](Index c) { return value[c]; });
  }
};

TEST_P(GaussianRestricted, ParameterGradientIsTheMeanOverHiddenUnits) {
  Weights const weights(tiles, lanes);
  auto const e = scalars(tiles, lanes);
  Vector const sum("gradient", rbm.parameters().extent(0)), means("means", d + f);
  rbm.add_energy_gradient(
      seen(x, lanes), seen(e, lanes),
      [&] {
        rbm.add_unit_means(seen(x, lanes), seen(weights.device, lanes), means);
        return seen(weights.device, lanes);
      },
      sum);
  // slope(v, h) of E(v, h) with respect to a parameter.
  auto const expected = [&](std::function<double(Point const&, Index)> const& slope) {
    double total = 0;
    for (Index c = 0; c < tiles * lanes; c++) {
      Point const v = at(c);
      total += weights.value[c] * joint.mean_over_hidden(v, [&](Index h) { return slope(v, h); });
    }
    return total;
  };
  auto const found = to_host(sum), found_means = to_host(means);
  double const accuracy = 3000 * eps;  // sums of 75 numbers up to some tens
  Index const biases = d * f, log_variances = d * f + d + f;
  for (std::size_t i = 0; i < joint.visible; i++) {
    auto const k = Index(i);
    double const variance = joint.s[i] * joint.s[i];
    for (Index j = 0; j < f; j++)
      EXPECT_NEAR(found[k * f + j], expected([&](Point const& v, Index h) { return -joint.scale(i) * v[i] * unit(h, j); }), accuracy);
    EXPECT_NEAR(found[biases + k], expected([&](Point const& v, Index) { return -(v[i] - joint.a[i]) / variance; }), accuracy);
    EXPECT_NEAR(found_means[k], expected([&](Point const& v, Index) { return v[i]; }), accuracy);
    EXPECT_NEAR(found[log_variances + k], expected([&](Point const& v, Index h) {
                  double const away = v[i] - joint.a[i];
                  return joint.per_deviation ? -away * away / (2 * variance) + v[i] * joint.pull(i, h) / (2 * joint.s[i])
                                             : -(away * away / 2 - v[i] * joint.pull(i, h)) / variance;
                }),
                accuracy);
  }
  for (Index j = 0; j < f; j++) {
    EXPECT_NEAR(found[biases + d + j], expected([&](Point const&, Index h) { return -unit(h, j); }), accuracy);
    EXPECT_NEAR(found_means[d + j], expected([&](Point const&, Index h) { return unit(h, j); }), accuracy);
  }
}

TEST_P(GaussianRestricted, ParameterGradientIsTheSlopeOfTheEnergies) {
  if (!in_double) GTEST_SKIP() << "differences of energies need double precision";
  Weights const weights(tiles, lanes);
  auto const e = scalars(tiles, lanes);
  Vector const sum("gradient", rbm.parameters().extent(0));
  rbm.add_energy_gradient(
      seen(x, lanes), seen(e, lanes), [&] { return seen(weights.device, lanes); }, sum);
  auto const total = [&](Index k, double value) {
    fill_array(Kokkos::subview(rbm.parameters(), k), Real(value));
    rbm.parameters_changed();
    rbm.energy(seen(x, lanes), seen(e, lanes));
    auto const energy = host(e);
    double all = 0;
    for (Index c = 0; c < tiles * lanes; c++) all += weights.value[c] * double(energy(c / lanes, c % lanes));
    return all;
  };
  double const step = 1e-5;
  auto const theta = to_host(rbm.parameters()), found = to_host(sum);
  for (Index k = 0; k < std::ssize(theta); k++) {
    double const here = theta[k], above = total(k, here + step), below = total(k, here - step);
    total(k, here);
    EXPECT_NEAR(found[k], (above - below) / (2 * step), 1e-7) << "parameter " << k;
  }
}

// The centred machine E = sum (v - a~)^2 / (2 s^2) - (c v - c mu)'W (h - lambda) - b~'h has a~ = a + c s^2 W lambda and b~ = b + W'(c mu),
// so a step along its slopes moves a by its slope minus c s^2 gW lambda and b by its slope minus gW'(c mu).
TEST_P(GaussianRestricted, CentredGradientIsThatOfTheCentredMachine) {
  Weights const weights(tiles, lanes);
  auto const e = scalars(tiles, lanes);
  Vector const sum("gradient", rbm.parameters().extent(0));
  rbm.add_energy_gradient(
      seen(x, lanes), seen(e, lanes), [&] { return seen(weights.device, lanes); }, sum);
  auto const plain = to_host(sum);
  Point offsets;
  for (Index i = 0; i < d + f; i++) offsets.push_back(0.2 + 0.1 * double(i % 7));
  rbm.centre(sum, to_device(offsets, "offsets"));
  auto const centred = to_host(sum);
  auto const lambda = [&](Index j) { return offsets[d + j]; };
  auto const gw = [&](std::size_t i, Index j) {
    double total = 0;
    for (Index c = 0; c < tiles * lanes; c++) {
      Point const v = at(c);
      total -= weights.value[c] *
               joint.mean_over_hidden(v, [&](Index h) { return joint.scale(i) * (v[i] - offsets[i]) * (unit(h, j) - lambda(j)); });
    }
    return total;
  };
  double const accuracy = 5000 * eps;
  Point gb(f);
  for (std::size_t i = 0; i < joint.visible; i++) {
    auto const k = Index(i);
    double ga = plain[d * f + k];
    for (Index j = 0; j < f; j++) {
      double const g = gw(i, j);
      EXPECT_NEAR(centred[k * f + j], g, accuracy);
      ga -= joint.s[i] * joint.s[i] * joint.scale(i) * g * lambda(j);
      gb[j] -= g * joint.scale(i) * offsets[i];
    }
    EXPECT_NEAR(centred[d * f + k], ga, accuracy);
    EXPECT_EQ(centred[d * f + d + f + k], plain[d * f + d + f + k]);
  }
  for (Index j = 0; j < f; j++) EXPECT_NEAR(centred[d * f + d + j], plain[d * f + d + j] + gb[j], accuracy);
}

// W_A = W_B / s: the same law, so the same energies, and draws that differ by roundings.
TEST_P(GaussianRestricted, ParametrisationsAreOneMachine) {
  std::string const other_name = joint.per_deviation ? "B" : "A";
  auto const owned_other = machine_of({other_name, d, f});
  auto& other = dynamic_cast<GaussianRbm&>(*owned_other);
  Point w;
  for (std::size_t i = 0; i < joint.visible; i++)
    for (Index j = 0; j < f; j++) w.push_back(joint.per_deviation ? joint.weight(i, j) * joint.s[i] : joint.weight(i, j) / joint.s[i]);
  assign(other.weight(), w);
  auto const e = scalars(tiles, lanes), e_other = scalars(tiles, lanes);
  rbm.energy(seen(x, lanes), seen(e, lanes));
  other.energy(seen(x, lanes), seen(e_other, lanes));
  auto const energy = host(e), energy_other = host(e_other);
  for (Index c = 0; c < tiles * lanes; c++) EXPECT_NEAR(energy(c / lanes, c % lanes), energy_other(c / lanes, c % lanes), tolerance);
  TileStorage const y("copy", tiles, d, pitch_quantum);
  copy_array(y, x);
  sweeps(rbm, x, lanes, 0, 1);
  sweeps(other, y, lanes, 0, 1);
  auto const after = host(x), after_other = host(y);
  for (Index c = 0; c < tiles * lanes; c++)
    for (Index i = 0; i < d; i++) EXPECT_NEAR(after(c / lanes, i, c % lanes), after_other(c / lanes, i, c % lanes), tolerance);
  EXPECT_EQ(rbm.parameter_blocks().front().name, "weight_" + GetParam().parametrisation);
  EXPECT_EQ(other.parameter_blocks().front().name, "weight_" + other_name);
  EXPECT_EQ(rbm.parameter_blocks().back().name, "log_variance");
}

TEST(GaussianRbm, StartsFromMoments) {
  RbmOptions options{.visible = 3, .hidden = 2, .visible_units = "gaussian", .standard_deviation = 0.5};
  UnitMoments const moments{{1, 2, 3}, {4, 0, 1e-6}, 10};
  GaussianRbm fixed(options);
  fixed.start_from(moments);
  EXPECT_EQ(to_host(fixed.visible_bias()), moments.mean);
  for (double z : to_host(fixed.log_variance())) EXPECT_NEAR(z, 2 * std::log(0.5), 4 * eps);
  options.learn_variance = true, options.smallest_deviation = 0.1;
  GaussianRbm learnt(options);  // half the data's deviations
  learnt.start_from(moments);
  double const least = 2 * std::log(0.1);
  Point const expected{0, least, least};
  for (std::size_t i = 0; i < 3; i++) EXPECT_NEAR(to_host(learnt.log_variance())[i], expected[i], 8 * eps);
  fill_array(learnt.log_variance(), Real(-9));  // an update that went too far
  learnt.parameters_changed();
  for (double z : to_host(learnt.log_variance())) EXPECT_NEAR(z, least, 8 * eps);
}

TEST(GaussianRbm, DeviationsOfBinaryUnitsAreRefused) {
  EXPECT_THROW(make_rbm({.visible = 3, .hidden = 2, .learn_variance = true}), Failure);
  EXPECT_THROW(make_rbm({.visible = 3, .hidden = 2, .standard_deviation = 2}), Failure);
  EXPECT_THROW(score_of(*make_rbm({.visible = 3, .hidden = 2})), Failure);
  EXPECT_NO_THROW(score_of(*make_rbm({.visible = 3, .hidden = 2, .visible_units = "gaussian"})));
}

}  // namespace
}  // namespace partita::test::machine
