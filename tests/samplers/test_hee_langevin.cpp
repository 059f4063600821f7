// The dynamics of an HEE against its equations written out in double for one chain at a time (given the same keyed normals), against the
// golden numbers of the reference model R2, and against the exact law of its linear recursion.
#include <gmock/gmock.h>

#include "core/copy.hpp"
#include "core/require.hpp"
#include "samplers/hee_langevin.hpp"
#include "sampling.hpp"

namespace {

using namespace partita;
using Row = std::vector<double>;

auto const key = random::make_key(5);
constexpr bool in_double = sizeof(Real) == 8;

std::size_t at(Index i) { return std::size_t(i); }

void set_parameters(Hee& model, std::function<double(Index)> const& value) {
  auto const host = Kokkos::create_mirror_view(model.parameters());
  for (Index i = 0; i < extent(host, 0); i++) host(i) = Real(value(i));
  copy_array(model.parameters(), host);
  model.parameters_changed();
}

// The reference model R2, n = (3, 2, 2).
Row const r2_w0{1, -.5, .3, .8, -.7, .4}, r2_w1{.9, .2, -.4, .6}, r2_b0{.2, -.1, .4}, r2_b1{.3, -.2}, r2_b2{-.1, .5}, r2_x0{.7, -.3, .5};
std::unique_ptr<Hee> r2() {
  auto model = std::make_unique<Hee>(HeeOptions{.widths = {3, 2, 2}}, key);
  auto const host = Kokkos::create_mirror_view(model->parameters());
  auto const put = [&](Index offset, Row const& values) {
    for (std::size_t i = 0; i < values.size(); i++) host(offset + Index(i)) = Real(values[i]);
  };
  put(model->weight_offset(0), r2_w0), put(model->weight_offset(1), r2_w1);
  put(model->bias_offset(0), r2_b0), put(model->bias_offset(1), r2_b1), put(model->bias_offset(2), r2_b2);
  copy_array(model->parameters(), host);
  model->parameters_changed();
  return model;
}

// ---- The equations of docs/theory/hee.md for one chain ----

struct Chain {
  std::vector<Row> x, v, u;  // [l]; u[l] replica by replica

  Row flat() const {
    Row all;
    for (auto const* set : {&x, &v, &u})
      for (Row const& layer : *set) all.insert(all.end(), layer.begin(), layer.end());
    return all;
  }
  void set(Row const& all) {
    auto from = all.begin();
    for (auto* set : {&x, &v, &u})
      for (Row& layer : *set)
        for (double& value : layer) value = *from++;
  }
};

struct Curve {
  double value, slope;
};
Curve transfer(Transfer f, double x) {
  switch (f) {
    case Transfer::identity:
      return {x, 1};
    case Transfer::tanh:
      return {std::tanh(x), 1 - std::tanh(x) * std::tanh(x)};
    case Transfer::softplus:
      return {std::log1p(std::exp(x)), 1 / (1 + std::exp(-x))};
    case Transfer::relu:
      return {std::max(x, 0.), x > 0 ? 1. : 0.};
  }
  return {};
}
Curve statistic(Statistic phi, double x) { return transfer(phi == Statistic::tanh ? Transfer::tanh : Transfer::identity, x); }

struct Theory {
  Hee const& model;
  HeeLangevinOptions o;
  Row tau = relaxation_times(o.tau, model.layers());
  std::vector<Hee::Layer> layers = model.host_layers();
  Visible visible = Visible::clamped;

  Index fast_layers() const { return o.statistic_mean == "interneuron" ? model.layers() + (model.gaussian_conditionals() ? 0 : 1) : 0; }
  Chain empty() const {
    Chain c;
    for (Index l = 0; l <= model.layers(); l++) c.x.push_back(Row(at(model.width(l))));
    if (o.order == "second")
      for (Index l = 1; l <= model.layers(); l++) c.v.push_back(Row(at(model.width(l))));
    for (Index l = 0; l < fast_layers(); l++) c.u.push_back(Row(at(o.replicas * model.width(l))));
    return c;
  }
  // Where a fresh draw needs a normal though there is no fast neuron, its noise stands here.
  Chain noise_shape() const {
    Chain c = empty();
    if (o.statistic_mean == "fresh")
      for (Index l = 0; l < model.layers(); l++) c.u.push_back(Row(at(o.replicas * model.width(l))));
    return c;
  }

  Row eta(Chain const& c, Index l) const {
    auto const& layer = layers[at(l)];
    Row e = layer.bias;
    if (l < model.layers())
      for (Index i = 0; i < model.width(l); i++)
        for (Index j = 0; j < model.width(l + 1); j++) e[at(i)] += layer.weight(i, j) * transfer(model.f(), c.x[at(l + 1)][at(j)]).value;
    return e;
  }
  // g'(x) of all units of a layer.
  Row base_slope(Index l, Row const& x) const {
    Row s(x.size());
    auto const& q = layers[at(l)].coupling;
    for (std::size_t i = 0; i < x.size(); i++) {
      if (model.g() == BaseMeasure::quadratic) s[i] = -2 * x[i];
      else if (model.g() == BaseMeasure::quartic) s[i] = -4 * x[i] * x[i] * x[i];
      else
        for (std::size_t j = 0; j < x.size(); j++) s[i] -= 2 * q(Index(i), Index(j)) * x[j];
    }
    return s;
  }
  Row replica(Row const& u, Index r, Index n) const { return Row(u.begin() + r * n, u.begin() + (r + 1) * n); }
  // phi(x_l) - A'(eta_l), or what stands for A'.
  Row eps(Chain const& c, Chain const& noise, Index l) const {
    Row const e = eta(c, l);
    Row out(e.size());
    Index const n = model.width(l);
    for (Index i = 0; i < n; i++) {
      double mean = 0;
      if (l < fast_layers())
        for (Index r = 0; r < o.replicas; r++) mean += statistic(model.phi(), c.u[at(l)][at(r * n + i)]).value / double(o.replicas);
      else {
        mean = e[at(i)] / 2;
        if (o.statistic_mean == "fresh" && l < model.layers())
          for (Index r = 0; r < o.replicas; r++) mean += std::sqrt(.5) * noise.u[at(l)][at(r * n + i)] / double(o.replicas);
      }
      out[at(i)] = statistic(model.phi(), c.x[at(l)][at(i)]).value - mean;
    }
    return out;
  }
  double tamed(double force, double t) const {
    bool const tame = o.drift == "tamed" || (o.drift == "automatic" && model.g() == BaseMeasure::quartic);
    return tame ? force / (1 + o.step_size * std::abs(force) / t) : force;
  }

