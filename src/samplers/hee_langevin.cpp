#include "samplers/hee_langevin.hpp"

#include <algorithm>
#include <cmath>

#include "core/copy.hpp"
#include "core/matrix_product.hpp"
#include "core/require.hpp"
#include "core/strip_words.hpp"
#include "samplers/chains.hpp"
#include "samplers/entry.hpp"

namespace partita {

deck::Schema hee_langevin_schema() {
  using O = HeeLangevinOptions;
  return deck::schema<O>(
      "hee_langevin", "Langevin dynamics of the latent layers of an hee, with fast neurons in place of A'(eta)",
      {deck::key("step_size", &O::step_size, "time step dt, in the unit of tau").above(0),
       deck::key(
           "tau", &O::tau,
           "time constants tau_1 .. tau_L of the latent layers: one for all, the first and last of evenly spaced ones, or one for each")
           .above(0),
       deck::key("tau_0", &O::tau_0, "time constant of the visible layer, where it is not held").above(0),
       deck::key("order", &O::order, "order of the dynamics: second adds the adaptation v, which makes slow modes about 1 + m times faster")
           .one_of({"first", "second"}),
       deck::key("tau_v", &O::tau_v, "time constant of the adaptation v, in units of tau_l").above(0),
       deck::key("adaptation", &O::m, "strength m of the adaptation; the stationary variance of v is m / tau_v").above(0).formerly("m"),
       deck::key("tau_u", &O::tau_u, "time constant of the fast neurons u, above step_size").above(0),
       deck::key("replicas", &O::replicas, "number K of fast neurons for each unit, which are averaged").at_least(1),
       deck::key("statistic_mean", &O::statistic_mean,
                 "how A'(eta), the mean of the sufficient statistic, is found: interneuron, by fast neurons; closed_form; fresh, by a new "
                 "draw in each step; the last two need statistic = identity and base_measure = quadratic")
           .one_of({"interneuron", "closed_form", "fresh"})
           .formerly("aprime"),
       deck::key("integrator", &O::integrator,
                 "integrator of the dynamics; leimkuhler_matthews, for order = first alone, has the exact covariance on Gaussians")
           .one_of({"euler", "leimkuhler_matthews"}),
       deck::key("drift", &O::drift,
                 "drift of the dynamics: plain, F; tamed, F/(1 + dt |F|/tau), which is stable for any base_measure; automatic, tamed where "
                 "base_measure is quartic")
           .one_of({"automatic", "plain", "tamed"})});
}

std::vector<double> relaxation_times(std::vector<double> const& tau, Index layers) {
  auto const n = std::size_t(layers);
  if (tau.size() == n) return tau;
  if (tau.size() == 1) return std::vector<double>(n, tau[0]);
  require_all(tau.size() == 2 && n > 2, ExitCode::usage,
              "sampler.tau has {} numbers for {} latent layers; give one for all, the first and the last of equally spaced ones, or {}",
              tau.size(), layers, layers);
  std::vector<double> all(n);
  for (std::size_t l = 0; l < n; l++) all[l] = tau[0] + (tau[1] - tau[0]) * double(l) / double(n - 1);
  return all;
}

void HeeChains::repeat_last_chain(TileRange local) const {
  for (auto const* set : {&x, &v, &u})
    for (auto const& layer : *set) partita::repeat_last_chain(layer, tiling, mine, local);
}

void HeeChains::describe_state(State& state, std::string const& group) const {
  auto const add = [&](char const* name, std::vector<TileStorage> const& layers, std::size_t first) {
    for (std::size_t l = 0; l < layers.size(); l++)
      state.add_by_tile(fmt::format("{}/layer{}/{}", group, l + first, name), layers[l], mine, tiling.tiles());
  };
  add("x", x, 0);
  add("adaptation", v, 1);
  add("fast_neurons", u, 0);
}

namespace {

// How A'(eta_l) of a layer is computed; none: it is not needed.
enum class MeanStatistic { none, interneuron, closed_form, fresh };

// Rows of the tiles that advance together: row i of tile t is at data + t * tile_stride + i * pitch. Null data: absent.
struct Field {
  Real* data = nullptr;
  Index pitch = 0, tile_stride = 0;
  KOKKOS_FORCEINLINE_FUNCTION Real* at(Index tile, Index row, Index lane) const { return data + tile * tile_stride + row * pitch + lane; }
  KOKKOS_FORCEINLINE_FUNCTION explicit operator bool() const { return data != nullptr; }
  Field shifted(Index rows, Index lanes) const { return data ? Field{data + rows * pitch + lanes, pitch, tile_stride} : *this; }
};
Factor factor(Field const& f, Form form = Form::plain) { return {f.data, f.pitch, form, f.tile_stride}; }
Product product(Field const& f) { return {f.data, f.pitch, 1, 0, f.tile_stride}; }

// Four rows of a strip, which one Philox call per lane serves.
struct FourRows {
  alignas(64) Real row[4][strip_lanes];
};

// The keyed normals of four rows.
struct Noise {
  random::RoundKeys keys;
  std::uint64_t step;
  bool averaged;  // (N_n + N_n+1) / 2 of Leimkuhler and Matthews

