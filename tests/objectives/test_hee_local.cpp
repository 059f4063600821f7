// Local learning of an HEE: its gradient against the drives of the dynamics, bit for bit, and against golden numbers of the reference
// model R2.
#include <gmock/gmock.h>

#include <cmath>

#include "../estimators/hee_reference.hpp"
#include "../optimizers/copy_state.hpp"
#include "core/copy.hpp"
#include "core/require.hpp"
#include "hee_training.hpp"

namespace partita {
namespace {

using test::HeeTraining;
using Values = std::vector<double>;

constexpr bool in_double = sizeof(Real) == 8;
random::Key const key{21, 22};

Values host(ConstVector v) {
  auto const h = values_on_host(v);
  return {h.data(), h.data() + h.size()};
}

std::vector<float> random_points(Index items, Index dimension) {
  std::vector<float> out;
  for (Index k = 0; k < items * dimension; k++) out.push_back(float(standard_normal(int(k))));
  return out;
}

struct Case {
  std::string name;
  HeeOptions model = {.widths = {5, 6, 3}, .f = "tanh"};
  HeeLangevinOptions dynamics = {};
  HeeLocalOptions local = {.steps_per_update = 3, .steps_per_batch = 6};
};
std::ostream& operator<<(std::ostream& out, Case const& c) { return out << c.name; }

// Batches of 90 in tiles of 32: the last has 26 real chains of 32 lanes.
constexpr Index batch = 90, width = 32;
InitialDistribution const initial{InitialState::normal, .7};
std::unique_ptr<HeeTraining> training(Case const& c, Summation summation = Summation::reproducible) {
  return std::make_unique<HeeTraining>(random_points(200, c.model.widths[0]), Hee(c.model, key), c.dynamics, c.local, batch, key, width,
                                       initial, summation);
}

// The gradient once more on one rank, from the dynamics itself: drives of all tiles, added along the tree in Real.
class OneRank {
 public:
  OneRank(HeeTraining const& t, Case const& c)
      : training_(t), case_(c), dynamics_(c.dynamics, t.model), chains_(dynamics_.make_chains(tiling_, all_)) {
    dynamics_.initialise(chains_, key, 0, initial, Visible::clamped);
  }

  Values gradient(Index update) {
    HeeLocalOptions const& o = case_.local;
    if (update % (o.steps_per_batch / o.steps_per_update) == 0) show_batch(update / (o.steps_per_batch / o.steps_per_update));
    std::vector<Vector> drives;
    for (Index tile = 0; tile < all_.count; tile++) {
      drives.emplace_back("drive", training_.model.parameters().extent(0));
      dynamics_.advance_and_learn(chains_, key, tile, step_, o.steps_per_update, drives.back());
    }
    step_ += o.steps_per_update;
    return learnable(scaled(tree_sum(drives)));
  }

 private:
  void show_batch(Index number) {
    training_.batches.fill(chains_.x[0], tiling_, all_, number);
    if (case_.local.latent_start == "redrawn" && number > 0) dynamics_.initialise(chains_, key, number, initial, Visible::clamped);
    dynamics_.advance(chains_, key, all_, step_, case_.local.warmup, Visible::clamped);
    step_ += case_.local.warmup;
  }
  static std::vector<Real> tree_sum(std::vector<Vector> const& drives) {
    std::vector<std::vector<Real>> sums;
    for (Vector const& d : drives) {
      auto const h = values_on_host(d);
      sums.emplace_back(h.data(), h.data() + h.size());
    }
    for (std::size_t apart = 1; apart < sums.size(); apart *= 2)
      for (std::size_t left = 0; left + apart < sums.size(); left += 2 * apart)
        for (std::size_t k = 0; k < sums[left].size(); k++) sums[left][k] += sums[left + apart][k];
    return sums.front();
  }
  Vector scaled(std::vector<Real> const& sum) const {
    double const rate = case_.dynamics.step_size / case_.local.tau_w;
    Real const scale = Real(-rate / double(batch));
    Real const decay = Real(2 * case_.local.lateral_decay * rate * double(case_.local.steps_per_update));
    Vector const out("gradient", sum.size());
    auto const h = Kokkos::create_mirror_view(out);
    auto const theta = values_on_host(training_.model.parameters());
    Index const lateral = training_.model.lateral() ? training_.model.lateral_offset(0) : std::ssize(sum);
    for (std::size_t i = 0; i < sum.size(); i++) h(i) = scale * sum[i] + (Index(i) >= lateral ? decay * theta(i) : Real(0));
    copy_array(out, h);
    return out;
  }
  Values learnable(Vector gradient) const {
    training_.model.keep_learnable(gradient);
    return host(gradient);
  }

