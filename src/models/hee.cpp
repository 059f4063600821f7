#include "models/hee.hpp"

#include <fmt/format.h>

#include <array>
#include <numeric>
#include <utility>

#include "core/copy.hpp"
#include "core/matrix_product.hpp"
#include "core/require.hpp"
#include "models/entry.hpp"

namespace partita {
namespace {

template <class Choice, std::size_t n>
using Names = std::array<std::pair<char const*, Choice>, n>;

constexpr Names<Transfer, 4> transfers{
    {{"identity", Transfer::identity}, {"tanh", Transfer::tanh}, {"softplus", Transfer::softplus}, {"relu", Transfer::relu}}};
constexpr Names<Statistic, 2> statistics{{{"identity", Statistic::identity}, {"tanh", Statistic::tanh}}};
constexpr Names<BaseMeasure, 3> base_measures{
    {{"quadratic", BaseMeasure::quadratic}, {"quartic", BaseMeasure::quartic}, {"lateral", BaseMeasure::lateral}}};

template <class Choice, std::size_t n>
std::vector<std::string> names(Names<Choice, n> const& table) {
  std::vector<std::string> out;
  for (auto const& entry : table) out.push_back(entry.first);
  return out;
}

template <class Choice, std::size_t n>
Choice named(char const* key, std::string const& name, Names<Choice, n> const& table) {
  for (auto const& [known, choice] : table)
    if (name == known) return choice;
  fail(ExitCode::usage, fmt::format("model.{} = \"{}\" is unknown; use {}", key, name, deck::alternatives(names(table))),
       FailedOn::all_ranks);
}

using Flags = DeviceVector<std::uint8_t>;
Kokkos::RangePolicy<Execution, Kokkos::IndexType<Index>> range(Index n) { return {0, n}; }

// Each of `count` connections exists with probability `density`, drawn by a random number keyed by its place in block number `block`.
void draw_connections(Flags const& learnt, Index first, Index count, random::Key key, Index block, double density) {
  Kokkos::parallel_for(
      "partita::hee_connections", range(divide_up(count, 4)), KOKKOS_LAMBDA(Index n) {
        auto const w = random::words(key, std::uint64_t(n), random::Stream::hee_connections, std::uint64_t(block), 0);
        for (Index k = 0; k < 4 && 4 * n + k < count; k++) learnt(first + 4 * n + k) = random::uniform_double(w.w[k]) < density;
      });
}

void draw_weights(Vector const& theta, Index first, Index count, random::Key key, Index layer, double scale) {
  Real const amplitude = Real(scale);
  Kokkos::parallel_for(
      "partita::hee_weights", range(divide_up(count, 4)), KOKKOS_LAMBDA(Index n) {
        auto const w = random::words(key, std::uint64_t(n), random::Stream::hee_weights, std::uint64_t(layer), 0);
        auto const p = random::normal_pair(w.w[0], w.w[1], Real()), q = random::normal_pair(w.w[2], w.w[3], Real());
        Real const normal[4] = {p.a, p.b, q.a, q.b};
        for (Index k = 0; k < 4 && 4 * n + k < count; k++) theta(first + 4 * n + k) = amplitude * normal[k];
      });
}

// The diagonal of the n x n matrix at m.
template <class T>
void fill_diagonal(T* m, Index n, T value) {
  Kokkos::parallel_for(
      "partita::hee_diagonal", range(n), KOKKOS_LAMBDA(Index i) { m[i * n + i] = value; });
}

Index count_set(Flags const& learnt, Index first, Index count) {
  Index sum = 0;
  Kokkos::parallel_reduce(
      "partita::hee_count_set", range(count), KOKKOS_LAMBDA(Index i, Index & s) { s += learnt(first + i); }, sum);
  return sum;
}

Matrix host_matrix(Real const* values, Index rows, Index columns) {
  Matrix m(rows, columns);
  std::copy(values, values + rows * columns, m.values.begin());
  return m;
}

}  // namespace

deck::Schema hee_schema() {
  using O = HeeOptions;
  auto const two_layers = [](deck::Value const& v) {
    return std::get<std::vector<std::int64_t>>(v).size() < 2 ? "needs n_0 and at least one latent layer" : "";
  };
  return deck::schema<O>(
      "hee", "hierarchical exponential family: p(x_l | x_l+1) = exp(eta_l . phi(x_l) + g(x_l) - A(eta_l)), eta_l = W_l f(x_l+1) + b_l",
      {deck::key("widths", &O::widths, "numbers of units: n_0, the dimension of the data, then n_1 .. n_L of the latent layers")
           .required()
           .at_least(1)
           .checked_by(two_layers),
       deck::key("activation", &O::f,
                 "f, function of a layer that the layer below sees; with f and statistic the identity p(x_0) is one Gaussian")
           .one_of(names(transfers))
           .formerly("f"),
       deck::key("statistic", &O::phi, "sufficient statistic phi").one_of(names(statistics)).formerly("phi"),
       deck::key("base_measure", &O::g,
                 "log base measure g(x): -sum x^2, -sum x^4, or -x'Qx with learnt lateral connections Q = S'S + delta I")
           .one_of(names(base_measures))
           .formerly("g"),
       deck::key("top_bias", &O::top_bias, "whether b_L, the natural parameter of the top layer, is learnt or stays zero")
           .one_of({"learnt", "zero"}),
       deck::key("density", &O::density, "fraction of the entries of W_l that exist, chosen at random once").above(0).at_most(1),
       deck::key("lateral_density", &O::lateral_density, "fraction of the entries of S off its diagonal that exist, chosen at random once")
           .at_least(0)
           .at_most(1)
           .only_with("base_measure", {"lateral"}),
       deck::key("lateral_floor", &O::lateral_floor, "delta, below which no eigenvalue of Q lies")
           .above(0)
           .only_with("base_measure", {"lateral"}),
       deck::key("initial_scale", &O::initial_scale, "s of the random weights W_l ~ N(0, s^2 / (n_l+1 density)) at the start")
           .of_learning()
           .at_least(0)});
}

Sizes Hee::sizes(HeeOptions const& o) {
  require_all(o.widths.size() >= 2, ExitCode::usage,
              "model.widths has {} entries; give n_0, the dimension of the data, and the widths n_1 .. n_L of at least one latent layer",
              o.widths.size());
  for (Index n : o.widths) require_all(n >= 1, ExitCode::usage, "model.widths contains {}; every layer needs at least one unit", n);
  require_all(o.phi == "identity" || o.g != "lateral", ExitCode::usage,
              "model.statistic = \"{}\" cannot be combined with model.base_measure = \"lateral\" (A(eta) cannot be computed); use "
              "statistic = \"identity\" or another base_measure",
              o.phi);
  return {o.widths.front(), o.widths.front()};
}

Hee::Hee(HeeOptions const& o, random::Key key, Arrays arrays)
    : widths_((sizes(o), o.widths)),
      f_(named("activation", o.f, transfers)),
      phi_(named("statistic", o.phi, statistics)),
      g_(named("base_measure", o.g, base_measures)),
      lateral_floor_(o.lateral_floor) {
  bool const fixed_top = named("top_bias", o.top_bias, Names<bool, 2>{{{"learnt", false}, {"zero", true}}});
  Index const top = layers();
  auto const size = std::size_t(lateral() ? lateral_offset(top + 1) : bias_offset(top) + width(top));
  parameters_ = arrays.make<Vector>("hee parameters", size);
  bool const sparse = o.density < 1, sparse_lateral = lateral() && o.lateral_density < 1;
  if (sparse || sparse_lateral || fixed_top) learnt_ = arrays.make_unset<Flags>("hee learnt parameters", size);
  if (lateral()) coupling_ = arrays.make<Vector>("hee couplings", coupling_offset(top + 1));
  if (!arrays.makes()) return;
  if (learnt_.extent(0) > 0) fill_array(learnt_, std::uint8_t{1});
  for (Index l = 0; l < top; l++) {
    Index const count = width(l) * width(l + 1);
    draw_weights(parameters_, weight_offset(l), count, key, l, o.initial_scale / std::sqrt(double(width(l + 1)) * o.density));
    if (sparse) draw_connections(learnt_, weight_offset(l), count, key, 2 * l, o.density);
    weight_count_ += sparse ? count_set(learnt_, weight_offset(l), count) : count;
  }
  if (fixed_top) fill_array(Kokkos::subview(learnt_, std::pair(bias_offset(top), bias_offset(top) + width(top))), std::uint8_t{0});
  keep_learnable(parameters_);
  if (!lateral()) return;
  for (Index l = 0; l <= top; l++) {
    Index const first = lateral_offset(l), n = width(l);
    fill_diagonal(parameters_.data() + first, n, Real(1));
    if (!sparse_lateral) continue;
    draw_connections(learnt_, first, n * n, key, 2 * l + 1, o.lateral_density);
    fill_diagonal(learnt_.data() + first, n, std::uint8_t{1});
  }
  parameters_changed();
}

// Layer l holds W_l and b_l; the lateral connections of all layers follow.
Index Hee::weight_offset(Index l) const {
  Index offset = 0;
  for (Index k = 0; k < l; k++) offset += width(k) * (width(k + 1) + 1);
  return offset;
}
Index Hee::bias_offset(Index l) const { return weight_offset(l) + (l < layers() ? width(l) * width(l + 1) : 0); }
Index Hee::lateral_offset(Index l) const { return bias_offset(layers()) + width(layers()) + coupling_offset(l); }
Index Hee::coupling_offset(Index l) const {
  Index offset = 0;
  for (Index k = 0; k < l; k++) offset += width(k) * width(k);
  return offset;
}

Index Hee::units() const { return std::accumulate(widths_.begin() + 1, widths_.end(), Index{0}); }

std::vector<ParameterBlock> Hee::parameter_blocks() const {
  std::vector<ParameterBlock> blocks;
  for (Index l = 0; l <= layers(); l++) {
    if (l < layers()) blocks.push_back({fmt::format("layer{}/weight", l), {width(l), width(l + 1)}, weight_offset(l)});
    blocks.push_back({fmt::format("layer{}/bias", l), {width(l)}, bias_offset(l)});
  }
  for (Index l = 0; lateral() && l <= layers(); l++)
    blocks.push_back({fmt::format("layer{}/lateral", l), {width(l), width(l)}, lateral_offset(l)});
  return blocks;
}

void Hee::parameters_changed() {
  if (!lateral()) return;
  fill_array(coupling_, Real(0));
  for (Index l = 0; l <= layers(); l++) {
    Index const n = width(l);
    Real* const q = coupling_.data() + coupling_offset(l);
    fill_diagonal(q, n, Real(lateral_floor_));
    matrix_product({n, n, n}, {lateral(l), n, Form::transposed}, {lateral(l), n}, {q, n, 1, 1});
  }
}

void Hee::keep_learnable(Vector gradient) const {
  if (learnt_.extent(0) == 0) return;
  auto const learnt = learnt_;
  Kokkos::parallel_for(
      "partita::hee_keep_learnable", range(extent(gradient, 0)), KOKKOS_LAMBDA(Index i) {
        if (!learnt(i)) gradient(i) = 0;
      });
}

Matrix Hee::host_coupling(Index l) const {
  auto const q = values_on_host(Kokkos::subview(coupling_, std::pair(coupling_offset(l), coupling_offset(l + 1))));
  return host_matrix(q.data(), width(l), width(l));
}

std::vector<Hee::Layer> Hee::host_layers() const {
  auto const theta = values_on_host(parameters_);
  std::vector<Layer> out;
  for (Index l = 0; l <= layers(); l++) {
    Index const n = width(l);
    Layer layer;
    if (l < layers()) layer.weight = host_matrix(theta.data() + weight_offset(l), n, width(l + 1));
    layer.bias.assign(theta.data() + bias_offset(l), theta.data() + bias_offset(l) + n);
    if (lateral()) layer.coupling = host_coupling(l);
    else if (g_ == BaseMeasure::quadratic) layer.coupling = identity(n);
    out.push_back(std::move(layer));
  }
  return out;
}

ModelEntry hee_model() {
  return {{hee_schema(),
           [](deck::Block const& b, random::Key key, Arrays arrays) { return std::make_unique<Hee>(b.as<HeeOptions>(), key, arrays); }},
          Capabilities::of<Hee>(),
          sizes_by_options<Hee, HeeOptions>};
}

}  // namespace partita