  KOKKOS_FORCEINLINE_FUNCTION void draw_step(FourRows& out, std::uint64_t chain, random::Stream stream, std::uint64_t at,
                                             Index draw) const {
    random::StripWords words;
    random::fill(words, keys, chain, stream, at, std::uint32_t(draw));
    for (int k = 0; k < 4; k += 2)
      for (Index l = 0; l < strip_lanes; l++) {
        auto const pair = random::normal_pair(words.w[k][l], words.w[k + 1][l], Real());
        out.row[k][l] = pair.a, out.row[k + 1][l] = pair.b;
      }
  }
  KOKKOS_FORCEINLINE_FUNCTION void draw(FourRows& out, std::uint64_t chain, random::Stream stream, Index draw) const {
    draw_step(out, chain, stream, step, draw);
    if (!averaged) return;
    FourRows next;
    draw_step(next, chain, stream, step + 1, draw);
    for (int k = 0; k < 4; k++)
      for (Index l = 0; l < strip_lanes; l++) out.row[k][l] = (out.row[k][l] + next.row[k][l]) / 2;
  }
};

// One step of the units of one layer, four rows of a strip at a time. eta_l and W_l-1' eps_l-1 are given; every array is traversed once.
struct LayerStep {
  Transfer f;
  Statistic phi;
  BaseMeasure g;
  bool tamed;
  MeanStatistic mean;
  Noise noise;
  std::uint64_t first_chain;  // of the first tile
  Index width, real_lanes;    // chain numbers from one tile to the next, and lanes of a tile that are real chains
  Index rows, strips, replicas;
  Index first_draw, draws;  // first draw of this layer, draws of all layers: replica r has the draws from r * draws + first_draw on
  Index group;              // neighbouring lanes that share x_0, or 1
  bool moves;
  Field x, v, u, eta, back, coupled_x, coupled_u;  // read; x, v and u are updated
  Field eps, transferred;                          // output: eps_l at t, f(x_l) at t + dt
  Real const* bias;
  Real* eps_sum;                                  // (row, strip) += eps of the real lanes
  Real rate, amplitude;                           // dt/tau, sqrt(2 dt/tau)
  Real adaptation_rate, adaptation_amplitude, m;  // dt/tau_v, sqrt(2 m tau dt)/tau_v
  Real fast_rate, fast_amplitude;                 // dt/tau_u, sqrt(2 dt/tau_u)

  // A block of work: rows [first, first + count) and lanes [lane, lane + strip_lanes).
  struct Place {
    Index tile, lane, first, count, draw;
    std::uint64_t chain;
  };

  KOKKOS_FUNCTION void operator()(Index n) const {
    Index const groups = divide_up(rows, 4), block = n / strips % groups, tile = n / strips / groups, lane = n % strips * strip_lanes;
    Index const left = rows - 4 * block;
    Place const p{tile, lane, 4 * block, left < 4 ? left : 4, first_draw + block, first_chain + std::uint64_t(tile * width + lane)};
    FourRows field;
    for (Index k = 0; k < p.count; k++) {
      Real const b = bias[p.first + k];
      Real const* const from = eta ? eta.at(tile, p.first + k, lane) : nullptr;
      for (Index l = 0; l < strip_lanes; l++) field.row[k][l] = from ? from[l] + b : b;
    }
    if (mean != MeanStatistic::none) {
      FourRows statistic;
      find_mean(p, field, statistic);
      find_eps(p, statistic);
    }
    if (moves) {
      if (group > 1) average_over_groups(p, field);
      move(p, field);
    }
  }