  Tiling const tiling_{batch, width};
  TileRange const all_{0, tiling_.tiles()};
  HeeTraining const& training_;
  Case case_;
  HeeLangevin dynamics_;
  HeeChains chains_;
  Index step_ = 0;
};

class Rule : public testing::TestWithParam<Case> {};
INSTANTIATE_TEST_SUITE_P(
    HeeLocal, Rule,
    testing::Values(
        Case{"paper", {.widths = {5, 6, 3}}, {.tau = {1, 5}}, {.steps_per_update = 1, .steps_per_batch = 2}},
        Case{"warmup", {.widths = {5, 6, 3}, .f = "tanh"}, {.replicas = 2}, {.steps_per_update = 3, .steps_per_batch = 6, .warmup = 5}},
        Case{"redrawn",
             {.widths = {5, 6, 3}, .f = "relu"},
             {},
             {.steps_per_update = 4, .steps_per_batch = 8, .warmup = 2, .latent_start = "redrawn"}},
        Case{
            "closed_form", {.widths = {5, 6, 3}}, {.order = "first", .statistic_mean = "closed_form", .integrator = "leimkuhler_matthews"}},
        Case{"sparse", {.widths = {9, 6, 5}, .f = "tanh", .top_bias = "zero", .density = .4}},
        Case{"lateral",
             {.widths = {5, 4, 3}, .g = "lateral", .density = .5},
             {.order = "first"},
             {.tau_w = 2, .steps_per_update = 3, .steps_per_batch = 6, .lateral_decay = .3}}),
    [](auto const& p) { return p.param.name; });

// Five updates over three batches, on every rank the bits of one rank, and so the parameters too.
TEST_P(Rule, AppliesTheDrivesOfTheDynamicsBitForBit) {
  auto const t = training(GetParam());
  OneRank reference(*t, GetParam());
  Values const start = host(t->model.parameters());
  for (Index update = 0; update < 5; update++) {
    Values const expected = reference.gradient(update);
    Vector const gradient = t->objective.gradient(update, t->timers);
    EXPECT_EQ(host(gradient), expected) << "update " << update;
    Values const before = host(t->model.parameters());
    t->apply(gradient);
    Values const after = host(t->model.parameters());
    for (std::size_t i = 0; i < after.size(); i++)
      ASSERT_EQ(after[i], double(Real(Real(before[i]) - Real(expected[i])))) << "parameter " << i;
  }
  Values const end = host(t->model.parameters());
  for (Index l = 0; l < t->model.layers(); l++)
    for (Index i = t->model.weight_offset(l); i < t->model.weight_offset(l) + t->model.width(l) * t->model.width(l + 1); i++) {
      auto const k = std::size_t(i);
      if (GetParam().model.density < 1 && start[k] == 0) EXPECT_EQ(end[k], 0) << "missing connection " << i;
      else EXPECT_NE(end[k], start[k]) << "weight " << i;
    }
}

// Fast summation is right within rounding.
TEST(HeeLocal, FastSummationIsClose) {
  Case const c{"fast"};
  auto const exact = training(c), fast = training(c, Summation::fast);
  for (Index update = 0; update < 3; update++) {
    Values const a = host(exact->objective.gradient(update, exact->timers)), b = host(fast->objective.gradient(update, fast->timers));
    for (std::size_t i = 0; i < a.size(); i++) EXPECT_NEAR(a[i], b[i], in_double ? 1e-16 : 1e-7);  // gradients are of order 1e-3
  }
}

// ---- Golden numbers ----

// The drives that unchanged parameters give: -gradient tau_w / (k dt), and its error from updates apart by many relaxation times.
struct Drive {
  Values mean, error;
};
Drive long_run(HeeLangevinOptions const& dynamics, double time, Index updates) {
  Index const chains = in_double ? 256 : 1024;
  std::vector<float> points;
  for (Index c = 0; c < chains; c++) points.insert(points.end(), reference_x0.begin(), reference_x0.end());
  Index const k = std::lround(time / dynamics.step_size);
  HeeLocalOptions const local{.steps_per_update = k, .steps_per_batch = k * updates, .warmup = k};
  HeeTraining t(points, reference_model(), dynamics, local, chains, key);
  std::size_t const n = t.model.parameters().extent(0);
  Drive d{Values(n), Values(n)};
  double const m = double(updates);
  for (Index update = 0; update < updates; update++) {
    Values const gradient = host(t.objective.gradient(update, t.timers));
    for (std::size_t i = 0; i < n; i++) {
      double const drive = -gradient[i] * local.tau_w / (double(k) * dynamics.step_size);
      d.mean[i] += drive / m, d.error[i] += drive * drive / m;
    }
  }
  for (std::size_t i = 0; i < n; i++) d.error[i] = std::sqrt((d.error[i] - d.mean[i] * d.mean[i]) / (m - 1));
  return d;
}
void expect_drive(Drive const& d, Index offset, Values const& golden) {
  for (std::size_t i = 0; i < golden.size(); i++) {
    std::size_t const p = std::size_t(offset) + i;
    EXPECT_NEAR(d.mean[p], golden[i], 4 * d.error[p] + 1e-6) << "parameter " << p;
    EXPECT_LT(d.error[p], .004) << "parameter " << p;
  }
}

// The method of Leimkuhler and Matthews has no bias on Gaussians, whatever the step.
TEST(HeeLocal, DriveIsTheGradientOfTheLikelihood) {
  Hee const model = reference_model();
  auto const d = long_run({.step_size = .1, .order = "first", .statistic_mean = "closed_form", .integrator = "leimkuhler_matthews"}, 8, 32);
  expect_drive(d, model.weight_offset(0), {-.098267, .023715, -.123563, -.145842, .227297, -.138690});
  expect_drive(d, model.weight_offset(1), {-.064935, .008240, .034924, -.051646});
  expect_drive(d, model.bias_offset(0), {.451554, -.221592, .407751});
  expect_drive(d, model.bias_offset(1), {.049825, -.119975});
  expect_drive(d, model.bias_offset(2), {.046416, -.031010});
}
// Their bias at tau_u = .1 and dt = .01 is part of the golden numbers.
TEST(HeeLocal, DriveOfInterneuronsHasItsKnownBias) {
  Hee const model = reference_model();
  auto const d = long_run({.step_size = .01, .order = "first", .tau_u = .1}, 2, 20);
  expect_drive(d, model.weight_offset(0), {-.072971, .012021, -.112080, -.119355, .209794, -.128926});
  expect_drive(d, model.bias_offset(0), {.451554, -.221592, .407751});
}

// ---- State, report and refusals ----

TEST(HeeLocal, StateInACheckpointContinuesWithTheSameBits) {
  for (std::string const start : {"warm", "redrawn"}) {
    Case const c{start,
                 {.widths = {5, 6, 3}, .f = "tanh"},
                 {.replicas = 2},
                 {.steps_per_update = 3, .steps_per_batch = 6, .warmup = 2, .latent_start = start}};
    auto const first = training(c), second = training(c);
    second->run(0, 1);
    first->run(0, 3);  // amid the second batch
    test::copy_state(first->objective, second->objective);
    copy_array(second->model.parameters(), first->model.parameters());
    second->model.parameters_changed();
    first->run(3, 4), second->run(3, 4);
    EXPECT_EQ(host(first->model.parameters()), host(second->model.parameters()));
    EXPECT_EQ(first->objective.report(6), second->objective.report(6));
  }
}

// Where the latent layers of a new batch start decides what follows, and only there.
TEST(HeeLocal, WarmAndRedrawnStartsPartAtTheSecondBatch) {
  Case warm{"warm"}, redrawn{"redrawn"};
  redrawn.local.latent_start = "redrawn";
  auto const a = training(warm), b = training(redrawn);
  a->run(0, 2), b->run(0, 2);
  EXPECT_EQ(host(a->model.parameters()), host(b->model.parameters()));
  a->run(2, 1), b->run(2, 1);
  EXPECT_NE(host(a->model.parameters()), host(b->model.parameters()));
}

// log p(x_0:L) = -sum_l |x_l - eta_l / 2|^2 - N/2 log pi, the mean over all chains.
TEST(HeeLocal, ReportsTheMeanLogDensityOfItsChains) {
  HeeTraining t(random_points(200, 3), reference_model(), {}, {.steps_per_update = 5, .steps_per_batch = 10}, batch, key, width);
  t.objective.gradient(0, t.timers);
  auto const layers = reference_layers();
  HeeChains const& chains = t.objective.latent_chains();
  std::vector<decltype(values_on_host(chains.x[0]))> x;
  for (auto const& layer : chains.x) x.push_back(values_on_host(layer));
  double sum = 0;
  for (Index tile = 0; tile < chains.mine.count; tile++)
    for (Index lane = 0; lane < chains.tiling.chains_in(chains.mine.first + tile); lane++) {
      sum -= 3.5 * std::log(M_PI);
      for (std::size_t l = 0; l < layers.size(); l++)
        for (std::size_t i = 0; i < layers[l].bias.size(); i++) {
          double eta = layers[l].bias[i];
          for (Index j = 0; j < layers[l].weight.columns; j++) eta += layers[l].weight(Index(i), j) * double(x[l + 1](tile, j, lane));
          sum -= std::pow(double(x[l](tile, i, lane)) - eta / 2, 2);
        }
    }
  double total = 0;
  for (double part : Communicator::world().all_gather(Values{sum})) total += part;
  Values const report = t.objective.report(0);
  ASSERT_EQ(report.size(), t.objective.series().size());
  EXPECT_NEAR(report[0], total / batch, 1e-4);
}

TEST(HeeLocal, CountsItsStepsEpochsAndBytes) {
  Case const c{"counts", {.widths = {5, 6, 3}}, {}, {.steps_per_update = 3, .steps_per_batch = 6, .warmup = 4}};
  auto const t = training(c);
  EXPECT_EQ(t->objective.chain_steps_per_update(), batch * 5);
  HeeChains const& chains = t->objective.latent_chains();
  ArrayList list;
  HeeLocal::list(Arrays(list), HeeLangevin(c.dynamics, t->model),
                 {chains.tiling, Communicator::world().rank(), Communicator::world().ranks()}, Summation::fast);
  std::size_t numbers = 0;
  for (auto const* set : {&chains.x, &chains.v, &chains.u})
    for (TileStorage const& layer : *set) numbers += layer.size();
  EXPECT_GE(list.bytes(), double(numbers * sizeof(Real)));
  EXPECT_EQ(t->objective.epoch(5), t->batches.epoch(2));
}

TEST(HeeLocal, NamesAChainThatIsNotFinite) {
  auto const t = training({"nan"});
  t->objective.gradient(0, t->timers);
  t->objective.require_finite(0);
  HeeChains const& chains = t->objective.latent_chains();
  fill_array(Kokkos::subview(chains.x[2], Kokkos::ALL, 1, 3), Real(NAN));
  try {
    t->objective.require_finite(1);
    FAIL() << "a NaN was accepted";
  } catch (Failure const& f) {
    EXPECT_EQ(f.code(), ExitCode::numerical);
    EXPECT_THAT(f.what(), testing::HasSubstr("3"));
  }
}

TEST(HeeLocal, RefusesABatchThatIsNoWholeNumberOfUpdates) {
  try {
    training({"refused", {.widths = {5, 6, 3}}, {}, {.steps_per_update = 10, .steps_per_batch = 95}});
    FAIL() << "95 steps of a batch in updates of 10 were accepted";
  } catch (Failure const& f) {
    EXPECT_EQ(f.code(), ExitCode::usage);
    EXPECT_EQ(f.where(), FailedOn::all_ranks);
    EXPECT_THAT(f.what(), testing::HasSubstr("objective.steps_per_batch = 95 is not a multiple of objective.steps_per_update = 10"));
    EXPECT_THAT(f.what(), testing::HasSubstr("use 100"));
  }
}

}  // namespace
}  // namespace partita
