#include "models/nice.hpp"

#include <fmt/format.h>

#include <cmath>
#include <numbers>

#include "core/copy.hpp"
#include "core/math.hpp"
#include "core/matrix_product.hpp"
#include "core/require.hpp"
#include "core/tiling.hpp"
#include "models/host_values.hpp"
#include "networks/layer_kernels.hpp"

namespace partita {
namespace {

layer::Extent extent_of(ConstTiles const& t) { return {extent(t, 0), extent(t, 2), 0}; }

// Rows first, first + 1, ... of every tile.
template <class View>
View some_rows(View const& v, Index first, Index count) {
  return Kokkos::subview(v, Kokkos::ALL, std::pair(first, first + count), Kokkos::ALL);
}

Factor factor(ConstTiles const& t) { return {t.data(), Index(t.stride(1)), Form::plain, Index(t.stride(0))}; }

Index latent_dimension_of(NiceOptions const& o) {
  Index const latent = o.latent_dimension == 0 ? o.dimension : o.latent_dimension;
  require_all(latent >= o.dimension, ExitCode::usage,
              "model.latent_dimension = {} is less than model.dimension = {} (S F is invertible: x is part of its value); use at least {}",
              latent, o.dimension, o.dimension);
  require_all(latent > 1, ExitCode::usage,
              "model.dimension = 1 without redundant latents has nothing to couple (x = s z is a Gaussian, however many couplings); set "
              "model.latent_dimension = 2 or more");
  return latent;
}

// Number of outputs of the network of P^: M, the log-diagonal of A and, for a full A, the entries below the diagonal.
Index conditional_outputs(Index y, bool full) { return 2 * y + (full ? y * (y - 1) / 2 : 0); }
// Index of A_ij, j < i, among these outputs.
KOKKOS_INLINE_FUNCTION Index below_diagonal(Index y, Index i, Index j) { return 2 * y + i * (i - 1) / 2 + j; }

std::optional<Mlp> conditional_network(NiceOptions const& o) {
  Index const y = latent_dimension_of(o) - o.dimension;
  if (y == 0) return {};
  std::vector<Index> widths{o.dimension};
  widths.insert(widths.end(), o.hidden.begin(), o.hidden.end());
  widths.push_back(conditional_outputs(y, o.covariance == "cholesky"));
  return Mlp(widths, activation_named(o.activation));
}

// L and U from a matrix with L below the diagonal, U above it and log|U_ii| on it.
Matrix lower_of(Matrix const& packed) {
  Matrix l = identity(packed.rows);
  for (Index i = 0; i < packed.rows; i++)
    for (Index j = 0; j < i; j++) l(i, j) = packed(i, j);
  return l;
}
Matrix upper_of(Matrix const& packed) {
  Matrix u(packed.rows, packed.rows);
  for (Index i = 0; i < packed.rows; i++)
    for (Index j = i; j < packed.rows; j++) u(i, j) = i == j ? std::exp(packed(i, i)) : packed(i, j);
  return u;
}

Matrix to_matrix(ConstVector const& v, Index rows) {
  Matrix m(rows, extent(v, 0) / rows);
  m.values = to_host(v);
  return m;
}

}  // namespace

deck::Schema nice_schema() {
  using O = NiceOptions;
  return deck::schema<O>(
      "nice", "flow of additive couplings, x = S F(z) with z ~ N(0, I), trained to sample the [target]",
      {deck::key("dimension", &O::dimension, "number d of coordinates of x, that of the target").required().at_least(1),
       deck::key("latent_dimension", &O::latent_dimension,
                 "number D of coordinates of z; with D > d there are D - d auxiliary ones, (x, y) = S F(z), with a learnt law P(y|x) = "
                 "N(M(x), Sigma(x)); left out: d")
           .at_least(1),
       deck::key("couplings", &O::couplings, "number of coupling layers x_B <- x_B + N(x_A), N a network").at_least(0),
       deck::key("hidden", &O::hidden, "widths of the hidden layers of every network").at_least(1),
       deck::key("activation", &O::activation, "activation function of the networks").one_of({"silu", "softplus", "tanh", "gelu"}),
       deck::key("masks", &O::masks,
                 "coordinates A and B of the coupling layers: alternating, even and odd ones by turns; random, a random half and its "
                 "complement by turns")
           .one_of({"alternating", "random"}),
       deck::key("mask_seed", &O::mask_seed, "seed of the random masks; learnt parameters need the seed that they were learnt with")
           .at_least(0)
           .only_with("masks", {"random"}),
       deck::key("scale", &O::scale,
                 "form of the matrix S: diagonal, with positive entries; lu, L U with positive diagonals; dense, any matrix")
           .one_of({"diagonal", "lu", "dense"}),
       deck::key("covariance", &O::covariance,
                 "form of the covariance Sigma(x) of y given x: diagonal; cholesky, full, by the Cholesky factor of its inverse")
           .one_of({"diagonal", "cholesky"})});
}

Sizes Nice::sizes(NiceOptions const& o) {
  latent_dimension_of(o);
  return {o.dimension, o.dimension};
}

Nice::Nice(NiceOptions const& o, Arrays arrays)
    : dimension_(o.dimension),
      couplings_(latent_dimension_of(o), o.couplings, o.hidden, activation_named(o.activation),
                 o.masks == "random" ? Masks::random : Masks::alternating, std::uint64_t(o.mask_seed), arrays),
      conditional_(conditional_network(o)),
      full_covariance_(o.covariance == "cholesky"),
      scale_(o.scale == "diagonal" ? Scale::diagonal
             : o.scale == "lu"     ? Scale::lu
                                   : Scale::dense),
      parameters_(arrays.make<Vector>("nice parameters", scale_offset() + scale_size())),
      factor_(arrays.make<Vector>("S", scale_size())),
      inverse_factor_(arrays.make<Vector>("inverse of S", scale_size())) {
  if (arrays.makes()) initialise([](Index) { return 0.; });
}

void Nice::initialise(std::function<double(Index)> const& normal) {
  auto const host = Kokkos::create_mirror_view(parameters_);
  fill_array(host, Real(0));
  auto const fill = [&](Mlp const& network, Index offset) {
    for (Index k = 0; k + 1 < network.layers(); k++)
      for (Index i = offset + network.weight_offset(k); i < offset + network.weight_offset(k + 1); i++)
        host(i) = Real(network.initial_scale(k) * normal(i));
  };
  for (Index k = 0; k < couplings_.count(); k++) fill(couplings_.network(k), couplings_.offset(k));
  if (conditional_) fill(*conditional_, conditional_offset());
  if (scale_ == Scale::dense)
    for (Index i = 0; i < latent_dimension(); i++) host(scale_offset() + i * (latent_dimension() + 1)) = 1;
  copy_array(parameters_, host);
  parameters_changed();
}

std::vector<ParameterBlock> Nice::parameter_blocks() const {
  std::vector<ParameterBlock> blocks;
  auto const add = [&](std::string const& name, Mlp const& network, Index offset) {
    for (Index k = 0; k < network.layers(); k++) {
      blocks.push_back(
          {fmt::format("{}/layer{}/weight", name, k), {network.outputs(k), network.inputs(k)}, offset + network.weight_offset(k)});
      blocks.push_back({fmt::format("{}/layer{}/bias", name, k), {network.outputs(k)}, offset + network.bias_offset(k)});
    }
  };
  for (Index k = 0; k < couplings_.count(); k++) add(fmt::format("coupling{}", k), couplings_.network(k), couplings_.offset(k));
  if (conditional_) add("conditional", *conditional_, conditional_offset());
  auto const extents = scale_ == Scale::diagonal ? std::vector{latent_dimension()} : std::vector{latent_dimension(), latent_dimension()};
  blocks.push_back({"scale", extents, scale_offset()});
  return blocks;
}

void Nice::parameters_changed() {
  Vector const block = Kokkos::subview(parameters_, std::pair(scale_offset(), scale_offset() + scale_size()));
  Matrix const p = to_matrix(block, latent_dimension());
  if (scale_ == Scale::diagonal) {
    log_determinant_ = 0;
    Matrix s = p, inverse = p;
    for (std::size_t i = 0; i < p.values.size(); i++) {
      log_determinant_ += p.values[i];
      s.values[i] = std::exp(p.values[i]);
      inverse.values[i] = std::exp(-p.values[i]);
    }
    assign(factor_, s.values);
    assign(inverse_factor_, inverse.values);
    return;
  }
  Matrix const s = scale_ == Scale::lu ? lower_of(p) * upper_of(p) : p;
  auto const inverted = invert(s);
  log_determinant_ = inverted.log_absolute_determinant;
  assign(factor_, s.values);
  assign(inverse_factor_, inverted.inverse.values);
}

// Work memory for all tiles of a call, in this order: F(z); outputs of the network of P^, then their cotangents; A (y - M); its product
// with A'; dS/dx by the network; the network's tape; the couplings' tape.
struct Nice::Work {
  Index tiles, lanes;
  Tiles latent, outputs, whitened, pulled, input_gradient;
  MlpTape conditional_tape;
  Real* couplings_tape;