  // statistic = A'(eta) or its substitute; fast neurons make their step.
  KOKKOS_FORCEINLINE_FUNCTION void find_mean(Place const& p, FourRows const& field, FourRows& statistic) const {
    if (mean == MeanStatistic::closed_form) {
      for (int k = 0; k < 4; k++)
        for (Index l = 0; l < strip_lanes; l++) statistic.row[k][l] = field.row[k][l] / 2;
      return;
    }
    for (int k = 0; k < 4; k++)
      for (Index l = 0; l < strip_lanes; l++) statistic.row[k][l] = 0;
    for (Index r = 0; r < replicas; r++) {
      FourRows xi;
      noise.draw(xi, p.chain, random::Stream::hee_fast_neurons, r * draws + p.draw);
      for (Index k = 0; k < p.count; k++)
        if (mean == MeanStatistic::fresh) add_fresh(field.row[k], xi.row[k], statistic.row[k]);
        else step_fast(p, r * rows + p.first + k, field.row[k], xi.row[k], statistic.row[k]);
    }
    Real const share = Real(1) / Real(replicas);
    for (int k = 0; k < 4; k++)
      for (Index l = 0; l < strip_lanes; l++) statistic.row[k][l] *= share;
  }

  KOKKOS_FORCEINLINE_FUNCTION void add_fresh(Real const* field, Real const* xi, Real* sum) const {
    constexpr Real deviation = Real(0.70710678118654752440);
    for (Index l = 0; l < strip_lanes; l++) sum[l] += std::fma(deviation, xi[l], field[l] / 2);
  }

  // Adds phi(u) to the sum, then moves u.
  KOKKOS_FORCEINLINE_FUNCTION void step_fast(Place const& p, Index row, Real const* field, Real const* xi, Real* sum) const {
    Real* __restrict const ui = u.at(p.tile, row, p.lane);
    alignas(64) Real value[strip_lanes], slope[strip_lanes], force[strip_lanes];
    apply(phi, ui, value, slope);
    base_slope(g, ui, force);
    for (Index l = 0; l < strip_lanes; l++) sum[l] += value[l], force[l] = std::fma(slope[l], field[l], force[l]);
    if (coupled_u) subtract_coupling(coupled_u.at(p.tile, row, p.lane), force);
    if (tamed) tame(fast_rate, force);
    Real const r = fast_rate, a = fast_amplitude;
    for (Index l = 0; l < strip_lanes; l++) ui[l] = std::fma(a, xi[l], std::fma(r, force[l], ui[l]));
  }

  // eps = phi(x) - mean statistic, zero beyond the real lanes, and its sum.
  KOKKOS_FORCEINLINE_FUNCTION void find_eps(Place const& p, FourRows const& statistic) const {
    for (Index k = 0; k < p.count; k++) {
      alignas(64) Real value[strip_lanes], slope[strip_lanes];
      apply(phi, x.at(p.tile, p.first + k, p.lane), value, slope);
      for (Index l = 0; l < strip_lanes; l++) value[l] -= statistic.row[k][l];
      for (Index l = real_lanes > p.lane ? real_lanes - p.lane : 0; l < strip_lanes; l++) value[l] = 0;
      if (eps) {
        Real* __restrict const to = eps.at(p.tile, p.first + k, p.lane);
        for (Index l = 0; l < strip_lanes; l++) to[l] = value[l];
      }
      if (eps_sum) {
        for (Index half = strip_lanes / 2; half > 0; half /= 2)
          for (Index l = 0; l < half; l++) value[l] += value[l + half];
        eps_sum[(p.first + k) * strips + p.lane / strip_lanes] += value[0];
      }
    }
  }

  // Replaces eta of every lane by the mean over its group.
  KOKKOS_FORCEINLINE_FUNCTION void average_over_groups(Place const& p, FourRows& field) const {
    Real const share = Real(1) / Real(group);
    for (Index k = 0; k < p.count; k++) {
      Real const* const from = eta.at(p.tile, p.first + k, 0);
      for (Index l = 0; l < strip_lanes; l++) {
        Index const first = (p.lane + l) / group * group;
        Real sum = 0;
        for (Index j = 0; j < group; j++) sum += from[first + j];
        field.row[k][l] = std::fma(share, sum, bias[p.first + k]);
      }
    }
  }

