// Machines of ratings against sums over all their states, for every choice of rated items.
#include <gtest/gtest.h>

#include "core/copy.hpp"
#include "core/require.hpp"
#include "machine.hpp"
#include "models/softmax_rbm.hpp"

namespace partita::test::machine {
namespace {

constexpr double eps = std::numeric_limits<Real>::epsilon();

struct Shape {
  Index items, levels, hidden;
};
std::string name_of(testing::TestParamInfo<Shape> const& info) {
  return std::to_string(info.param.items) + "_" + std::to_string(info.param.levels) + "_" + std::to_string(info.param.hidden);
}

// Weights of order 0.7, biases likewise.
SoftmaxRbm machine_of(Shape const& s, bool shared = true, double rated_fraction_offset = 0) {
  SoftmaxRbm rbm({.items = s.items,
                  .levels = s.levels,
                  .hidden = s.hidden,
                  .shared_weights = shared,
                  .rated_fraction_offset = rated_fraction_offset,
                  .initial_scale = 0.7});
  rbm.initialise([](Index i) { return normal(i, 1); });
  std::vector<double> a, b;
  for (Index i = 0; i < s.items * s.levels; i++) a.push_back(0.7 * normal(i, 2));
  for (Index j = 0; j < s.hidden; j++) b.push_back(0.7 * normal(j, 3));
  assign(rbm.visible_bias(), a), assign(rbm.hidden_bias(), b);
  return rbm;
}

using Codes = std::vector<Index>;  // of the items, 0: not rated

// E(V, h) by its formula, with the flat parameters in double; hidden unit j is bit j of h.
struct Joint {
  Shape s;
  std::vector<double> theta;
  explicit Joint(SoftmaxRbm const& rbm) : s{rbm.dimension(), rbm.levels(), rbm.hidden()}, theta(to_host(rbm.parameters())) {}

  double bias(Index i, Index code) const { return at((s.items + 1) * s.levels * s.hidden + i * s.levels + code - 1); }
  double weight(Index i, Index code, Index j) const {
    return at((i * s.levels + code - 1) * s.hidden + j) + at((s.items * s.levels + code - 1) * s.hidden + j);
  }
  double energy(Codes const& v, Index h, double beta = 1) const {
    double e = 0;
    for (Index i = 0; i < s.items; i++)
      if (Index const code = v[i]; code > 0) {
        e -= bias(i, code);
        for (Index j = 0; j < s.hidden; j++) e -= beta * weight(i, code, j) * unit(h, j);
      }
    for (Index j = 0; j < s.hidden; j++) e -= beta * at((s.items + 1) * s.levels * s.hidden + s.items * s.levels + j) * unit(h, j);
    return e;
  }
  // -log sum_h exp(-beta E - (1 - beta) E_0): visible biases are those of E_0, too.
  double free_energy(Codes const& v, double beta = 1) const {
    std::vector<double> e;
    for (Index h = 0; h < Index{1} << s.hidden; h++) e.push_back(energy(v, h, beta));
    return -log_sum_exp_minus(e);
  }
  std::vector<double> hidden_given(Codes const& v, double beta) const {
    std::vector<double> e;
    for (Index h = 0; h < Index{1} << s.hidden; h++) e.push_back(energy(v, h, beta));
    return probabilities(e);
  }