  Work(Nice& m, ConstTiles const& like) : tiles(extent(like, 0)), lanes(extent(like, 2)) {
    m.reserve(tiles, lanes);
    next_ = m.activations_.data();
    latent = rows(m.latent_dimension());
    if (m.conditional_) {
      outputs = rows(m.conditional_->widths().back());
      whitened = rows(m.extra());
      pulled = rows(m.extra());
      input_gradient = rows(m.dimension_);
      conditional_tape = {next_, 0};
      next_ += tiles * m.conditional_->tape_elements(lanes, 0);
    }
    couplings_tape = next_;
  }

 private:
  Tiles rows(Index count) {
    auto const n = [](Index i) { return std::size_t(i); };
    Index const pitch = pitch_of(lanes);
    Real* const at = next_;
    next_ += tiles * count * pitch;
    return Tiles(at, Kokkos::LayoutStride(n(tiles), n(count * pitch), n(count), n(pitch), n(lanes), 1));
  }
  Real* next_;
};

Index Nice::work_elements(Index lanes) const {
  Index elements = latent_dimension() * pitch_of(lanes) + couplings_.tape_elements(lanes);
  if (conditional_)
    elements += (conditional_->widths().back() + 2 * extra() + dimension_) * pitch_of(lanes) + conditional_->tape_elements(lanes, 0);
  return elements;
}

void Nice::work(Arrays arrays, Index tiles, Index lanes) const {
  arrays.grow_unset(activations_, "flow activations", tiles * work_elements(lanes));
}

// to = the diagonal or full matrix s, or its transpose, times from.
void Nice::apply(Vector s, Form form, ConstTiles from, Tiles to) const {
  Index const d = latent_dimension(), lanes = extent(from, 2);
  if (scale_ != Scale::diagonal) {
    matrix_product({d, lanes, d}, {s.data(), d, form}, factor(from), {to.data(), Index(to.stride(1)), 1, 0, Index(to.stride(0))},
                   extent(from, 0));
    return;
  }
  layer::for_lanes(
      "partita::flow_scale", extent_of(from), KOKKOS_LAMBDA(Index tile, Index first, Index count) {
        for (Index i = 0; i < d; i++) {
          Real const si = s(i);
          Real const* const source = &from(tile, i, first);
          Real* const target = &to(tile, i, first);
          for (Index l = 0; l < count; l++) target[l] = si * source[l];
        }
      });
}

void Nice::forward(ConstTiles z, Tiles xy) {
  Work const work(*this, z);
  copy_array(work.latent, z);
  couplings_.forward(parameters_, work.latent, work.couplings_tape);
  apply(factor_, Form::plain, work.latent, xy);
}

void Nice::inverse(ConstTiles xy, Tiles z) {
  Work const work(*this, xy);
  apply(inverse_factor_, Form::plain, xy, z);
  couplings_.inverse(parameters_, z, work.couplings_tape);
}

ConstVector Nice::conditional_parameters() const {
  return Kokkos::subview(parameters_, std::pair(conditional_offset(), conditional_offset() + conditional_->parameter_count()));
}

void Nice::conditional(ConstTiles xy, TileScalars minus_log_density) {
  fill_array(minus_log_density, Real(0));
  if (!conditional_) return;
  Work const work(*this, xy);
  conditional_->forward(conditional_parameters(), some_rows(xy, 0, dimension_), {}, {work.outputs}, work.conditional_tape);
  Tiles const out = work.outputs, whitened = work.whitened;
  Index const d = dimension_, n = extra();
  bool const full = full_covariance_;
  Real const constant = Real(0.5 * double(n) * std::log(2 * std::numbers::pi));
  // In place of M: r = y - M. With e = A r: -log N = |e|^2 / 2 - sum of A's log-diagonal + constant.
  layer::for_lanes(
      "partita::flow_conditional", extent_of(xy), KOKKOS_LAMBDA(Index tile, Index first, Index lanes) {
        Real* const value = &minus_log_density(tile, first);
        for (Index l = 0; l < lanes; l++) value[l] = constant;
        for (Index i = 0; i < n; i++) {
          Real const* const y = &xy(tile, d + i, first);
          Real const* const log_diagonal = &out(tile, n + i, first);
          Real *const r = &out(tile, i, first), *const e = &whitened(tile, i, first);
          for (Index l = 0; l < lanes; l++) {
            r[l] = y[l] - r[l];
            e[l] = math::exp(log_diagonal[l]) * r[l];
          }
          for (Index j = 0; full && j < i; j++) {
            Real const *const a = &out(tile, below_diagonal(n, i, j), first), *const rj = &out(tile, j, first);
            for (Index l = 0; l < lanes; l++) e[l] = std::fma(a[l], rj[l], e[l]);
          }
          for (Index l = 0; l < lanes; l++) value[l] += std::fma(Real(0.5) * e[l], e[l], -log_diagonal[l]);
        }
      });
}

void Nice::reverse_conditional(ConstTiles xy, ConstTileScalars weight, Tiles gradient, Vector sum) {
  if (!conditional_) return;
  Work const work(*this, xy);
  Tiles const out = work.outputs, whitened = work.whitened, pulled = work.pulled, through = work.input_gradient;
  Index const d = dimension_, n = extra();
  bool const full = full_covariance_;
  // Derivatives: A' e in y, minus that in M, e_i A_ii r_i - 1 in log A_ii, e_i r_j in A_ij; they replace the outputs.
  layer::for_lanes(
      "partita::flow_conditional_reverse", extent_of(xy), KOKKOS_LAMBDA(Index tile, Index first, Index lanes) {
        Real const* const c = &weight(tile, first);
        for (Index i = 0; i < n; i++) {
          Real const *const log_diagonal = &out(tile, n + i, first), *const e = &whitened(tile, i, first);
          Real *const h = &pulled(tile, i, first), *const to = &gradient(tile, d + i, first);
          for (Index l = 0; l < lanes; l++) h[l] = math::exp(log_diagonal[l]) * e[l];
          for (Index k = i + 1; full && k < n; k++) {
            Real const *const a = &out(tile, below_diagonal(n, k, i), first), *const ek = &whitened(tile, k, first);
            for (Index l = 0; l < lanes; l++) h[l] = std::fma(a[l], ek[l], h[l]);
          }
          for (Index l = 0; l < lanes; l++) to[l] = std::fma(c[l], h[l], to[l]);
        }
        for (Index i = 0; i < n; i++) {
          Real const *const e = &whitened(tile, i, first), *const r = &out(tile, i, first);
          Real* const log_diagonal = &out(tile, n + i, first);
          for (Index l = 0; l < lanes; l++) log_diagonal[l] = c[l] * std::fma(e[l] * r[l], math::exp(log_diagonal[l]), Real(-1));
          for (Index j = 0; full && j < i; j++) {
            Real const* const rj = &out(tile, j, first);
            Real* const a = &out(tile, below_diagonal(n, i, j), first);
            for (Index l = 0; l < lanes; l++) a[l] = c[l] * e[l] * rj[l];
          }
        }
        for (Index i = 0; i < n; i++) {
          Real const* const h = &pulled(tile, i, first);
          Real* const m = &out(tile, i, first);
          for (Index l = 0; l < lanes; l++) m[l] = -c[l] * h[l];
        }
      });
  Vector const parameters_sum = Kokkos::subview(sum, std::pair(conditional_offset(), scale_offset()));
  conditional_->reverse(conditional_parameters(), some_rows(xy, 0, d), {}, {work.outputs}, work.conditional_tape, parameters_sum, through);
  layer::for_lanes(
      "partita::flow_add", extent_of(xy), KOKKOS_LAMBDA(Index tile, Index first, Index lanes) {
        for (Index i = 0; i < d; i++) {
          Real const* const from = &through(tile, i, first);
          Real* const to = &gradient(tile, i, first);
          for (Index l = 0; l < lanes; l++) to[l] += from[l];
        }
      });
}

void Nice::add_scale_gradient(ConstTiles gradient, ConstTiles latent, Real* sum) const {
  Index const d = latent_dimension(), tiles = extent(gradient, 0), lanes = extent(gradient, 2);
  if (scale_ != Scale::diagonal) {
    for (Index t = 0; t < tiles; t++) {
      Factor const u{place_of(latent, t), Index(latent.stride(1)), Form::transposed};
      matrix_product({d, d, lanes}, {place_of(gradient, t), Index(gradient.stride(1))}, u, {sum, d, 1, 1});
    }
    return;
  }
  Kokkos::parallel_for(
      "partita::flow_scale_gradient", Kokkos::RangePolicy<Execution, Kokkos::IndexType<Index>>(0, d), KOKKOS_LAMBDA(Index i) {
        Real partial[lane_quantum] = {};  // independent sums become vector lanes; a tile's lanes are whole vectors
        for (Index t = 0; t < tiles; t++) {
          Real const *const g = &gradient(t, i, 0), *const u = &latent(t, i, 0);
          for (Index l = 0; l < lanes; l += lane_quantum)
            for (Index q = 0; q < lane_quantum; q++) partial[q] += g[l + q] * u[l + q];
        }
        for (Index q = 0; q < lane_quantum; q++) sum[i] += partial[q];
      });
}

void Nice::reverse(Tiles gradient, Vector sum) {
  Work const work(*this, gradient);
  add_scale_gradient(gradient, work.latent, sum.data() + scale_offset());
  apply(factor_, Form::transposed, gradient, work.latent);
  couplings_.reverse(parameters_, work.latent, work.couplings_tape, sum);
}

void Nice::complete(Vector sum) const {
  auto const range = std::pair(scale_offset(), scale_offset() + scale_size());
  Vector const block = Kokkos::subview(sum, range);
  Matrix const p = to_matrix(Kokkos::subview(parameters_, range), latent_dimension());
  Matrix g = to_matrix(block, latent_dimension());  // in S
  if (scale_ == Scale::diagonal) {
    for (std::size_t i = 0; i < g.values.size(); i++) g.values[i] = g.values[i] * std::exp(p.values[i]) - 1;
  } else if (scale_ == Scale::lu) {
    Matrix const lower = lower_of(p), upper = upper_of(p), in_lower = g * transpose(upper), in_upper = transpose(lower) * g;
    for (Index i = 0; i < g.rows; i++)
      for (Index j = 0; j < g.rows; j++) g(i, j) = j < i ? in_lower(i, j) : j > i ? in_upper(i, j) : in_upper(i, i) * upper(i, i) - 1;
  } else {
    g = g + -1 * transpose(to_matrix(inverse_factor_, latent_dimension()));
  }
  assign(block, g.values);
}

}  // namespace partita