  KOKKOS_FORCEINLINE_FUNCTION void move(Place const& p, FourRows const& field) const {
    FourRows xi, xi_v;
    noise.draw(xi, p.chain - std::uint64_t(p.lane % group), random::Stream::hee_units, p.draw);
    if (group > 1)
      for (Index k = 0; k < p.count; k++)
        for (Index l = 0; l < strip_lanes; l++) xi.row[k][l] = xi.row[k][l / group * group];
    if (v) noise.draw(xi_v, p.chain, random::Stream::hee_adaptation, p.draw);
    // Local copies: otherwise the compiler has to assume that writing a row may change these members.
    Real const r = rate, a = amplitude, rv = adaptation_rate, av = adaptation_amplitude, strength = m;
    for (Index k = 0; k < p.count; k++) {
      Index const row = p.first + k;
      Real* __restrict const here = x.at(p.tile, row, p.lane);
      alignas(64) Real value[strip_lanes], slope[strip_lanes], force[strip_lanes];
      apply(phi, here, value, slope);
      base_slope(g, here, force);
      for (Index l = 0; l < strip_lanes; l++) force[l] = std::fma(slope[l], field.row[k][l], force[l]);
      if (coupled_x) subtract_coupling(coupled_x.at(p.tile, row, p.lane), force);
      if (back) {
        Real const* const from_below = back.at(p.tile, row, p.lane);
        apply(f, here, value, slope);
        for (Index l = 0; l < strip_lanes; l++) force[l] = std::fma(slope[l], from_below[l], force[l]);
      }
      if (tamed) tame(rate, force);
      if (v) {
        Real* __restrict const vi = v.at(p.tile, row, p.lane);
        for (Index l = 0; l < strip_lanes; l++) {
          Real const before = vi[l];
          vi[l] = std::fma(av, xi_v.row[k][l], std::fma(-rv, std::fma(strength, force[l], before), before));
          here[l] = std::fma(a, xi.row[k][l], std::fma(r, force[l] - before, here[l]));
        }
      } else {
        for (Index l = 0; l < strip_lanes; l++) here[l] = std::fma(a, xi.row[k][l], std::fma(r, force[l], here[l]));
      }
      if (transferred) apply(f, here, transferred.at(p.tile, row, p.lane), slope);
    }
  }