 private:
  double at(Index n) const { return theta[n]; }
};

Codes codes_of(Shape const& s, Index state) {
  Codes v;
  for (Index i = 0; i < s.items; i++, state /= s.levels + 1) v.push_back(state % (s.levels + 1));
  return v;
}
Index states_of(Shape const& s) { return Index(std::llround(std::pow(s.levels + 1, s.items))); }
Index state_of(Shape const& s, Codes const& v) {
  Index state = 0;
  for (Index i = s.items - 1; i >= 0; i--) state = state * (s.levels + 1) + v[i];
  return state;
}
// States in which the same items are rated.
bool alike(Codes const& a, Codes const& b) {
  for (std::size_t i = 0; i < a.size(); i++)
    if ((a[i] == 0) != (b[i] == 0)) return false;
  return true;
}
TileStorage all_states(Shape const& s) {
  return points(1, s.items, round_up(states_of(s), lane_quantum),
                [&](Index chain, Index i) { return codes_of(s, chain % states_of(s))[i]; });
}

class Ratings : public testing::TestWithParam<Shape> {
 protected:
  Shape s = GetParam();
  SoftmaxRbm rbm = machine_of(s);
  Joint joint{rbm};
  Index n = states_of(s), lanes = round_up(n, lane_quantum);
  double tolerance = 20 * eps * double(s.items + s.hidden);  // sums of so many numbers of order one
};
// Several draws of random numbers for a layer, and more lanes than one strip holds.
INSTANTIATE_TEST_SUITE_P(Shapes, Ratings, testing::Values(Shape{1, 2, 1}, Shape{3, 3, 2}, Shape{3, 3, 3}, Shape{2, 5, 5}, Shape{5, 2, 6}),
                         name_of);

TEST_P(Ratings, EnergiesAreSumsOverHiddenUnits) {
  auto const x = all_states(s);
  auto const e = scalars(1, lanes);
  for (double beta : {0., 0.3, 1.}) {
    rbm.path_energy(seen(x, lanes), beta, seen(e, lanes));
    auto const found = host(e);
    for (Index v = 0; v < n; v++)
      ASSERT_NEAR(found(0, v), joint.free_energy(codes_of(s, v), beta), tolerance) << "beta " << beta << ", state " << v;
  }
}

// A sweep from V is a draw of sum_h p(h | V) prod_i p(v_i | h): both conditionals at once. 16,384 chains for each choice of rated items.
TEST_P(Ratings, SweepsDrawHiddenThenRatedUnits) {
  Index const width = 4096, tiles = 4;
  double const chains = double(tiles * width), beta = 0.6;
  for (Index pattern = 0; pattern < Index{1} << s.items; pattern++) {
    Codes start;
    for (Index i = 0; i < s.items; i++) start.push_back(unit(pattern, i) > 0 ? 1 + i % s.levels : 0);
    auto const x = points(tiles, s.items, width, [&](Index, Index i) { return start[i]; });
    sweeps(rbm, x, width, 7, 1, beta);
    auto const after = host(x);
    std::vector<double> found(n), expected(found.size());
    for (Index c = 0; c < tiles * width; c++) {
      Codes v;
      for (Index i = 0; i < s.items; i++) v.push_back(Index(after(c / width, i, c % width)));
      ASSERT_TRUE(alike(v, start)) << "what is not rated stays so";
      found[state_of(s, v)] += 1 / chains;
    }
    auto const hidden = joint.hidden_given(start, beta);
    for (Index h = 0; h < Index{1} << s.hidden; h++) {
      std::vector<double> e;
      std::vector<Index> targets;
      for (Index v = 0; v < n; v++)
        if (alike(codes_of(s, v), start)) e.push_back(joint.energy(codes_of(s, v), h, beta)), targets.push_back(v);
      auto const p = probabilities(e);
      for (std::size_t k = 0; k < p.size(); k++) expected[targets[k]] += hidden[h] * p[k];
    }
    for (double& p : expected) p = std::min(p, 1.);  // a sum of rounded numbers where nothing is rated
    expect_frequencies(found, expected, chains);
  }
}

TEST_P(Ratings, HeldItemsStay) {
  Index const width = 256;
  auto const x = points(1, s.items, width, [&](Index, Index) { return 1; });
  sweeps(rbm, x, width, 0, 5, 1, holding(s.items, [&](Index i) { return i == 0; }));
  auto const after = host(x);
  bool moved = false;
  for (Index l = 0; l < width; l++) {
    EXPECT_EQ(after(0, 0, l), Real(1));
    for (Index i = 1; i < s.items; i++) moved = moved || after(0, i, l) != Real(1);
  }
  EXPECT_EQ(moved, s.items > 1);
}

// Against central differences of the free energy in double: their error is h^2 F''' / 6 = 1e-9 and rounding / h = 1e-11.
TEST_P(Ratings, GradientIsThatOfTheFreeEnergy) {
  auto const x = all_states(s);
  auto const e = scalars(1, lanes), c = scalars(1, lanes, [this](Index l) { return l < n ? normal(l, 4) / double(n) : 0; });
  auto const weight = host(c);
  auto const parameters = extent(rbm.parameters(), 0);
  Vector const sum("sum", parameters), means("means", rbm.unit_count());
  rbm.add_energy_gradient(
      seen(x, lanes), seen(e, lanes),
      [&] {
        rbm.add_unit_means(seen(x, lanes), seen(c, lanes), means);
        return seen(c, lanes);
      },
      sum);
  auto const found = to_host(sum), found_means = to_host(means);
  double const step = 1e-4;
  for (Index p = 0; p < parameters; p++) {
    double expected = 0;
    for (double side : {-1., 1.}) {
      Joint moved = joint;
      moved.theta[p] += side * step;
      for (Index v = 0; v < n; v++) expected += side * double(weight(0, v)) * moved.free_energy(codes_of(s, v)) / (2 * step);
    }
    ASSERT_NEAR(found[p], expected, tolerance + 2e-8) << "parameter " << p;
  }
  for (Index u = 0; u < rbm.unit_count(); u++) {
    double expected = 0;
    for (Index v = 0; v < n; v++) {
      auto const h = joint.hidden_given(codes_of(s, v), 1);
      double mean = 0;
      if (u < s.items) mean = codes_of(s, v)[u] > 0;
      else
        for (std::size_t k = 0; k < h.size(); k++) mean += h[k] * unit(Index(k), u - s.items);
      expected += double(weight(0, v)) * mean;
    }
    EXPECT_NEAR(found_means[u], expected, tolerance) << "unit " << u;
  }
}

TEST_P(Ratings, PredictionsAreExact) {
  LevelPredictor const predictor(rbm);
  for (Index state = 0; state < n; state++) {
    Codes v = codes_of(s, state);
    auto const field = predictor.field({v.begin(), v.end()});
    for (Index i = 0; i < s.items; i++) {
      if (v[i] > 0) continue;
      std::vector<double> f;
      for (Index code = 1; code <= s.levels; code++) {
        v[i] = code;
        f.push_back(joint.free_energy(v));
      }
      v[i] = 0;
      auto const p = predictor.probabilities(field, i), expected = probabilities(f);
      for (std::size_t k = 0; k < p.size(); k++) ASSERT_NEAR(p[k], expected[k], tolerance) << "state " << state << ", item " << i;
    }
  }
}

// More hidden units than a vector has numbers: the energy by its closed form, and frequencies given all units on, or all off.
TEST(SoftmaxRbm, WideHiddenLayers) {
  Shape const s{2, 3, 37};
  SoftmaxRbm const rbm = machine_of(s);
  Joint const joint(rbm);
  Index const n = states_of(s), lanes = round_up(n, lane_quantum);
  auto const e = scalars(1, lanes);
  rbm.path_energy(seen(all_states(s), lanes), 1, seen(e, lanes));
  auto const found = host(e);
  for (Index v = 0; v < n; v++) {
    double expected = joint.energy(codes_of(s, v), 0);
    for (Index j = 0; j < s.hidden; j++)
      expected -= std::log1p(std::exp(joint.energy(codes_of(s, v), 0) - joint.energy(codes_of(s, v), Index{1} << j)));
    EXPECT_NEAR(found(0, v), expected, 20 * eps * 40) << "state " << v;
  }
  // With b = +-1000 every hidden unit is on, or off.
  Index const width = 4096, tiles = 4;
  for (Index h : {Index{0}, (Index{1} << s.hidden) - 1}) {
    assign(rbm.hidden_bias(), std::vector<double>(s.hidden, h > 0 ? 1000 : -1000));
    auto const x = points(tiles, s.items, width, [&](Index, Index i) { return i; });  // item 0 is not rated
    sweeps(rbm, x, width, 3, 1);
    auto const after = host(x);
    std::vector<double> counts(3), energies;
    for (Index c = 0; c < tiles * width; c++) counts[std::size_t(after(c / width, 1, c % width)) - 1] += 1. / double(tiles * width);
    for (Index code = 1; code <= 3; code++) energies.push_back(joint.energy({0, code}, h));
    expect_frequencies(counts, probabilities(energies), double(tiles * width));
  }
}

// The gradient of an item is the mean over those who rated it, whatever their number; that of the shared weights over all ratings.
TEST(SoftmaxRbm, EachItemsGradientIsDividedByItsOwnCount) {
  Shape const s{3, 2, 2};
  std::vector<double> const means{0.5, 0.05, 0, 0.3, 0.3};  // the last two: hidden units
  for (double offset : {0., 0.1}) {
    SoftmaxRbm const rbm = machine_of(s, true, offset);
    Vector const gradient = to_device(std::vector<double>(rbm.parameters().extent(0), 1), "gradient");
    rbm.rescale(gradient, to_device(means, "means"));
    auto const found = to_host(gradient);
    double const tolerance = 4 * eps * 20;  // numbers up to 20
    for (std::size_t i = 0; i < 3; i++) {
      double const expected = means[i] + offset > 0 ? 1 / (means[i] + offset) : 0;
      for (std::size_t n = 4 * i; n < 4 * i + 4; n++) EXPECT_NEAR(found[n], expected, tolerance) << "weight " << n;
      for (std::size_t n = 16 + 2 * i; n < 18 + 2 * i; n++) EXPECT_NEAR(found[n], expected, tolerance) << "bias " << n;
    }
    for (std::size_t n = 12; n < 16; n++) EXPECT_NEAR(found[n], 1 / 0.55, tolerance) << "shared weight " << n;
    for (std::size_t n = 22; n < 24; n++) EXPECT_EQ(found[n], 1) << "hidden bias " << n;
  }
}

TEST(SoftmaxRbm, WithoutSharedWeightsTheyStayZero) {
  Shape const s{3, 3, 2};
  SoftmaxRbm rbm = machine_of(s, false);
  for (double w : to_host(rbm.shared_weight())) EXPECT_EQ(w, 0);
  Index const lanes = round_up(states_of(s), lane_quantum);
  auto const x = all_states(s);
  auto const e = scalars(1, lanes), c = scalars(1, lanes);
  fill_array(c, Real(1));
  Vector const sum("sum", rbm.parameters().extent(0));
  rbm.add_energy_gradient(
      seen(x, lanes), seen(e, lanes), [&] { return seen(c, lanes); }, sum);
  auto const found = to_host(sum);
  for (std::size_t n = 0; n < found.size(); n++) EXPECT_EQ(found[n] == 0, n >= 18 && n < 24) << "parameter " << n;
}

TEST(SoftmaxRbm, BiasesStartAtSmoothedFrequencies) {
  SoftmaxRbm rbm({.items = 2, .levels = 2, .hidden = 1, .smoothing = 4});
  rbm.start_from_counts({5, 1, 0, 0});  // shares (5 + 1) / 8 and (1 + 1) / 8
  auto const a = to_host(rbm.visible_bias());
  std::vector<double> const p{8. / 10, 2. / 10, 3. / 4, 1. / 4};
  for (std::size_t n = 0; n < p.size(); n++) EXPECT_NEAR(a[n], std::log(p[n]), 4 * eps);
  LevelPredictor const predictor(rbm);  // weights are zero: the biases decide
  EXPECT_NEAR(predictor.probabilities(predictor.field({0, 0}), 0)[0], 0.8, 4 * eps);
}

TEST(SoftmaxRbm, BlocksCoverTheParameters) {
  SoftmaxRbm const rbm({.items = 4, .levels = 3, .hidden = 5});
  Index next = 0;
  for (auto const& block : rbm.parameter_blocks()) {
    EXPECT_EQ(block.offset, next) << block.name;
    Index count = 1;
    for (Index e : block.extents) count *= e;
    next += count;
  }
  EXPECT_EQ(next, extent(rbm.parameters(), 0));
  EXPECT_EQ(rbm.hidden_biases().first + rbm.hidden_biases().count, next);
}

TEST(SoftmaxRbm, HasNoReferenceAndNoCentring) {
  SoftmaxRbm const rbm({.items = 2, .levels = 2, .hidden = 1});
  EXPECT_THROW(rbm.log_z_reference(), Failure);
  EXPECT_THROW(rbm.centre({}, {}), Failure);
}

}  // namespace
}  // namespace partita::test::machine