  // One step of a chain; eta_0 of the drift of x_0 may be a mean over chains.
  void step(Chain& c, Chain const& noise, Row const& visible_eta) const {
    Chain const old = c;
    double const dt = o.step_size;
    for (Index l = 0; l <= model.layers(); l++) {
      Row const field = l == 0 ? visible_eta : eta(old, l), slope = base_slope(l, old.x[at(l)]);
      double const t = l == 0 ? o.tau_0 : tau[at(l - 1)], tau_v = o.tau_v * t;
      Row const below = l > 0 ? eps(old, noise, l - 1) : Row{};
      for (Index i = 0; i < model.width(l) && (l > 0 || visible != Visible::clamped); i++) {
        double const x = old.x[at(l)][at(i)];
        double force = statistic(model.phi(), x).slope * field[at(i)] + slope[at(i)];
        for (Index k = 0; l > 0 && k < model.width(l - 1); k++)
          force += transfer(model.f(), x).slope * layers[at(l - 1)].weight(k, i) * below[at(k)];
        force = tamed(force, t);
        bool const second = l > 0 && o.order == "second";
        double const v = second ? old.v[at(l - 1)][at(i)] : 0;
        c.x[at(l)][at(i)] += dt / t * (force - v) + std::sqrt(2 * dt / t) * noise.x[at(l)][at(i)];
        if (second)
          c.v[at(l - 1)][at(i)] += dt / tau_v * (-v - o.m * force) + std::sqrt(2 * o.m * t * dt) / tau_v * noise.v[at(l - 1)][at(i)];
      }
    }
    for (Index l = 0; l < fast_layers(); l++) {
      Row const field = eta(old, l);
      Index const n = model.width(l);
      for (Index r = 0; r < o.replicas; r++) {
        Row const ur = replica(old.u[at(l)], r, n), slope = base_slope(l, ur);
        for (Index i = 0; i < n; i++)
          c.u[at(l)][at(r * n + i)] +=
              dt / o.tau_u * tamed(statistic(model.phi(), ur[at(i)]).slope * field[at(i)] + slope[at(i)], o.tau_u) +
              std::sqrt(2 * dt / o.tau_u) * noise.u[at(l)][at(r * n + i)];
      }
    }
  }

  // The normals of a step of a chain; first_chain: of the group that shares x_0.
  Chain noise(Index chain, Index first_chain, Index step) const {
    Chain n = noise_shape();
    Index groups = 0;
    for (Index l = 0; l <= model.layers(); l++) groups += divide_up(model.width(l), 4);
    auto const normal = [&](Index c, random::Stream stream, Index draw, Index i) {
      auto const once = [&](Index s) {
        auto const w = random::words(key, std::uint64_t(c), stream, std::uint64_t(s), std::uint32_t(draw + i / 4));
        auto const p = random::normal_pair(w.w[i % 4 / 2 * 2], w.w[i % 4 / 2 * 2 + 1], Real());
        return double(i % 2 ? p.b : p.a);
      };
      return o.integrator == "euler" ? once(step) : (once(step) + once(step + 1)) / 2;
    };
    Index draw = 0;
    for (Index l = 0; l <= model.layers(); l++) {
      Index const width = model.width(l);
      for (Index i = 0; i < width; i++) {
        n.x[at(l)][at(i)] = normal(l == 0 ? first_chain : chain, random::Stream::hee_units, draw, i);
        if (l > 0 && !n.v.empty()) n.v[at(l - 1)][at(i)] = normal(chain, random::Stream::hee_adaptation, draw, i);
        for (Index r = 0; l < std::ssize(n.u) && r < o.replicas; r++)
          n.u[at(l)][at(r * width + i)] = normal(chain, random::Stream::hee_fast_neurons, r * groups + draw, i);
      }
      draw += divide_up(width, 4);
    }
    return n;
  }