  KOKKOS_FORCEINLINE_FUNCTION void subtract_coupling(Real const* coupled, Real* force) const {
    for (Index l = 0; l < strip_lanes; l++) force[l] = std::fma(Real(-2), coupled[l], force[l]);
  }
  KOKKOS_FORCEINLINE_FUNCTION void tame(Real r, Real* force) const {
    for (Index l = 0; l < strip_lanes; l++) force[l] /= std::fma(r, std::fabs(force[l]), Real(1));
  }
};

// Number of draws of the layers below `layers`, which come first: those of layer l follow.
Index draw_groups(Hee const& model, Index layers) {
  Index n = 0;
  for (Index l = 0; l < layers; l++) n += divide_up(model.width(l), 4);
  return n;
}

bool second_order(HeeLangevinOptions const& o) { return o.order == "second"; }

// Number of layers with fast neurons, the top one included where A'(b_L) has no closed form.
Index fast_layers(HeeLangevinOptions const& o, Hee const& model) {
  if (o.statistic_mean != "interneuron") return 0;
  return model.layers() + (model.gaussian_conditionals() ? 0 : 1);
}

Index widest(Hee const& model, Index first, Index last) {
  Index n = 0;
  for (Index l = first; l <= last; l++) n = std::max(n, model.width(l));
  return n;
}

}  // namespace

HeeLangevin::HeeLangevin(HeeLangevinOptions const& o, Hee const& model)
    : model_(model), options_(o), tau_(relaxation_times(o.tau, model.layers())) {
  bool const interneurons = o.statistic_mean == "interneuron";
  require_all(
      o.order == "first" || o.integrator == "euler", ExitCode::usage,
      "sampler.integrator = \"leimkuhler_matthews\" with sampler.order = \"second\" (it is not defined for the adaptation's noise); use "
      "order = \"first\", or integrator = \"euler\"");
  require_all(interneurons || model.gaussian_conditionals(), ExitCode::usage,
              "sampler.statistic_mean = \"{}\" (A' of this model has no closed form, which needs statistic = \"identity\" and base_measure "
              "= \"quadratic\"); use statistic_mean = \"interneuron\"",
              o.statistic_mean);
  require_all(!interneurons || o.step_size < o.tau_u, ExitCode::usage,
              "sampler.step_size = {} with tau_u = {} (fast neurons are unstable from step_size = tau_u on); use a step_size well below "
              "tau_u",
              o.step_size, o.tau_u);
  double const shortest = *std::min_element(tau_.begin(), tau_.end());
  require_all(model.g() != BaseMeasure::quadratic || o.step_size < shortest, ExitCode::usage,
              "sampler.step_size = {} with a smallest tau of {} (the precision of every unit is at least 2, and a stable step is below 2 "
              "tau over the largest eigenvalue of the posterior precision, which grows with learning); use a step_size well below tau",
              o.step_size, shortest);
  random::check_budget(0, 0, (o.replicas + 2) * draw_groups(model, model.layers() + 1));
}

HeeChains HeeLangevin::make_chains(Tiling const& tiling, TileRange mine, Arrays arrays) const {
  random::check_budget(tiling.chains, 0, 0);
  HeeChains chains{tiling, mine, {}, {}, {}};
  Index const top = model_.layers();
  auto const storage = [&](char const* name, Index rows) { return arrays.make<TileStorage>(name, mine.count, rows, tiling.pitch()); };
  for (Index l = 0; l <= top; l++) chains.x.push_back(storage("units of a layer", model_.width(l)));
  if (second_order(options_))
    for (Index l = 1; l <= top; l++) chains.v.push_back(storage("adaptation of a layer", model_.width(l)));
  for (Index l = 0; l < fast_layers(options_, model_); l++)
    chains.u.push_back(storage("fast neurons of a layer", options_.replicas * model_.width(l)));
  return chains;
}

void HeeLangevin::initialise(HeeChains const& chains, random::Key key, Index step, InitialDistribution const& initial, Visible visible,
                             Index group) const {
  Index const all = draw_groups(model_, model_.layers() + 1);
  auto const draw_start = [&](TileStorage const& to, Index first_draw, InitialDistribution const& from, Index together) {
    place(to, ChainNumbers(chains.tiling, chains.mine),
          {.key = key, .stream = random::Stream::hee_initial_state, .step = step, .first_draw = first_draw, .group = together}, from);
  };
  for (std::size_t l = 0; l < chains.x.size(); l++) {
    Index const draw = draw_groups(model_, Index(l));
    if (l > 0 || visible != Visible::clamped) draw_start(chains.x[l], draw, initial, l == 0 ? group : 1);
    if (l > 0 && !chains.v.empty())
      draw_start(chains.v[l - 1], all + draw, {InitialState::normal, std::sqrt(options_.m / options_.tau_v)}, 1);
  }
  Index first = 2 * all;
  for (auto const& u : chains.u) {
    draw_start(u, first, {InitialState::normal, std::sqrt(.5)}, 1);
    first += divide_up(extent(u, 1), 4);
  }
}

namespace {

constexpr Index product_columns = 512;  // columns of eps and f(x) that are collected for one product of the learning drive

// Work arrays of the tiles that advance together. Where eps and f(x) of several steps are stored side by side, as the columns of one
// product, each layer has its own arrays; otherwise all layers use one.
struct Work {
  Index slots = 1;  // steps side by side
  Field eta, back, coupled_x, coupled_u, lateral;
  std::vector<Field> eps;          // [l], l < L
  std::vector<Field> transferred;  // [l]: f(x_l); no data: x_l itself
  std::vector<Real*> eps_sum;      // [l]: (row, strip), the last arrays
  Index elements = 0;

