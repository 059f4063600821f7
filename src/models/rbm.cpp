#include "models/rbm.hpp"

#include <cmath>

#include "core/copy.hpp"
#include "core/math.hpp"
#include "core/matrix_product.hpp"
#include "core/require.hpp"
#include "models/entry.hpp"
#include "models/gaussian_rbm.hpp"
#include "models/host_values.hpp"
#include "models/unit_kernels.hpp"

namespace partita {
namespace {

constexpr Index fewest_split_weights = 4096;  // with fewer weights splitting costs more than it gains

using Range = Kokkos::RangePolicy<Execution, Kokkos::IndexType<Index>>;

Index stride(ConstTiles x, unsigned axis) { return Index(x.stride(axis)); }

void store(LogWeights total, TileScalars energy, Index tiles, Index lanes) {
  Kokkos::parallel_for(
      "partita::store_energy", Range(0, tiles * lanes),
      KOKKOS_LAMBDA(Index n) { energy(n / lanes, n % lanes) = Real(total(n / lanes, n % lanes)); });
}

struct BernoulliDraw {
  Real* to;
  Real const* field;
  Real scale, shift;
  Real keep;
  KOKKOS_FORCEINLINE_FUNCTION void operator()(Index l, std::uint32_t word) const {
    Real const drawn = random::uniform(word) < math::sigmoid(std::fma(scale, field[l], shift)) ? Real(1) : Real(0);
    to[l] = kept_or_drawn(keep, to[l], drawn);
  }
};

// bias x.
struct Multiple {
  Real bias;
  KOKKOS_FORCEINLINE_FUNCTION Real operator()(Real x) const { return bias * x; }
};

// -log(1 + exp(beta f + shift)).
struct HiddenEnergy {
  Real beta, shift;
  KOKKOS_FORCEINLINE_FUNCTION Real operator()(Real field) const { return -math::softplus(std::fma(beta, field, shift)); }
};

// -log(1 + exp(f + bias)).
struct VisibleEnergy {
  Real bias;
  KOKKOS_FORCEINLINE_FUNCTION Real operator()(Real f) const { return -math::softplus(f + bias); }
};

// -bias h.
struct Negative {
  Real bias;
  KOKKOS_FORCEINLINE_FUNCTION Real operator()(Real h) const { return -bias * h; }
};

// log(1 + exp(beta (f + bias))) after a step of beta less that before it.
struct HiddenGain {
  Real before, after, bias;
  KOKKOS_FORCEINLINE_FUNCTION Real operator()(Real field) const {
    return math::softplus(after * (field + bias)) - math::softplus(before * (field + bias));
  }
};

// w_l x_l.
struct WeightedUnit {
  Real const *row, *w;
  KOKKOS_FORCEINLINE_FUNCTION Real operator()(Index l) const { return w[l] * row[l]; }
};

// x_l.
struct Unit {
  Real const* row;
  KOKKOS_FORCEINLINE_FUNCTION Real operator()(Index l) const { return row[l]; }
};

// -w_l x_l.
struct NegativeWeightedUnit {
  Real const *row, *w;
  KOKKOS_FORCEINLINE_FUNCTION Real operator()(Index l) const { return -w[l] * row[l]; }
};

}  // namespace

deck::Schema rbm_schema() {
  using O = RbmOptions;
  return deck::schema<O>(
      "rbm", "restricted Boltzmann machine, E = E_v(v) - s(v)'W h - b'h with binary hidden units, which are summed out",
      {deck::key("visible", &O::visible, "number of visible units").required().at_least(1),
       deck::key("hidden", &O::hidden, "number of hidden units, each 0 or 1").required().at_least(1),
       deck::key("initial_scale", &O::initial_scale, "standard deviation of the random weights at the start").at_least(0).of_learning(),
       deck::key("visible_units", &O::visible_units,
                 "bernoulli: 0 or 1, E_v = -a'v, s(v) = v; gaussian: real numbers, E_v = sum (v_i - a_i)^2 / (2 s_i^2)")
           .one_of({"bernoulli", "gaussian"}),
       deck::key("parametrisation", &O::parametrisation,
                 "gaussian units: \"A\", s(v)_i = v_i / s_i, or \"B\", s(v)_i = v_i / s_i^2; the same machine has W_A = W_B / s_i")
           .one_of({"A", "B"}),
       deck::key("standard_deviation", &O::standard_deviation,
                 "gaussian units: standard deviation s_i; with learn_variance = true that at the start, in units of the data's standard "
                 "deviation")
           .above(0),
       deck::key("learn_variance", &O::learn_variance, "gaussian units: whether the log variances log s_i^2 are learnt, too"),
       deck::key("smallest_deviation", &O::smallest_deviation, "gaussian units: lower bound of learnt standard deviations s_i")
           .of_learning()
           .above(0)
           .formerly("least_deviation")});
}

Sizes Rbm::sizes(RbmOptions const& o) {
  bool const of_gaussian = o.learn_variance || o.standard_deviation != RbmOptions{}.standard_deviation;
  require_all(o.visible_units == "gaussian" || !of_gaussian, ExitCode::usage,
              "model.learn_variance and model.standard_deviation are for visible_units = \"gaussian\"; remove them, or set visible_units");
  return {o.visible, o.visible};
}

std::unique_ptr<Rbm> make_rbm(RbmOptions const& o, Arrays arrays) {
  Rbm::sizes(o);
  if (o.visible_units == "gaussian") return std::make_unique<GaussianRbm>(o, arrays);
  return std::make_unique<Rbm>(o, arrays);
}

Rbm::Rbm(RbmOptions const& o, Vector parameters, Arrays arrays)
    : visible_(o.visible),
      hidden_(o.hidden),
      options_(o),
      parameters_(parameters),
      reference_(arrays.make<Vector>("rbm reference", o.visible)),
      by_unit_products_(unit_products_available() && o.visible * o.hidden >= fewest_split_weights) {}

void Rbm::initialise(std::function<double(Index)> const& normal) {
  std::vector<double> w(visible_ * hidden_);
  for (std::size_t i = 0; i < w.size(); i++) w[i] = options_.initial_scale * normal(Index(i));
  assign(weight(), w);
  parameters_changed();
}

std::vector<ParameterBlock> Rbm::parameter_blocks() const {
  return {{"weight", {visible_, hidden_}, 0},
          {"visible_bias", {visible_}, visible_ * hidden_},
          {"hidden_bias", {hidden_}, visible_ * hidden_ + visible_}};
}

void Rbm::work(Arrays arrays, Index tiles, Index lanes) const {
  EnergyModel::work(arrays, tiles, lanes);
  arrays.grow(hidden_work_, "hidden units of an rbm", tiles, hidden_, pitch_of(lanes));
  arrays.grow(visible_work_, "visible units of an rbm", tiles, visible_, pitch_of(lanes));
  arrays.grow(energy_work_, "energies of an rbm", tiles, pitch_of(lanes));
  if (!by_unit_products_) return;
  upwards_.matrix.reserve(arrays, hidden_, visible_);
  downwards_.matrix.reserve(arrays, visible_, hidden_);
}

Tiles Rbm::hidden_work(ConstTiles like) const {
  reserve_for(like);
  return leading(hidden_work_, extent(like, 0), hidden_, extent(like, 2));
}
Tiles Rbm::visible_work(ConstTiles like) const {
  reserve_for(like);
  return leading(visible_work_, extent(like, 0), visible_, extent(like, 2));
}
LogWeights Rbm::energy_work(ConstTiles like) const {
  reserve_for(like);
  fill_array(energy_work_, 0.);
  return energy_work_;
}

void Rbm::multiply(Factor weights, Split& split, Index rows, ConstTiles x, Tiles field) const {
  ProductShape const shape{rows, extent(x, 2), extent(x, 1)};
  if (by_unit_products_ && !split.current) {
    split.matrix.assign(weights, shape.rows, shape.inner);
    split.current = true;
  }
  for (Index t = 0; t < extent(x, 0) && by_unit_products_; t++) {
    bool const done = unit_product(shape, split.matrix, {x.data() + t * stride(x, 0), stride(x, 1)},
                                   {field.data() + t * stride(field, 0), stride(field, 1)});
    if (!done) break;
    if (t + 1 == extent(x, 0)) return;
  }
  matrix_product(shape, weights, {x.data(), stride(x, 1), Form::plain, stride(x, 0)},
                 {field.data(), stride(field, 1), 1, 0, stride(field, 0)}, extent(x, 0));
}

void Rbm::hidden_field(ConstTiles v, Tiles field) const {
  multiply({weight().data(), hidden_, Form::transposed}, upwards_, hidden_, scaled(v), field);
}

void Rbm::visible_field(ConstTiles h, Tiles field) const { multiply({weight().data(), hidden_}, downwards_, visible_, h, field); }

void Rbm::draw_hidden_units(Tiles hidden, Sweep const& sweep) const {
  ConstVector const b = hidden_bias();
  Real const beta = Real(sweep.beta);
  draw_units(
      "partita::draw_hidden", extent(hidden, 0), hidden_, extent(hidden, 2), sweep, round_up(visible_, 4),
      KOKKOS_LAMBDA(Index tile, Index j) {
        Real* const row = &hidden(tile, j, 0);
        return BernoulliDraw{row, row, beta, beta * b(j), 0};
      });
}

void Rbm::draw_visible_units(Tiles v, ConstTiles field, Sweep const& sweep) const {
  ConstVector const a = visible_bias(), a0 = reference();
  Real const beta = Real(sweep.beta);
  Held const held = sweep.held;
  draw_units(
      "partita::draw_visible", extent(v, 0), visible_, extent(v, 2), sweep, 0, KOKKOS_LAMBDA(Index tile, Index i) {
        return BernoulliDraw{&v(tile, i, 0), &field(tile, i, 0), beta, std::fma(beta, a(i), (1 - beta) * a0(i)),
                             held.data() != nullptr && held(i) != 0 ? Real(1) : Real(0)};
      });
}

void Rbm::draw_hidden(ConstTiles v, Tiles hidden, Sweep const& sweep) const {
  hidden_field(v, hidden);
  draw_hidden_units(hidden, sweep);
}

void Rbm::draw_visible(ConstTiles h, Tiles v, Sweep const& sweep) const {
  Tiles const field = visible_work(v);
  visible_field(h, field);
  draw_visible_units(v, field, sweep);
}

void Rbm::sweep(Tiles x, Sweep const& sweep) const {
  Tiles const hidden = hidden_work(x);
  draw_hidden(x, hidden, sweep);
  draw_visible(hidden, x, sweep);
}

void Rbm::add_visible_energy(ConstTiles v, double c0, double c1, LogWeights energy) const {
  ConstVector const a = visible_bias(), a0 = reference();
  Real const of_reference = Real(-c0), of_model = Real(-c1);
  add_over_rows(
      "partita::visible_energy", v, energy, KOKKOS_LAMBDA(Index i) { return Multiple{std::fma(of_model, a(i), of_reference * a0(i))}; });
}

void Rbm::path_energy(ConstTiles x, double at, TileScalars energy) const {
  Tiles const hidden = hidden_work(x);
  hidden_field(x, hidden);
  LogWeights const total = energy_work(x);
  add_visible_energy(x, 1 - at, at, total);
  ConstVector const b = hidden_bias();
  Real const beta = Real(at);
  add_over_rows(
      "partita::hidden_energy", hidden, total, KOKKOS_LAMBDA(Index j) {
        return HiddenEnergy{beta, beta * b(j)};
      });
  store(total, energy, extent(x, 0), extent(x, 2));
}

void Rbm::subtract_visible_log_z(ConstTiles field, LogWeights energy) const {
  ConstVector const a = visible_bias();
  add_over_rows(
      "partita::visible_log_z", field, energy, KOKKOS_LAMBDA(Index i) { return VisibleEnergy{a(i)}; });
}

void Rbm::hidden_energy(ConstTiles hidden, TileScalars energy) const {
  Tiles const field = visible_work(hidden);
  visible_field(hidden, field);
  LogWeights const total = energy_work(hidden);
  subtract_visible_log_z(field, total);
  ConstVector const b = hidden_bias();
  add_over_rows(
      "partita::hidden_bias_energy", hidden, total, KOKKOS_LAMBDA(Index j) { return Negative{b(j)}; });
  store(total, energy, extent(hidden, 0), extent(hidden, 2));
}

void Rbm::anneal(Tiles x, double beta_before, Sweep const& to, LogWeights log_weight) const {
  Tiles const hidden = hidden_work(x);
  hidden_field(x, hidden);
  add_visible_energy(x, to.beta - beta_before, beta_before - to.beta, log_weight);
  ConstVector const b = hidden_bias();
  Real const before = Real(beta_before), after = Real(to.beta);
  add_over_rows(
      "partita::anneal_hidden", hidden, log_weight, KOKKOS_LAMBDA(Index j) {
        return HiddenGain{before, after, b(j)};
      });
  draw_hidden_units(hidden, to);
  draw_visible(hidden, x, to);
}

std::unique_ptr<GibbsModel> Rbm::copy(Arrays arrays) const {
  auto other = make_rbm(options_, arrays);
  if (!arrays.makes()) return other;
  copy_array(other->parameters(), parameters_);
  other->parameters_changed();
  return other;
}

void Rbm::set_reference(UnitMoments const& m) {
  assign(reference_, log_odds(m));
  has_reference_ = true;
}

double Rbm::log_z_reference() const {
  double sum = double(hidden_) * std::log(2.);
  for (double a : to_host(reference())) sum += math::softplus(a);
  return sum;
}

void Rbm::start_from(UnitMoments const& m) { assign(visible_bias(), log_odds(m)); }

void Rbm::hidden_means(Tiles hidden) const {
  ConstVector const b = hidden_bias();
  Index const rows = hidden_, lanes = extent(hidden, 2);
  Kokkos::parallel_for(
      "partita::hidden_means", Range(0, extent(hidden, 0) * rows), KOKKOS_LAMBDA(Index n) {
        Real* const row = &hidden(n / rows, n % rows, 0);
        Real const bias = b(n % rows);
#pragma GCC ivdep
        for (Index l = 0; l < lanes; l++) row[l] = math::sigmoid(row[l] + bias);
      });
}

void Rbm::energy_forward(ConstTiles x, TileScalars energy) {
  path_energy(x, 1, energy);
  hidden_means(hidden_work(x));
}

void Rbm::add_unit_means(ConstTiles x, ConstTileScalars weight, Vector sum) const {
  auto const add = [&](ConstTiles units, Index first) {
    add_row_sums(
        "partita::unit_means", extent(units, 0), extent(units, 1), extent(units, 2),
        Kokkos::subview(sum, std::pair(first, first + extent(units, 1))), KOKKOS_LAMBDA(Index t, Index i) {
          return WeightedUnit{&units(t, i, 0), &weight(t, 0)};
        });
  };
  add(x, 0);
  add(hidden_work(x), visible_);
}

void Rbm::add_outer_product(Factor v, Factor h, Index lanes, Vector sum) const {
  ProductShape const shape{visible_, hidden_, lanes};
  Product const to{sum.data(), hidden_, 1, 1};
  if (by_unit_products_ && unit_outer_product(shape, v, h, to)) return;
  h.form = Form::transposed;
  matrix_product(shape, v, h, to);
}

void Rbm::energy_reverse(ConstTiles x, ConstTileScalars weight, Vector sum) {
  Tiles const hidden = hidden_work(x);
  Index const rows = hidden_, lanes = extent(x, 2), tiles = extent(x, 0);
  Kokkos::parallel_for(
      "partita::weigh_hidden", Range(0, tiles * rows), KOKKOS_LAMBDA(Index n) {
        Real* const row = &hidden(n / rows, n % rows, 0);
        Real const* const w = &weight(n / rows, 0);
#pragma GCC ivdep
        for (Index l = 0; l < lanes; l++) row[l] *= -w[l];
      });
  ConstTiles const s = scaled(x);
  for (Index t = 0; t < tiles; t++)
    add_outer_product({s.data() + t * stride(s, 0), stride(s, 1)}, {hidden.data() + t * stride(hidden, 0), stride(hidden, 1)}, lanes, sum);
  auto const [first, count] = hidden_biases();
  add_row_sums(
      "partita::hidden_bias_gradient", tiles, rows, lanes, Kokkos::subview(sum, std::pair(first, first + count)),
      KOKKOS_LAMBDA(Index t, Index j) { return Unit{&hidden(t, j, 0)}; });
  visible_reverse(x, weight, hidden, sum);
}

void Rbm::visible_reverse(ConstTiles v, ConstTileScalars weight, ConstTiles, Vector sum) const {
  add_row_sums(
      "partita::visible_bias_gradient", extent(v, 0), visible_, extent(v, 2),
      Kokkos::subview(sum, std::pair(visible_ * hidden_, visible_ * hidden_ + visible_)), KOKKOS_LAMBDA(Index t, Index i) {
        return NegativeWeightedUnit{&v(t, i, 0), &weight(t, 0)};
      });
}

void Rbm::centre(Vector gradient, ConstVector offsets) const {
  Index const d = visible_, f = hidden_;
  auto const g = gradient;
  auto const mu = offsets;
  Vector const w = Kokkos::subview(g, std::pair(Index{0}, d * f)), a = Kokkos::subview(g, std::pair(d * f, d * f + d)),
               b = Kokkos::subview(g, std::pair(d * f + d, d * f + d + f));
  // dW - mu db' - da lambda', with the biases' gradients before centring; each row also computes the correction of its visible bias.
  Vector const visible("centred visible bias", d);
  Kokkos::parallel_for(
      "partita::centre_weights", Range(0, d), KOKKOS_LAMBDA(Index i) {
        Real const m = mu(i), slope = a(i);
        Real lost = 0;
        for (Index j = 0; j < f; j++) {
          Real const centred = w(i * f + j) - m * b(j) - slope * mu(d + j);
          w(i * f + j) = centred;
          lost = std::fma(centred, mu(d + j), lost);
        }
        visible(i) = slope - lost;
      });
  copy_array(a, visible);
  Vector const lost("centred hidden bias", f);
  matrix_product({1, f, d}, {mu.data(), d}, {w.data(), f}, {lost.data(), f});
  Kokkos::parallel_for(
      "partita::centre_hidden_bias", Range(0, f), KOKKOS_LAMBDA(Index j) { b(j) -= lost(j); });
}

// Restricted machines, for each kind of visible units.
ModelEntry rbm_model() {
  return {{rbm_schema(),
           [](deck::Block const& b, random::Key key, Arrays arrays) {
             auto model = make_rbm(b.as<RbmOptions>(), arrays);
             if (arrays.makes()) model->initialise(normals(key));
             return model;
           }},
          Capabilities::of<GaussianRbm>(),
          sizes_by_options<Rbm, RbmOptions>,
          [](deck::Block const& b) {
            return b.as<RbmOptions>().visible_units == "gaussian" ? Capabilities::of<GaussianRbm>() : Capabilities::of<Rbm>();
          }};
}

}  // namespace partita