  // What a chain adds to the learning drive at its present state.
  void add_drive(Chain const& c, Chain const& noise_now, Row& drive) const {
    for (Index l = 0; l <= model.layers(); l++) {
      Index const n = model.width(l);
      Row const e = eps(c, noise_now, l);
      for (Index i = 0; i < n; i++) {
        drive[at(model.bias_offset(l) + i)] += e[at(i)];
        for (Index j = 0; l < model.layers() && j < model.width(l + 1); j++)
          drive[at(model.weight_offset(l) + i * model.width(l + 1) + j)] += e[at(i)] * transfer(model.f(), c.x[at(l + 1)][at(j)]).value;
      }
      if (!model.lateral()) continue;
      auto const s = values_on_host(model.parameters());
      auto const add = [&](Row const& y, double weight) {
        for (Index i = 0; i < n; i++)
          for (Index j = 0; j < n; j++)
            for (Index k = 0; k < n; k++)
              drive[at(model.lateral_offset(l) + i * n + j)] +=
                  weight * double(s(model.lateral_offset(l) + i * n + k)) * y[at(k)] * y[at(j)];
      };
      add(c.x[at(l)], -2);
      for (Index r = 0; r < o.replicas; r++) add(replica(c.u[at(l)], r, n), 2. / double(o.replicas));
    }
  }
};

// ---- Chains of the sampler, read and written ----

// All chains of these tiles, in the order of their numbers.
std::vector<Chain> read(HeeChains const& chains, Theory const& theory) {
  Chain const empty = theory.empty();
  std::vector<Chain> all;
  for (Index t = 0; t < chains.mine.count; t++) all.insert(all.end(), at(chains.tiling.chains_in(chains.mine.first + t)), empty);
  auto const take = [&](std::vector<TileStorage> const& from, std::vector<Row> Chain::*to) {
    for (std::size_t l = 0; l < (empty.*to).size(); l++) {
      auto const host = values_on_host(from[l]);
      for (Index c = 0; c < std::ssize(all); c++) {
        Row& row = (all[at(c)].*to)[l];
        for (std::size_t i = 0; i < row.size(); i++) row[i] = double(host(c / chains.tiling.width, i, c % chains.tiling.width));
      }
    }
  };
  take(chains.x, &Chain::x), take(chains.v, &Chain::v), take(chains.u, &Chain::u);
  return all;
}
// Gives all chains these values of a layer.
void fill_layer(TileStorage const& layer, Row const& values) {
  for (std::size_t i = 0; i < values.size(); i++) fill_array(Kokkos::subview(layer, Kokkos::ALL, i, Kokkos::ALL), Real(values[i]));
}
void write_all(HeeChains const& chains, Chain const& c) {
  for (std::size_t l = 0; l < c.x.size(); l++) fill_layer(chains.x[l], c.x[l]);
  for (std::size_t l = 0; l < c.v.size(); l++) fill_layer(chains.v[l], c.v[l]);
  for (std::size_t l = 0; l < c.u.size(); l++) fill_layer(chains.u[l], c.u[l]);
}
void clamp(HeeChains const& chains, Row const& x0) { fill_layer(chains.x[0], x0); }
TileRange all(HeeChains const& c) { return {0, c.mine.count}; }
HeeChains start(HeeLangevin const& sampler, Index count, Index width, Visible visible = Visible::clamped, Index group = 1) {
  Tiling const tiling{count, width};
  HeeChains const chains = sampler.make_chains(tiling, {0, tiling.tiles()});
  if (visible == Visible::clamped) sampler.initialise(chains, key, 7, {InitialState::normal, .6}, Visible::free);  // x_0 as good as data
  sampler.initialise(chains, key, 0, {InitialState::normal, .6}, visible, group);
  return chains;
}

// ---- Every variant against the equations ----

struct Variant {
  std::string name;
  HeeOptions model{.widths = {5, 6, 3}};
  HeeLangevinOptions dynamics;
};
std::ostream& operator<<(std::ostream& out, Variant const& v) { return out << v.name; }

class Equations : public testing::TestWithParam<Variant> {};
INSTANTIATE_TEST_SUITE_P(
    HeeLangevin, Equations,
    testing::Values(Variant{"second_order", {.widths = {5, 6, 3}}, {.tau = {1, 5.5}}},
                    Variant{"deep", {.widths = {3, 5, 4, 2, 9}, .f = "tanh"}, {.tau = {1, 4}, .replicas = 3}},
                    Variant{"closed_form", {.widths = {5, 6, 3}, .f = "softplus"}, {.tau = {2}, .statistic_mean = "closed_form"}},
                    Variant{"fresh", {.widths = {5, 6, 3}, .f = "relu"}, {.replicas = 2, .statistic_mean = "fresh"}},
                    Variant{"first_order", {.widths = {5, 6, 3}, .f = "tanh"}, {.order = "first", .tau_u = .3}},
                    Variant{"leimkuhler_matthews", {.widths = {4, 3}}, {.order = "first", .integrator = "leimkuhler_matthews"}},
                    Variant{"quartic", {.widths = {5, 6, 3}, .f = "softplus", .g = "quartic"}, {.order = "first", .replicas = 2}},
                    Variant{"tanh_statistic", {.widths = {5, 6, 3}, .f = "tanh", .phi = "tanh"}, {.drift = "tamed"}},
                    Variant{"lateral", {.widths = {5, 6, 3}, .g = "lateral", .lateral_density = .6}, {.tau_u = .2, .replicas = 2}},
                    Variant{"sparse", {.widths = {9, 6, 5}, .f = "tanh", .top_bias = "zero", .density = .4}, {}}),
    [](auto const& p) { return p.param.name; });

std::unique_ptr<Hee> model_of(Variant const& v) {
  auto model = std::make_unique<Hee>(v.model, key);
  auto const theta = values_on_host(model->parameters());
  set_parameters(*model, [&](Index i) { return .8 * double(theta(i)) + (theta(i) != 0 ? .1 * std::sin(3. * double(i)) : 0); });
  for (Index l = 0; l <= model->layers(); l++) {
    auto const host = values_on_host(model->parameters());
    for (Index i = 0; i < model->width(l); i++) host(model->bias_offset(l) + i) = Real(.3 * std::cos(double(i + l)));
    copy_array(model->parameters(), host);
  }
  model->parameters_changed();
  return model;
}

// 100 chains in tiles of 64: the last has 36 real chains of 48 lanes.
constexpr Index chain_count = 100, tile_width = 64, some_steps = 5;
double const close_to = in_double ? 1e-11 : 2e-5;

void expect_equations(Variant const& variant, Visible visible, Index group) {
  auto const model = model_of(variant);
  HeeLangevin sampler(variant.dynamics, *model);
  HeeChains const chains = start(sampler, chain_count, tile_width, visible, group);
  Theory theory{*model, variant.dynamics};
  theory.visible = visible;
  std::vector<Chain> expected = read(chains, theory);
  Row drive(model->parameters().extent(0));
  for (Index step = 3; step < 3 + some_steps; step++) {
    std::vector<Row> visible_eta;
    for (auto const& c : expected) visible_eta.push_back(theory.eta(c, 0));
    for (Index c = 0; c < chain_count; c++) {
      Row mean(at(model->width(0)));
      Index const first = c / group * group;
      for (std::size_t i = 0; i < mean.size(); i++)
        for (Index k = 0; k < group; k++) mean[i] += visible_eta[at(first + k)][i] / double(group);
      Chain const noise = theory.noise(c, first, step);
      theory.add_drive(expected[at(c)], noise, drive);
      theory.step(expected[at(c)], noise, mean);
    }
  }
  if (visible == Visible::clamped) {
    Vector const sum("drive", drive.size());
    for (Index t = 0; t < chains.mine.count; t++) sampler.advance_and_learn(chains, key, t, 3, some_steps, sum);
    auto const host = values_on_host(sum);
    for (std::size_t i = 0; i < drive.size(); i++)
      EXPECT_NEAR(double(host(i)), drive[i], 20 * close_to * (1 + std::abs(drive[i]))) << "parameter " << i;
  } else {
    sampler.advance(chains, key, all(chains), 3, some_steps, visible, group);
  }
  auto const found = read(chains, theory);
  for (Index c = 0; c < chain_count; c++) {
    Row const is = found[at(c)].flat(), should = expected[at(c)].flat();
    for (std::size_t i = 0; i < is.size(); i++)
      ASSERT_NEAR(is[i], should[i], close_to * (1 + std::abs(should[i]))) << "chain " << c << " entry " << i;
  }
}

TEST_P(Equations, ClampedAndLearning) { expect_equations(GetParam(), Visible::clamped, 1); }
TEST_P(Equations, FreeVisibleLayer) { expect_equations(GetParam(), Visible::free, 1); }
TEST_P(Equations, SharedVisibleLayer) { expect_equations(GetParam(), Visible::shared, 4); }

// ---- Bits ----

std::vector<Row> states(HeeChains const& chains, Theory const& theory) {
  std::vector<Row> out;
  for (Chain const& c : read(chains, theory)) out.push_back(c.flat());
  return out;
}

TEST_P(Equations, BitsDependOnTheChainAlone) {
  auto const model = model_of(GetParam());
  Theory const theory{*model, GetParam().dynamics};
  for (Visible const visible : {Visible::clamped, Visible::free}) {
    HeeLangevin sampler(GetParam().dynamics, *model);
    Tiling const tiling{chain_count, 32};
    auto const run = [&](TileRange mine, std::vector<Index> const& cuts) {
      HeeChains const chains = sampler.make_chains(tiling, mine);
      sampler.initialise(chains, key, 0, {}, Visible::free);
      Index step = 0;
      for (Index n : cuts) sampler.advance(chains, key, all(chains), step, n, visible), step += n;
      return states(chains, theory);
    };
    auto const whole = run({0, tiling.tiles()}, {11});
    EXPECT_EQ(run({0, tiling.tiles()}, {1, 4, 0, 6}), whole);
    for (int ranks : {2, 3}) {
      std::vector<Row> together;
      for (int rank = 0; rank < ranks; rank++)
        for (auto& row : run(share_of_tiles(tiling.tiles(), rank, ranks), {11})) together.push_back(std::move(row));
      EXPECT_EQ(together, whole) << ranks << " ranks";
    }
  }
}

TEST_P(Equations, LearningLeavesTheBitsOfTheDynamicsToTheCutsOfTheSteps) {
  auto const model = model_of(GetParam());
  Theory const theory{*model, GetParam().dynamics};
  HeeLangevin sampler(GetParam().dynamics, *model);
  auto const run = [&](std::vector<Index> const& cuts) {
    HeeChains const chains = start(sampler, chain_count, tile_width);
    Vector const sum("drive", model->parameters().extent(0));
    for (Index t : {1, 0}) {
      Index step = 0;
      for (Index n : cuts) sampler.advance_and_learn(chains, key, t, step, n, sum), step += n;
    }
    return states(chains, theory);
  };
  EXPECT_EQ(run({1, 12, 4, 3}), run({20}));
}

// ---- Golden numbers of R2 ----

Chain golden_start(Theory const& t) {
  Chain c = t.empty();
  c.x = {r2_x0, {.25, -.4}, {.6, .1}};
  if (!c.v.empty()) c.v = {{.1, -.2}, {-.3, .4}};
  c.u = {{.3, .2, -.1}, {.05, .15}};
  return c;
}

void expect_rows(Row const& is, Row const& should, double tolerance) {
  ASSERT_EQ(is.size(), should.size());
  for (std::size_t i = 0; i < is.size(); i++) EXPECT_NEAR(is[i], should[i], tolerance) << "entry " << i;
}

TEST(HeeLangevin, OneStepOfTheReferenceModel) {
  double const tolerance = in_double ? 1e-9 : 1e-6, tau_w = 10;
  auto const model = r2();
  for (std::string const order : {"first", "second"}) {
    HeeLangevinOptions const o{.step_size = .01, .tau = {1, 5.5}, .order = order, .tau_v = .5, .m = .5, .tau_u = .1};
    HeeLangevin sampler(o, *model);
    Theory const theory{*model, o};
    HeeChains const chains = sampler.make_chains({16, 16}, {0, 1});
    write_all(chains, golden_start(theory));
    Vector const drive("drive", model->parameters().extent(0));
    sampler.advance_and_learn(chains, key, 0, 4, 1, drive);
    auto const sum = values_on_host(drive);
    auto const learnt = [&](Index offset, Row const& from) {
      Row to = from;
      for (std::size_t i = 0; i < to.size(); i++) to[i] += o.step_size / tau_w * double(sum(offset + Index(i))) / 16;
      return to;
    };
    expect_rows(learnt(model->weight_offset(0), r2_w0), {1.0001, -.50016, .299875, .8002, -.69985, .39976}, tolerance);
    expect_rows(learnt(model->weight_offset(1), r2_w1), {.90012, .20002, -.40033, .599945}, tolerance);
    expect_rows(learnt(model->bias_offset(0), r2_b0), {.2004, -.1005, .4006}, tolerance);
    expect_rows(learnt(model->bias_offset(1), r2_b1), {.3002, -.20055}, tolerance);
    expect_rows(learnt(model->bias_offset(2), r2_b2), {-.09935, .49985}, tolerance);
    auto const found = read(chains, theory);
    for (Index lane : {0, 9}) {
      Chain c = found[at(lane)];
      Chain const noise = theory.noise(lane, lane, 4);
      double const dt = .01, tau[2] = {1, 5.5};
      for (std::size_t l = 0; l < 2; l++)
        for (std::size_t i = 0; i < 2; i++) {
          c.x[l + 1][i] -= std::sqrt(2 * dt / tau[l]) * noise.x[l + 1][i];
          if (order == "second") c.v[l][i] -= std::sqrt(2 * .5 * tau[l] * dt) / (.5 * tau[l]) * noise.v[l][i];
        }
      for (std::size_t l = 0; l < 2; l++)
        for (std::size_t i = 0; i < c.u[l].size(); i++) c.u[l][i] -= std::sqrt(2 * dt / .1) * noise.u[l][i];
      expect_rows(c.u[0], {.305, .1255, -.0735}, tolerance);
      expect_rows(c.u[1], {.126, .082}, tolerance);
      expect_rows(c.x[1], order == "first" ? Row{.2519, -.3994} : Row{.2509, -.3974}, tolerance);
      expect_rows(c.x[2], order == "first" ? Row{.598363636, .100018182} : Row{.598909091, .099290909}, tolerance);
      if (order == "second") {
        expect_rows(c.v[0], {.0961, -.1966}, tolerance);
        expect_rows(c.v[1], {-.297272727, .398527273}, tolerance);
      }
    }
  }
}

// ---- Laws of the linear member ----

// Mean and covariance of a chain's state, step by step: z <- M z + c + B N_n, or B (N_n + N_n+1) / 2.
struct Law {
  Row mean, shift;
  Matrix covariance, m, b;
  Matrix with_noise;  // E[z N_n'], of Leimkuhler and Matthews
  bool averaged;