  Work(Hee const& model, Index replicas, Real* base, Index tiles, Index lanes, bool learning) {
    Index const top = model.layers(), pitch = round_up(lanes, pitch_quantum), strips = divide_up(lanes, strip_lanes);
    auto const take = [&](Index rows, Index row_pitch) {
      Field const f{base ? base + elements : nullptr, row_pitch, rows * row_pitch};
      elements += tiles * rows * row_pitch;
      return f;
    };
    if (learning) slots = std::max<Index>(1, product_columns / lanes);
    // A strip of a narrower tile writes beyond its lanes into the slot of the next step, which is written later.
    Index const wide = (slots - 1) * lanes + pitch;
    eta = take(widest(model, 0, top - 1), pitch);
    back = take(widest(model, 1, top), pitch);
    if (model.lateral()) {
      coupled_x = take(widest(model, 0, top), pitch);
      coupled_u = take(replicas * widest(model, 0, top), pitch);
      if (learning) lateral = take(widest(model, 0, top), pitch);
    }
    if (slots == 1) eps.assign(top, take(widest(model, 0, top - 1), pitch));
    else
      for (Index l = 0; l < top; l++) eps.push_back(take(model.width(l), wide));
    transferred.resize(std::size_t(top) + 1);
    if (slots > 1 || model.f() != Transfer::identity)
      for (Index l = 1; l <= top; l++) transferred[l] = take(model.width(l), wide);
    if (learning)
      for (Index l = 0; l <= top; l++) eps_sum.push_back(take(round_up(model.width(l), lane_quantum), strips).data);
  }
};

// Memory for as many numbers.
Real* reserved(Arrays const& arrays, Vector& memory, Index elements) {
  arrays.grow(memory, "work of the dynamics", elements);
  return memory.data();
}

template <class Kernel>
void for_each(char const* name, Index items, Kernel const& kernel) {
  Kokkos::parallel_for(name, Kokkos::RangePolicy<Execution, Kokkos::IndexType<Index>>(0, items), kernel);
}

// to = f(x), `rows` rows of these tiles.
void transfer(Transfer f, Field const& x, Field const& to, Index rows, Index strips, Index tiles) {
  for_each(
      "partita::hee_transfer", tiles * rows * strips, KOKKOS_LAMBDA(Index n) {
        Index const lane = n % strips * strip_lanes, row = n / strips % rows, tile = n / strips / rows;
        alignas(64) Real slope[strip_lanes];
        apply(f, x.at(tile, row, lane), to.at(tile, row, lane), slope);
      });
}

// sums[i] += the sum of row i of strip_sums (row, strip).
void add_rows(Real const* strip_sums, Index rows, Index strips, Real* sums) {
  for_each(
      "partita::hee_bias_drive", rows, KOKKOS_LAMBDA(Index i) {
        Real sum = 0;
        for (Index s = 0; s < strips; s++) sum += strip_sums[i * strips + s];
        sums[i] += sum;
      });
}

// Neighbouring tiles of the same width that advance together.
class TileGroup {
 public:
  TileGroup(Hee const& model, HeeLangevinOptions const& o, std::vector<double> const& tau, HeeChains const& chains, random::Key key,
            TileRange local, Visible visible, Index group, Vector const& drive, Vector& memory)
      : model_(model),
        chains_(chains),
        drive_(drive),
        first_(local.first),
        tiles_(local.count),
        lanes_(chains.tiling.lanes(chains.mine.first + local.first)),
        replicas_(o.replicas),
        work_(model, o.replicas, reserved({}, memory, Work(model, o.replicas, nullptr, tiles_, lanes_, learning()).elements), tiles_,
              lanes_, learning()) {
    for (Index l = 0; l <= model.layers(); l++) layers_.push_back(layer(o, tau, key, l, visible, group));
    if (learning()) {
      auto const sums = std::size_t(work_.eps_sum[0] - memory.data());
      fill_array(Kokkos::subview(memory, std::pair(Index(sums), work_.elements)), Real(0));
    }
    for (Index l = 1; l <= model.layers(); l++)
      if (auto const& to = work_.transferred[at(l)]) transfer(model.f(), layers_[at(l)].x, to, model.width(l), strips(), tiles_);
  }

  // All right-hand sides are taken at time t although layers are advanced in turn: W_l f(x_l+1) is computed before x_l+1 moves.
  void advance(Index first_step, Index steps) {
    Index const top = model_.layers();
    for (Index n = 0; n < steps; n++) {
      Index const slot = n % work_.slots;
      bool const last_of_product = slot == work_.slots - 1 || n == steps - 1;
      for (Index l = 0; l <= top; l++) {
        LayerStep step = layers_[at(l)];
        if (l < top) forward(l, slot);
        if (model_.lateral()) couple(step, l);
        step.noise.step = std::uint64_t(first_step + n);
        step.eps = step.eps.shifted(0, slot * lanes_);
        step.transferred = step.transferred.shifted(0, (slot + 1) % work_.slots * lanes_);
        for_each("partita::hee_layer", tiles_ * divide_up(step.rows, 4) * step.strips, step);
        if (l < top) backward(l, slot);
        if (l < top && learning() && last_of_product) add_weight_drive(l, (slot + 1) * lanes_);
      }
    }
    if (learning())
      for (Index l = 0; l <= top; l++) add_rows(work_.eps_sum[at(l)], model_.width(l), strips(), drive_.data() + model_.bias_offset(l));
  }

 private:
  static std::size_t at(Index l) { return std::size_t(l); }
  bool learning() const { return drive_.data() != nullptr; }
  Index strips() const { return divide_up(lanes_, strip_lanes); }
  Index real_lanes() const { return chains_.tiling.chains_in(chains_.mine.first + first_); }

