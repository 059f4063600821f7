#include "models/hee_joint.hpp"

#include <algorithm>
#include <cmath>

#include "core/copy.hpp"
#include "core/matrix_product.hpp"

namespace partita {
namespace {

using Range = Kokkos::RangePolicy<Execution, Kokkos::IndexType<Index>>;
using Sums = Kokkos::View<double**, Kokkos::LayoutRight, DeviceMemory>;  // (tile, pitch)

constexpr double half_log_pi = 0.57236494292470008707;

Index tiles_of(TileStorage const& x) { return extent(x, 0); }
Index units_of(TileStorage const& x) { return extent(x, 1); }
Index pitch_of(TileStorage const& x) { return extent(x, 2); }
TileStorage like(TileStorage const& x) { return TileStorage("hee work", x.extent(0), x.extent(1), x.extent(2)); }

// Calls body(tile, row, first, count) for every tile, row and span of lanes: all lanes of a row on a CPU, one per thread on a GPU.
template <class Body>
void each_row(char const* name, Index tiles, Index rows, Index lanes, Body const& body) {
  Index const span = runs_on_host ? lanes : 1, spans = lanes / span;
  Kokkos::parallel_for(
      name, Range(0, tiles * rows * spans), KOKKOS_LAMBDA(Index n) { body(n / spans / rows, n / spans % rows, n % spans * span, span); });
}

// out = alpha op(A) in + beta out on every tile, always with all lanes of a full tile, since the bits depend on the shape.
void multiply(Real const* a, Form form, TileStorage const& in, TileStorage const& out, Index lanes, Real alpha = 1, Real beta = 0) {
  Index const rows = units_of(out), inner = units_of(in);
  matrix_product({rows, lanes, inner}, {a, form == Form::plain ? inner : rows, form},
                 {in.data(), pitch_of(in), Form::plain, inner * pitch_of(in)},
                 {out.data(), pitch_of(out), alpha, beta, rows * pitch_of(out)}, tiles_of(out));
}

TileStorage transferred(Transfer f, TileStorage const& x) {
  Index const n = units_of(x), strips = pitch_of(x) / strip_lanes;
  TileStorage const out = like(x);
  Kokkos::parallel_for(
      "partita::hee_transfer", Range(0, tiles_of(x) * n * strips), KOKKOS_LAMBDA(Index m) {
        Real slope[strip_lanes];
        Index const tile = m / strips / n, i = m / strips % n, lane = m % strips * strip_lanes;
        apply(f, &x(tile, i, lane), &out(tile, i, lane), slope);
      });
  return out;
}

// eta = W_l f(x_l+1) + b_l
void natural_parameters(Hee const& model, Index l, std::vector<TileStorage> const& x, TileStorage const& eta, Index lanes) {
  if (l < model.layers()) multiply(model.weight(l), Form::plain, transferred(model.f(), x[l + 1]), eta, lanes);
  else fill_array(eta, Real(0));
  auto const* const bias = model.bias(l);
  each_row(
      "partita::hee_bias", tiles_of(eta), units_of(eta), lanes, KOKKOS_LAMBDA(Index tile, Index i, Index first, Index count) {
        Real* const row = &eta(tile, i, first);
        for (Index k = 0; k < count; k++) row[k] += bias[i];
      });
}

// The random words of a layer: unit i of a chain has the blocks from first + i a_unit on.
struct LayerWords {
  random::Key key;
  std::uint64_t first_chain, width, step;
  Index first, a_unit;
  KOKKOS_FORCEINLINE_FUNCTION random::Words operator()(Index tile, Index lane, Index i, Index k = 0) const {
    return random::words(key, first_chain + std::uint64_t(tile) * width + std::uint64_t(lane), random::Stream::hee_ancestral, step,
                         std::uint32_t(first + i * a_unit + k));
  }
};

// Replaces eta in x by a draw given eta.
void draw_units(Hee const& model, LayerWords const& words, TileStorage const& x, Index lanes) {
  auto const phi = model.phi();
  auto const g = model.g();
  each_row(
      "partita::hee_draw_units", tiles_of(x), units_of(x), lanes, KOKKOS_LAMBDA(Index tile, Index i, Index first, Index count) {
        Real* const row = &x(tile, i, first);
        for (Index k = 0; k < count; k++)
          row[k] = sample_conditional(phi, g, row[k], [&](Index block) { return words(tile, first + k, i, block); });
      });
}

// The same with lateral connections: y = eta/2 + S' N/sqrt(2) + sqrt(delta/2) N' has covariance Q/2, and Q^-1 y is a draw from
// N(Q^-1 eta/2, Q^-1/2).
void draw_coupled(Hee const& model, Index l, InverseCoupling const& inverse, LayerWords const& words, TileStorage const& x, Index lanes) {
  TileStorage const work = like(x);
  Real const floor = Real(std::sqrt(model.lateral_floor() / 2));
  each_row(
      "partita::hee_draw_coupled", tiles_of(x), units_of(x), lanes, KOKKOS_LAMBDA(Index tile, Index i, Index first, Index count) {
        Real *const row = &x(tile, i, first), *const noise = &work(tile, i, first);
        for (Index k = 0; k < count; k++) {
          random::Words const w = words(tile, first + k, i);
          auto const normal = random::normal_pair(w.w[0], w.w[1], Real());
          row[k] = row[k] / 2 + floor * normal.b;
          noise[k] = normal.a;
        }
      });
  multiply(model.lateral(l), Form::transposed, work, x, lanes, Real(std::sqrt(.5)), 1);
  copy_array(work, x);
  multiply(inverse.matrix.data(), Form::plain, work, x, lanes);
}

// sum += log p(x | eta)
void add_log_density_of_units(Hee const& model, TileStorage const& x, TileStorage const& eta, Sums const& sum, Index lanes) {
  auto const phi = model.phi();
  auto const g = model.g();
  Index const n = units_of(x);
  bool const gaussian = model.gaussian_conditionals();
  each_row(
      "partita::hee_log_density", tiles_of(x), 1, lanes, KOKKOS_LAMBDA(Index tile, Index, Index first, Index count) {
        for (Index i = 0; i < n; i++)
          for (Index k = first; k < first + count; k++) {
            double const at = x(tile, i, k), e = eta(tile, i, k), deviation = at - e / 2;
            if (gaussian) sum(tile, k) -= deviation * deviation + half_log_pi;
            else sum(tile, k) += UnitExponent<double>{phi, g, e}.value(at) - log_partition(phi, g, e).value;
          }
      });
}

// The same with lateral connections: -r' Q r + (log det Q - n log pi) / 2 with r = x - Q^-1 eta/2; `eta` is overwritten.
void add_log_density_of_coupled(Hee const& model, Index l, InverseCoupling const& inverse, TileStorage const& x, TileStorage const& eta,
                                Sums const& sum, Index lanes) {
  TileStorage const residual = like(x);
  copy_array(residual, x);
  multiply(inverse.matrix.data(), Form::plain, eta, residual, lanes, Real(-0.5), 1);
  multiply(model.coupling(l), Form::plain, residual, eta, lanes);
  Index const n = units_of(x);
  double const constant = inverse.log_determinant / 2 - double(n) * half_log_pi;
  each_row(
      "partita::hee_log_density_coupled", tiles_of(x), 1, lanes, KOKKOS_LAMBDA(Index tile, Index, Index first, Index count) {
        for (Index k = first; k < first + count; k++) sum(tile, k) += constant;
        for (Index i = 0; i < n; i++)
          for (Index k = first; k < first + count; k++) sum(tile, k) -= double(residual(tile, i, k)) * eta(tile, i, k);
      });
}

}  // namespace

namespace {
Index widest(Hee const& model) {
  Index n = 0;
  for (Index l = 0; l <= model.layers(); l++) n = std::max(n, model.width(l));
  return n;
}
Vector make_inverse(Arrays const& arrays, Hee const& model, Index l) {
  return arrays.make<Vector>("inverse couplings of a layer", model.width(l) * model.width(l));
}
}  // namespace

void list_inverse_couplings(Arrays arrays, Hee const& model) {
  if (!model.lateral()) return;
  for (Index l = 0; l <= model.layers(); l++) make_inverse(arrays, model, l);
  // The matrix, its factor and their copies, the identity, the inverse (dense.cpp).
  arrays.count<double>("while one is found", 6, widest(model), widest(model));
}

void list_log_joint(Arrays arrays, Hee const& model, Share const& share) {
  // eta, f(x) and, with lateral connections, the residual of the widest layer; and a sum a chain.
  arrays.count<Real>("eta and f(x) of a layer", model.lateral() ? 3 : 2, share.mine().count, widest(model), share.tiling.pitch());
  arrays.count<double>("log densities", share.mine().count, share.tiling.pitch());
  list_inverse_couplings(arrays, model);
}

std::vector<InverseCoupling> inverse_couplings(Hee const& model) {
  std::vector<InverseCoupling> out;
  if (!model.lateral()) return out;
  for (Index l = 0; l <= model.layers(); l++) {
    Matrix const coupling = model.host_coupling(l), exact = inverse(coupling);
    Vector const matrix = make_inverse({}, model, l);
    auto const host = Kokkos::create_mirror_view(matrix);
    for (std::size_t i = 0; i < exact.values.size(); i++) host(i) = Real(exact.values[i]);
    copy_array(matrix, host);
    out.push_back({matrix, log_determinant(coupling)});
  }
  return out;
}

void sample_ancestral(Hee const& model, random::Key key, Tiling const& tiling, TileRange mine, std::vector<TileStorage> const& x,
                      Index step) {
  auto const unsigned_of = [](Index n) { return std::uint64_t(n); };
  Index const a_unit = model.gaussian_conditionals() || model.lateral() ? 1 : blocks_per_draw;
  random::check_budget(tiling.chains, step + 1, (model.width(0) + model.units()) * a_unit);
  LayerWords words{key, unsigned_of(tiling.first_chain(mine.first)), unsigned_of(tiling.width), unsigned_of(step), 0, a_unit};
  auto const inverse = inverse_couplings(model);
  for (Index l = model.layers(); l >= 0; l--) {
    TileStorage const& layer = x[l];
    natural_parameters(model, l, x, layer, tiling.width);
    if (model.lateral()) draw_coupled(model, l, inverse[l], words, layer, tiling.width);
    else draw_units(model, words, layer, tiling.width);
    words.first += model.width(l) * a_unit;
  }
}

TileStorage mean_statistic(Hee const& model, Index l, std::vector<InverseCoupling> const& inverse, std::vector<TileStorage> const& x) {
  TileStorage const eta = like(x[l]);
  Index const lanes = pitch_of(eta);
  natural_parameters(model, l, x, eta, lanes);
  if (model.lateral()) {
    TileStorage const mean = like(eta);
    multiply(inverse[l].matrix.data(), Form::plain, eta, mean, lanes, Real(0.5));
    return mean;
  }
  auto const phi = model.phi();
  auto const g = model.g();
  each_row(
      "partita::hee_mean_statistic", tiles_of(eta), units_of(eta), lanes, KOKKOS_LAMBDA(Index tile, Index i, Index first, Index count) {
        Real* const row = &eta(tile, i, first);
        for (Index k = 0; k < count; k++) row[k] = log_partition(phi, g, row[k]).slope;
      });
  return eta;
}

std::vector<double> log_joint(Hee const& model, Tiling const& tiling, TileRange mine, std::vector<TileStorage> const& x) {
  Sums const sum("hee log density", mine.count, tiling.pitch());
  auto const inverse = inverse_couplings(model);
  for (Index l = 0; l <= model.layers(); l++) {
    TileStorage const& layer = x[l];
    TileStorage const eta = like(layer);
    natural_parameters(model, l, x, eta, tiling.width);
    if (model.lateral()) add_log_density_of_coupled(model, l, inverse[l], layer, eta, sum, tiling.width);
    else add_log_density_of_units(model, layer, eta, sum, tiling.width);
  }
  auto const host = values_on_host(sum);
  std::vector<double> out;
  for (Index t = 0; t < mine.count; t++)
    for (Index k = 0; k < tiling.chains_in(mine.first + t); k++) out.push_back(host(t, k));
  return out;
}

}  // namespace partita