  Law(Theory const& t, Row const& start_mean, Row const& start_variance) : mean(start_mean), averaged(t.o.integrator != "euler") {
    Chain const zero = t.empty(), silent = t.noise_shape();
    auto const n = std::ssize(mean), normals = std::ssize(silent.flat());
    auto const step = [&](Row const& z, Row const& xi) {
      Chain c = zero, noise = silent;
      c.set(z), noise.set(xi);
      t.step(c, noise, t.eta(c, 0));
      return c.flat();
    };
    auto const unit = [](Index size, Index j) {
      Row e(at(size));
      if (j >= 0) e[at(j)] = 1;
      return e;
    };
    shift = step(unit(n, -1), unit(normals, -1));
    covariance = m = Matrix(n, n), b = with_noise = Matrix(n, normals);
    for (Index j = 0; j < n; j++) {
      covariance(j, j) = start_variance[at(j)];
      Row const column = step(unit(n, j), unit(normals, -1));
      for (Index i = 0; i < n; i++) m(i, j) = column[at(i)] - shift[at(i)];
    }
    for (Index j = 0; j < normals; j++) {
      Row const column = step(unit(n, -1), unit(normals, j));
      for (Index i = 0; i < n; i++) b(i, j) = column[at(i)] - shift[at(i)];
    }
  }
  void step() {
    auto const n = std::ssize(mean);
    Row next = shift;
    for (Index i = 0; i < n; i++)
      for (Index j = 0; j < n; j++) next[at(i)] += m(i, j) * mean[at(j)];
    mean = next;
    Matrix const cross = scaled(m * with_noise * transposed(b), averaged ? .5 : 0);
    covariance = sum(sum(m * covariance * transposed(m), scaled(b * transposed(b), averaged ? .5 : 1)), sum(cross, transposed(cross)));
    with_noise = scaled(b, averaged ? .5 : 0);
  }
  static Matrix transposed(Matrix const& a) {
    Matrix t(a.columns, a.rows);
    for (Index i = 0; i < a.rows; i++)
      for (Index j = 0; j < a.columns; j++) t(j, i) = a(i, j);
    return t;
  }
  static Matrix sum(Matrix a, Matrix const& c) {
    for (std::size_t i = 0; i < a.values.size(); i++) a.values[i] += c.values[i];
    return a;
  }
};

struct Golden {
  std::size_t first;  // entry of the chain's state
  Row variance, mean;
};

// Many chains against the law of their times: per chain the time averages of z - mean and (z - mean)(z - mean)' - covariance, independent
// numbers of mean zero, within four standard errors; the law itself against the golden numbers in the long run.
void expect_law(HeeLangevinOptions const& o, Visible visible, Golden const& golden) {
  Index const count = in_double ? 1024 : 8192;  // normals in double are slow
  double const largest_error = in_double ? .015 : .005;
  double const apart = .6, warmup = 1.5;
  Index const snapshots = 20;
  auto const model = r2();
  HeeLangevin sampler(o, *model);
  Theory theory{*model, o};
  theory.visible = visible;
  Tiling const tiling{count, 256};
  HeeChains const chains = sampler.make_chains(tiling, {0, tiling.tiles()});
  sampler.initialise(chains, key, 0, {InitialState::normal, .65}, Visible::free);
  Chain mean = theory.empty(), variance = theory.empty();
  for (auto& row : variance.x) row.assign(row.size(), .65 * .65);
  for (auto& row : variance.v) row.assign(row.size(), o.m / o.tau_v);
  for (auto& row : variance.u) row.assign(row.size(), .5);
  if (visible == Visible::clamped) clamp(chains, r2_x0), mean.x[0] = r2_x0, variance.x[0].assign(3, 0);
  Law law(theory, mean.flat(), variance.flat());
  std::size_t const n = law.mean.size();
  std::vector<Row> sums(at(count), Row(n + n * n));
  Index step = 0;
  for (Index k = 0; k < snapshots; k++) {
    auto const steps = Index(std::lround((k == 0 ? warmup : apart) / o.step_size));
    sampler.advance(chains, key, all(chains), step, steps, visible);
    step += steps;
    for (Index s = 0; s < steps; s++) law.step();
    auto const found = read(chains, theory);
    for (Index c = 0; c < count; c++) {
      Row z = found[at(c)].flat();
      for (std::size_t i = 0; i < n; i++) sums[at(c)][i] += z[i] -= law.mean[i];
      for (std::size_t i = 0; i < n; i++)
        for (std::size_t j = 0; j <= i; j++) sums[at(c)][n + i * n + j] += z[i] * z[j] - law.covariance.values[i * n + j];
    }
  }
  for (Index s = 0; s < 3000; s++) law.step();
  for (std::size_t i = 0; i < golden.variance.size(); i++)
    EXPECT_NEAR(law.covariance.values[(golden.first + i) * (n + 1)], golden.variance[i], 1.01e-6) << "variance " << i;
  for (std::size_t i = 0; i < golden.mean.size(); i++) EXPECT_NEAR(law.mean[golden.first + i], golden.mean[i], 1.01e-6) << "mean " << i;
  for (std::size_t i = 0; i < n + n * n; i++) {
    double total = 0, squares = 0, chain_total = double(count);
    for (auto const& s : sums) total += s[i], squares += s[i] * s[i];
    if (squares < 1e-9) continue;  // clamped, or above the diagonal
    double const average = total / chain_total, error = std::sqrt((squares / chain_total - average * average) / chain_total);
    EXPECT_LT(std::abs(average), 4 * error) << "moment " << i;
    if (i >= n && (i - n) % (n + 1) == 0) {
      EXPECT_LT(error / double(snapshots), largest_error * law.covariance.values[i - n]) << "variance " << (i - n) / n;
    }
  }
}

HeeLangevinOptions const first_order{.step_size = .01, .order = "first"};
HeeLangevinOptions with(HeeLangevinOptions o, std::string const& statistic_mean, std::string const& order = "first", Index replicas = 1) {
  o.statistic_mean = statistic_mean, o.order = order, o.replicas = replicas;
  return o;
}
HeeLangevinOptions const leimkuhler_matthews{
    .step_size = .1, .order = "first", .statistic_mean = "closed_form", .integrator = "leimkuhler_matthews"};
Row const posterior_mean{.220112, -.153561, -.003584, .218990};

TEST(HeeLaw, FirstOrderClosedForm) {
  expect_law(with(first_order, "closed_form"), Visible::clamped, {3, {.416696, .442511, .469024, .497177}, posterior_mean});
}
TEST(HeeLaw, SecondOrderClosedForm) {
  expect_law(with(first_order, "closed_form", "second"), Visible::clamped,
             {3, {.418937, .444849, .471418, .499674, 1.015914, 1.015707, 1.015591, 1.015372}, posterior_mean});
}
TEST(HeeLaw, FirstOrderInterneurons) {
  expect_law(first_order, Visible::clamped, {3, {.445586, .462699, .491603, .506693}, posterior_mean});
}
TEST(HeeLaw, FourReplicas) { expect_law(with(first_order, "interneuron", "first", 4), Visible::clamped, {3, {}, posterior_mean}); }
TEST(HeeLaw, FreshDraws) { expect_law(with(first_order, "fresh"), Visible::clamped, {3, {}, posterior_mean}); }
// P^-1, and the joint covariance, though the step is ten times larger.
TEST(HeeLaw, LeimkuhlerMatthewsIsExact) {
  expect_law(leimkuhler_matthews, Visible::clamped, {3, {.411625, .437447, .463961, .492121}, posterior_mean});
  expect_law(leimkuhler_matthews, Visible::free, {0, {.694375, .600441, .601066}, {.18, -.033125, .143625, .1525, -.015, -.05, .25}});
}
TEST(HeeLaw, FreeVisibleLayerOfOtherTimes) {
  auto o = with(first_order, "interneuron", "second");
  o.tau = {1, 2}, o.tau_0 = .8;
  expect_law(o, Visible::free, {0, {}, {.18, -.033125, .143625, .1525, -.015, -.05, .25}});
}

// ---- Learning drives ----

struct Drive {
  Row mean, error;
};
// Per chain and step in the long run, from tiles as independent samples.
Drive long_run_drive(Hee const& model, HeeLangevinOptions const& o, Row const& x0, Index tiles, double warmup, double time) {
  HeeLangevin sampler(o, model);
  Index const width = 64, warmup_steps = std::lround(warmup / o.step_size), steps = std::lround(time / o.step_size);
  HeeChains const chains = sampler.make_chains({tiles * width, width}, {0, tiles});
  sampler.initialise(chains, key, 0, {InitialState::normal, .6}, Visible::clamped);
  clamp(chains, x0);
  sampler.advance(chains, key, all(chains), 0, warmup_steps, Visible::clamped);
  std::size_t const n = model.parameters().extent(0);
  Drive d{Row(n), Row(n)};
  for (Index t = 0; t < tiles; t++) {
    Vector const drive("drive", n);
    sampler.advance_and_learn(chains, key, t, warmup_steps, steps, drive);
    auto const host = values_on_host(drive);
    for (std::size_t i = 0; i < n; i++) {
      double const value = double(host(i)) / double(width * steps);
      d.mean[i] += value / double(tiles), d.error[i] += value * value / double(tiles);
    }
  }
  for (std::size_t i = 0; i < n; i++) d.error[i] = std::sqrt((d.error[i] - d.mean[i] * d.mean[i]) / double(tiles - 1));
  return d;
}
constexpr Index drive_tiles = in_double ? 24 : 96;

void expect_drive(Drive const& d, Index offset, Row const& golden, double bias = 0) {
  for (std::size_t i = 0; i < golden.size(); i++) {
    std::size_t const p = at(offset) + i;
    EXPECT_NEAR(d.mean[p], golden[i], 4 * d.error[p] + 1e-6 + bias) << "parameter " << p;
    EXPECT_LT(d.error[p], .004) << "parameter " << p;
  }
}

TEST(HeeDrive, ClosedFormIsTheGradientOfTheLikelihood) {
  auto const model = r2();
  auto const d = long_run_drive(*model, leimkuhler_matthews, r2_x0, drive_tiles, 3, 60);
  expect_drive(d, model->weight_offset(0), {-.098267, .023715, -.123563, -.145842, .227297, -.138690});
  expect_drive(d, model->weight_offset(1), {-.064935, .008240, .034924, -.051646});
  expect_drive(d, model->bias_offset(0), {.451554, -.221592, .407751});
  expect_drive(d, model->bias_offset(1), {.049825, -.119975});
  expect_drive(d, model->bias_offset(2), {.046416, -.031010});
}

// Fast neurons that take time bias the covariance of eps and x, not the means.
TEST(HeeDrive, InterneuronsHaveTheirKnownBias) {
  auto const model = r2();
  auto const d = long_run_drive(*model, first_order, r2_x0, drive_tiles, 3, 20);
  expect_drive(d, model->weight_offset(0), {-.072971, .012021, -.112080, -.119355, .209794, -.128926});
  expect_drive(d, model->bias_offset(0), {.451554, -.221592, .407751});
}

// One unit over another, by quadrature: W = 1.5, b0 = .3, b1 = .4; to the bias of the step and of fast neurons (tau_u/tau, of dW).
struct OneUnit {
  char const *f, *phi, *g;
  double x0;
  Row gradient;  // W, b0, b1
};
void expect_quadrature(OneUnit const& c, HeeLangevinOptions const& o, double time, double bias) {
  Hee model({.widths = {1, 1}, .f = c.f, .phi = c.phi, .g = c.g}, key);
  set_parameters(model, [&](Index i) { return i == model.weight_offset(0) ? 1.5 : i == model.bias_offset(0) ? .3 : .4; });
  auto const d = long_run_drive(model, o, {c.x0}, drive_tiles, 3, time);
  expect_drive(d, model.weight_offset(0), {c.gradient[0]}, bias);
  expect_drive(d, model.bias_offset(0), {c.gradient[1]}, bias);
  expect_drive(d, model.bias_offset(1), {c.gradient[2]}, bias);
}
TEST(HeeDrive, OfANonlinearTransferAgreesWithQuadrature) {
  expect_quadrature({"tanh", "identity", "quadratic", 1.1, {.14049380, .63854873, .36156460}}, leimkuhler_matthews, 60, .003);
}
// Taming weakens the force on a fast neuron by dt |F| / tau_u, which must be small against |F|.
TEST(HeeDrive, OfNonlinearConditionalsAgreesWithQuadrature) {
  if (in_double) GTEST_SKIP() << "many slow normals for a law that is the same in both precisions";
  HeeLangevinOptions const fast{.step_size = .001, .order = "first", .tau_u = .04, .integrator = "leimkuhler_matthews"};
  expect_quadrature({"identity", "identity", "quartic", .8, {.09963972, .52061824, .26685399}}, fast, 5, .01);
  expect_quadrature({"tanh", "tanh", "quadratic", .8, {.06611500, .47252395, .19641265}}, fast, 5, .01);
}

// ---- The rest ----

TEST(HeeLangevin, TamedDriftSurvivesAQuarticFromFarAway) {
  Hee const model({.widths = {3, 4, 2}, .g = "quartic"}, key);
  for (std::string const drift : {"automatic", "plain"}) {
    HeeLangevinOptions const o{.drift = drift};
    HeeLangevin sampler(o, model);
    Theory const theory{model, o};
    HeeChains const chains = sampler.make_chains({16, 16}, {0, 1});
    Chain far = theory.empty();
    far.set(Row(far.flat().size(), 50));
    write_all(chains, far);
    sampler.advance(chains, key, {0, 1}, 0, 2000, Visible::free);
    for (Row const& chain : states(chains, theory))
      for (double z : chain) EXPECT_EQ(std::abs(z) < 10, drift == "automatic") << z;  // not for a NaN either
  }
}

TEST(HeeLangevin, GroupsShareTheVisibleLayerToTheBit) {
  Hee const model({.widths = {6, 4, 3}, .f = "tanh"}, key);
  HeeLangevinOptions const o;
  HeeLangevin sampler(o, model);
  Theory const theory{model, o};
  HeeChains const chains = sampler.make_chains({96, 64}, {0, 2});
  sampler.initialise(chains, key, 0, {}, Visible::shared, 8);
  sampler.advance(chains, key, all(chains), 0, 50, Visible::shared, 8);
  auto const found = read(chains, theory);
  ASSERT_EQ(found.size(), 96u);
  for (std::size_t c = 0; c < 96; c++) {
    EXPECT_EQ(found[c].x[0], found[c / 8 * 8].x[0]);
    if (c == 0) continue;
    EXPECT_NE(found[c].x[1], found[c - 1].x[1]);
    EXPECT_EQ(found[c].x[0] == found[c - 1].x[0], c % 8 > 0);
  }
}

TEST(HeeLangevin, StartsFromTheLawsItNames) {
  Hee const model({.widths = {3, 2, 5}}, key);
  HeeLangevinOptions const o{.tau = {1, 4}, .tau_v = .8, .m = .3, .replicas = 2};
  HeeLangevin sampler(o, model);
  Theory const theory{model, o};
  Index const count = 1 << 13;
  HeeChains const chains = sampler.make_chains({count, 512}, {0, count / 512});
  clamp(chains, {4, 5, 6});
  sampler.initialise(chains, key, 3, {InitialState::normal, 1.5, -1}, Visible::clamped);
  std::vector<Row> z;
  for (Chain const& one : read(chains, theory)) {
    ASSERT_EQ(one.x[0], (Row{4, 5, 6}));
    z.push_back(one.flat());
  }
  Row mean, variance;
  Chain const shape = theory.empty();
  for (std::size_t i = 0; i < z[0].size(); i++) {
    bool const latent = i < 10, adaptation = i >= 10 && i < 17;
    mean.push_back(i < 3 ? double(4 + i) : latent ? -1 : 0);
    variance.push_back(latent ? 2.25 : adaptation ? .3 / .8 : .5);
  }
  for (std::size_t i = 3; i < z[0].size(); i++)
    for (std::size_t j = 3; j <= i; j++) {
      auto const product = [&](Row const& c) { return (c[i] - mean[i]) * (c[j] - mean[j]); };
      EXPECT_LT(std::abs(sampling::z_score(z, product, i == j ? variance[i] : 0)), 4.5) << i << " " << j;  // 276 numbers
    }
}

TEST(HeeLangevin, RelaxationTimes) {
  EXPECT_EQ(relaxation_times({2}, 3), (Row{2, 2, 2}));
  EXPECT_EQ(relaxation_times({1, 10}, 4), (Row{1, 4, 7, 10}));
  EXPECT_EQ(relaxation_times({1, 10}, 2), (Row{1, 10}));
  EXPECT_EQ(relaxation_times({3, 1, 2}, 3), (Row{3, 1, 2}));
  EXPECT_THROW(relaxation_times({3, 1, 2}, 4), Failure);
  EXPECT_THROW(relaxation_times({1, 2}, 1), Failure);
}

TEST(HeeLangevin, RefusesWhatDoesNotGoTogether) {
  Hee const gaussian({.widths = {3, 2}}, key), quartic({.widths = {3, 2}, .g = "quartic"}, key);
  auto const refusal = [](HeeLangevinOptions const& o, Hee const& model) -> std::string {
    try {
      HeeLangevin const sampler(o, model);
    } catch (Failure const& f) {
      EXPECT_EQ(f.code(), ExitCode::usage);
      return f.what();
    }
    return "accepted";
  };
  using testing::HasSubstr;
  EXPECT_EQ(refusal({}, gaussian), "accepted");
  EXPECT_THAT(refusal({.integrator = "leimkuhler_matthews"}, gaussian), HasSubstr("order = \"first\""));
  EXPECT_THAT(refusal({.statistic_mean = "closed_form"}, quartic), HasSubstr("use statistic_mean = \"interneuron\""));
  EXPECT_THAT(refusal({.step_size = .1}, gaussian), HasSubstr("below tau_u"));
  EXPECT_THAT(refusal({.step_size = .3, .tau = {.2}, .tau_u = 1}, gaussian), HasSubstr("below tau"));
  HeeLangevin sampler({}, gaussian);
  HeeChains const chains = sampler.make_chains({20, 16}, {0, 2});
  EXPECT_THROW(sampler.advance(chains, key, all(chains), 0, 1, Visible::shared, 8), Failure);
}

}  // namespace