  Field field(std::vector<TileStorage> const& layers, Index l) const {
    if (l < 0 || l >= std::ssize(layers)) return {};
    auto const& s = layers[at(l)];
    Index const pitch = chains_.tiling.pitch(), stride = extent(s, 1) * pitch;
    return {s.data() + first_ * stride, pitch, stride};
  }

  MeanStatistic mean(std::string const& statistic_mean, Index l) const {
    if (l < std::ssize(chains_.u)) return MeanStatistic::interneuron;
    if (l == model_.layers()) return learning() ? MeanStatistic::closed_form : MeanStatistic::none;
    return statistic_mean == "fresh" ? MeanStatistic::fresh : MeanStatistic::closed_form;
  }

  // The step of the units of layer l, without the parts that change from step to step.
  LayerStep layer(HeeLangevinOptions const& o, std::vector<double> const& tau, random::Key key, Index l, Visible visible,
                  Index group) const {
    Index const top = model_.layers();
    double const dt = o.step_size, tau_l = l == 0 ? o.tau_0 : tau[at(l - 1)], tau_v = o.tau_v * tau_l;
    auto const real = [](double v) { return Real(v); };
    LayerStep s{};
    s.f = model_.f(), s.phi = model_.phi(), s.g = model_.g();
    s.tamed = o.drift == "tamed" || (o.drift == "automatic" && model_.g() == BaseMeasure::quartic);
    s.mean = mean(o.statistic_mean, l);
    s.noise = {random::round_keys(key), 0, o.integrator == "leimkuhler_matthews"};
    s.first_chain = std::uint64_t(chains_.tiling.first_chain(chains_.mine.first + first_));
    s.width = chains_.tiling.width, s.real_lanes = real_lanes();
    s.rows = model_.width(l), s.strips = strips(), s.replicas = o.replicas;
    s.first_draw = draw_groups(model_, l), s.draws = draw_groups(model_, top + 1);
    s.group = l == 0 ? group : 1;
    s.moves = l > 0 || visible != Visible::clamped;
    s.x = field(chains_.x, l), s.v = field(chains_.v, l - 1), s.u = field(chains_.u, l);
    if (l < top) s.eta = work_.eta, s.eps = work_.eps[at(l)];
    if (l > 0) s.back = work_.back, s.transferred = work_.transferred[at(l)];
    if (s.moves) s.coupled_x = work_.coupled_x;
    if (s.u) s.coupled_u = work_.coupled_u;
    s.bias = model_.bias(l);
    s.eps_sum = learning() ? work_.eps_sum[at(l)] : nullptr;
    s.rate = real(dt / tau_l), s.amplitude = real(std::sqrt(2 * dt / tau_l));
    s.adaptation_rate = real(dt / tau_v), s.adaptation_amplitude = real(std::sqrt(2 * o.m * tau_l * dt) / tau_v), s.m = real(o.m);
    s.fast_rate = real(dt / o.tau_u), s.fast_amplitude = real(std::sqrt(2 * dt / o.tau_u));
    return s;
  }

  // f(x_l), in the slot of a step.
  Field transferred(Index l, Index slot) const {
    auto const& stored = work_.transferred[at(l)];
    return stored ? stored.shifted(0, slot * lanes_) : layers_[at(l)].x;
  }
  void forward(Index l, Index slot) const {
    Index const above = model_.width(l + 1);
    matrix_product({model_.width(l), lanes_, above}, {model_.weight(l), above}, factor(transferred(l + 1, slot)), product(work_.eta),
                   tiles_);
  }
  void backward(Index l, Index slot) const {
    Index const above = model_.width(l + 1);
    matrix_product({above, lanes_, model_.width(l)}, {model_.weight(l), above, Form::transposed},
                   factor(work_.eps[at(l)].shifted(0, slot * lanes_)), product(work_.back), tiles_);
  }
  void add_weight_drive(Index l, Index columns) const {
    Index const above = model_.width(l + 1);
    matrix_product({model_.width(l), above, columns}, factor(work_.eps[at(l)]), factor(transferred(l + 1, 0), Form::transposed),
                   {drive_.data() + model_.weight_offset(l), above, 1, 1});
  }

  // Computes Q x and Q u of the units that move, and the drive of S.
  void couple(LayerStep const& s, Index l) const {
    Index const n = s.rows;
    auto const times = [&](Real const* matrix, Field const& from, Field const& to) {
      matrix_product({n, lanes_, n}, {matrix, n}, factor(from), product(to), tiles_);
    };
    if (s.moves) times(model_.coupling(l), s.x, work_.coupled_x);
    for (Index r = 0; r < replicas_; r++) times(model_.coupling(l), s.u.shifted(r * n, 0), work_.coupled_u.shifted(r * n, 0));
    if (!learning()) return;
    auto const add_lateral_drive = [&](Field const& from, double weight) {
      times(model_.lateral(l), from, work_.lateral);
      matrix_product({n, n, real_lanes()}, factor(work_.lateral), factor(from, Form::transposed),
                     {drive_.data() + model_.lateral_offset(l), n, Real(weight), 1});
    };
    add_lateral_drive(s.x, -2);
    for (Index r = 0; r < replicas_; r++) add_lateral_drive(s.u.shifted(r * n, 0), 2. / double(replicas_));
  }

  Hee const& model_;
  HeeChains const& chains_;
  Vector drive_;  // empty: nothing is learnt
  Index first_, tiles_, lanes_, replicas_;
  Work work_;
  std::vector<LayerStep> layers_;
};

}  // namespace

void HeeLangevin::list_work(Arrays arrays, Index tiles, Index lanes, bool learning) const {
  auto const elements = [&](Index together, bool learns) {
    return Work(model_, options_.replicas, nullptr, together, lanes, learns).elements;
  };
  Vector memory;
  reserved(arrays, memory, std::max(elements(tiles_in_flight(tiles), false), learning ? elements(1, true) : 0));
}

double HeeLangevin::flops_per_step(bool learning) const {
  double flops = 0;
  for (Index l = 0; l <= model_.layers(); l++) {
    auto const n = double(model_.width(l));
    if (l < model_.layers()) flops += (learning ? 6 : 4) * n * double(model_.width(l + 1));
    if (model_.lateral()) flops += double((l > 0 ? 2 : 0) + 2 * options_.replicas + (learning ? 4 * (1 + options_.replicas) : 0)) * n * n;
  }
  return flops;
}

double HeeLangevin::normals_per_step(Visible visible) const {
  Index moving = 0, fast = 0;
  for (Index l = visible == Visible::clamped ? 1 : 0; l <= model_.layers(); l++) moving += model_.width(l);
  Index const drawing = options_.statistic_mean == "fresh" ? model_.layers() : fast_layers(options_, model_);
  for (Index l = 0; l < drawing; l++) fast += options_.replicas * model_.width(l);
  Index const adapting = second_order(options_) ? model_.units() : 0;
  return double((moving + adapting + fast) * (options_.integrator == "leimkuhler_matthews" ? 2 : 1));
}

void HeeLangevin::advance(HeeChains const& chains, random::Key key, TileRange local, Index first_step, Index steps, Visible visible,
                          Index group) {
  bool const whole = lane_quantum % group == 0 && chains.tiling.chains % group == 0;
  require_all(group == 1 || (visible == Visible::shared && whole), ExitCode::usage,
              "{} chains in groups of {} that share x_0 (a group must divide {} and the number of chains); use a group of 1, 2, 4, 8 or 16",
              chains.tiling.chains, group, lane_quantum);
  auto const move = [&](Index first, Index count, Index) {
    TileGroup(model_, options_, tau_, chains, key, {first, count}, visible, group, {}, work_).advance(first_step, steps);
  };
  if (steps > 0) for_tiles_of_one_width(chains.tiling, chains.mine, local, tiles_in_flight(chains.mine.count), move);
  chains.repeat_last_chain(local);
}

void HeeLangevin::advance_and_learn(HeeChains const& chains, random::Key key, Index local_tile, Index first_step, Index steps,
                                    Vector drive) {
  if (steps > 0)
    TileGroup(model_, options_, tau_, chains, key, {local_tile, 1}, Visible::clamped, 1, drive, work_).advance(first_step, steps);
  chains.repeat_last_chain({local_tile, 1});
}

SamplerEntry hee_langevin_sampler() {
  return {{hee_langevin_schema(), nullptr}, needs<Hee>(), [](Fit const& fit) {
            fit.attempt_on<Hee>([&](Hee const& model) { HeeLangevin(fit.own.as<HeeLangevinOptions>(), model); });
          }};
}

Index hee_width(Index asked, Index chains) { return asked > 0 ? asked : std::min(hee_tile_width, round_up(chains, lane_quantum)); }

}  // namespace partita
