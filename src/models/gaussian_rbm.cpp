#include "models/gaussian_rbm.hpp"

#include <cmath>
#include <numbers>

#include "core/copy.hpp"
#include "core/math.hpp"
#include "models/host_values.hpp"
#include "models/unit_kernels.hpp"

namespace partita {
namespace {

using Range = Kokkos::RangePolicy<Execution, Kokkos::IndexType<Index>>;

// row(tile, i) returns a function lane(l) for every row of tiles like x, which is called for every lane.
template <class Row>
void for_each_row(char const* name, ConstTiles x, Row const& row) {
  Index const rows = extent(x, 1), lanes = extent(x, 2);
  Kokkos::parallel_for(
      name, Range(0, extent(x, 0) * rows), KOKKOS_LAMBDA(Index n) {
        auto const lane = row(n / rows, n % rows);
#pragma GCC ivdep
        for (Index l = 0; l < lanes; l++) lane(l);
      });
}

// to_l = c x_l.
struct ScaleRow {
  Real* to;
  Real const* from;
  Real c;
  KOKKOS_FORCEINLINE_FUNCTION void operator()(Index l) const { to[l] = c * from[l]; }
};

// A draw of v_i given the field of the hidden units.
struct NormalDraw {
  Real* to;
  Real const* from;
  Real slope, mean, deviation, keep;
  KOKKOS_FORCEINLINE_FUNCTION void operator()(Index l, Real normal) const {
    to[l] = kept_or_drawn(keep, to[l], std::fma(deviation, normal, std::fma(slope, from[l], mean)));
  }
};

// -log of the integral over v_i, of the field f.
struct VisibleLogZ {
  Real quadratic, linear, constant;
  KOKKOS_FORCEINLINE_FUNCTION Real operator()(Real f) const { return std::fma(std::fma(quadratic, f, linear), f, constant); }
};

// c0 E_0(v_i) + c1 E(v_i).
struct VisibleEnergy {
  Real of_reference, of_model, stiffness, centre, start;
  KOKKOS_FORCEINLINE_FUNCTION Real operator()(Real x) const {
    return stiffness * std::fma(of_model * (x - centre), x - centre, of_reference * (x - start) * (x - start));
  }
};

// w dE/da_i of a lane.
struct BiasDerivative {
  Real const *row, *w;
  Real stiffness, centre;
  KOKKOS_FORCEINLINE_FUNCTION Real operator()(Index l) const { return -stiffness * w[l] * (row[l] - centre); }
};

// w dE/dz_i of a lane.
struct LogVarianceDerivative {
  Real const *row, *w, *weighted;
  Real half, kc, centre;
  KOKKOS_FORCEINLINE_FUNCTION Real operator()(Index l) const {
    Real const away = row[l] - centre;
    return -std::fma(half * w[l] * away, away, kc * row[l] * weighted[l]);
  }
};

// E[v_i | h] in place of the field.
struct VisibleMean {
  Real* row;
  Real slope, centre;
  KOKKOS_FORCEINLINE_FUNCTION void operator()(Index l) const { row[l] = std::fma(slope, row[l], centre); }
};

// dE/dv_i in place of the field.
struct VisibleGradient {
  Real* to;
  Real const* row;
  Real stiffness, c, centre;
  KOKKOS_FORCEINLINE_FUNCTION void operator()(Index l) const { to[l] = std::fma(stiffness, row[l] - centre, -c * to[l]); }
};

}  // namespace

GaussianRbm::GaussianRbm(RbmOptions const& o, Arrays arrays)
    : Rbm(o, arrays.make<Vector>("gaussian rbm parameters", Rbm::parameter_count(o.visible, o.hidden) + o.visible), arrays),
      per_deviation_(o.parametrisation == "A"),
      learn_variance_(o.learn_variance),
      standard_deviation_(o.standard_deviation),
      smallest_deviation_(o.smallest_deviation),
      precision_(arrays.make<Vector>("precisions", o.visible)),
      scale_(arrays.make<Vector>("scales", o.visible)),
      shift_(arrays.make<Vector>("shifts", o.visible)) {
  if (!arrays.makes()) return;
  fill_array(log_variance(), Real(2 * std::log(o.standard_deviation)));
  GaussianRbm::parameters_changed();
}

std::vector<ParameterBlock> GaussianRbm::parameter_blocks() const {
  auto blocks = Rbm::parameter_blocks();
  blocks.front().name = per_deviation_ ? "weight_A" : "weight_B";
  blocks.push_back({"log_variance", {visible_}, Rbm::parameter_count(visible_, hidden_)});
  return blocks;
}

void GaussianRbm::parameters_changed() {
  Rbm::parameters_changed();
  Vector const z = log_variance(), precision = precision_, scale = scale_, shift = shift_;
  bool const per_deviation = per_deviation_;
  Real const least = learn_variance_ ? Real(2 * std::log(smallest_deviation_)) : -std::numeric_limits<Real>::infinity();
  Kokkos::parallel_for(
      "partita::visible_scales", Range(0, visible_), KOKKOS_LAMBDA(Index i) {
        z(i) = z(i) < least ? least : z(i);
        Real const deviation = std::exp(z(i) / 2);
        precision(i) = 1 / (deviation * deviation);
        scale(i) = per_deviation ? 1 / deviation : precision(i);
        shift(i) = per_deviation ? deviation : Real(1);
      });
}

ConstTiles GaussianRbm::scaled(ConstTiles v) const {
  Tiles const out = visible_work(v);
  ConstVector const scale = scale_;
  for_each_row(
      "partita::scale_visible", v, KOKKOS_LAMBDA(Index t, Index i) {
        return ScaleRow{&out(t, i, 0), &v(t, i, 0), scale(i)};
      });
  return out;
}

void GaussianRbm::draw_visible_units(Tiles v, ConstTiles field, Sweep const& sweep) const {
  ConstVector const a = visible_bias(), m = reference(), precision = precision_, shift = shift_;
  Real const beta = Real(sweep.beta);
  Held const held = sweep.held;
  draw_normal_units(
      "partita::draw_visible", extent(v, 0), visible_, extent(v, 2), sweep, 0, KOKKOS_LAMBDA(Index tile, Index i) {
        return NormalDraw{&v(tile, i, 0),
                          &field(tile, i, 0),
                          beta * shift(i),
                          std::fma(beta, a(i), (1 - beta) * m(i)),
                          1 / std::sqrt(precision(i)),
                          Real(held.data() != nullptr && held(i) != 0)};
      });
}

// log of the integral of exp(-(v - a)^2 / (2 s^2) + c v f): (log(2 pi s^2) + (c s f)^2) / 2 + c a f.
void GaussianRbm::subtract_visible_log_z(ConstTiles field, LogWeights energy) const {
  ConstVector const a = visible_bias(), precision = precision_, scale = scale_, shift = shift_;
  add_over_rows(
      "partita::visible_log_z", field, energy, KOKKOS_LAMBDA(Index i) {
        return VisibleLogZ{-precision(i) * shift(i) * shift(i) / 2, -scale(i) * a(i),
                           std::log(precision(i) / Real(2 * std::numbers::pi)) / 2};
      });
}

void GaussianRbm::add_visible_energy(ConstTiles v, double c0, double c1, LogWeights energy) const {
  ConstVector const a = visible_bias(), m = reference(), precision = precision_;
  Real const of_reference = Real(c0 / 2), of_model = Real(c1 / 2);
  add_over_rows(
      "partita::visible_energy", v, energy, KOKKOS_LAMBDA(Index i) {
        return VisibleEnergy{of_reference, of_model, precision(i), a(i), m(i)};
      });
}

void GaussianRbm::visible_reverse(ConstTiles v, ConstTileScalars weight, ConstTiles hidden, Vector sum) const {
  ConstVector const a = visible_bias(), precision = precision_, scale = scale_;
  Index const first = visible_ * hidden_, tiles = extent(v, 0), lanes = extent(v, 2);
  add_row_sums(
      "partita::visible_bias_gradient", tiles, visible_, lanes, Kokkos::subview(sum, std::pair(first, first + visible_)),
      KOKKOS_LAMBDA(Index t, Index i) {
        return BiasDerivative{&v(t, i, 0), &weight(t, 0), precision(i), a(i)};
      });
  if (!learn_variance_) return;
  // dE/dz = -(v - a)^2 / (2 s^2) + k c v (W h), where k = -dlog c / dz: 1/2 in A, 1 in B.
  Tiles const field = visible_work(v);
  visible_field(hidden, field);
  Real const k = per_deviation_ ? Real(0.5) : Real(1);
  Index const first_z = Rbm::parameter_count(visible_, hidden_);
  add_row_sums(
      "partita::log_variance_gradient", tiles, visible_, lanes, Kokkos::subview(sum, std::pair(first_z, first_z + visible_)),
      KOKKOS_LAMBDA(Index t, Index i) {
        return LogVarianceDerivative{&v(t, i, 0), &weight(t, 0), &field(t, i, 0), precision(i) / 2, k * scale(i), a(i)};
      });
}

void GaussianRbm::visible_means(ConstTiles hidden, Tiles mean) const {
  visible_field(hidden, mean);
  ConstVector const a = visible_bias(), shift = shift_;
  for_each_row(
      "partita::visible_means", mean, KOKKOS_LAMBDA(Index t, Index i) {
        return VisibleMean{&mean(t, i, 0), shift(i), a(i)};
      });
}

void GaussianRbm::gradient_from(ConstTiles v, ConstTiles means, Tiles gradient) const {
  visible_field(means, gradient);
  ConstVector const a = visible_bias(), precision = precision_, scale = scale_;
  for_each_row(
      "partita::visible_gradient", v, KOKKOS_LAMBDA(Index t, Index i) {
        return VisibleGradient{&gradient(t, i, 0), &v(t, i, 0), precision(i), scale(i), a(i)};
      });
}

void GaussianRbm::gradient(ConstTiles x, Tiles gradient) const {
  Tiles const hidden = hidden_work(x);
  hidden_field(x, hidden);
  hidden_means(hidden);
  gradient_from(x, hidden, gradient);
}

void GaussianRbm::energy_and_gradient(ConstTiles x, TileScalars energy, Tiles gradient) const {
  path_energy(x, 1, energy);
  Tiles const hidden = hidden_work(x);
  hidden_means(hidden);
  gradient_from(x, hidden, gradient);
}

void GaussianRbm::set_reference(UnitMoments const& moments) {
  assign(reference_, moments.mean);
  has_reference_ = true;
}

double GaussianRbm::log_z_reference() const {
  double sum = double(hidden_) * std::numbers::ln2;
  for (double z : to_host(log_variance())) sum += (std::log(2 * std::numbers::pi) + z) / 2;
  return sum;
}

void GaussianRbm::start_from(UnitMoments const& moments) {
  assign(visible_bias(), moments.mean);
  if (!learn_variance_) return;
  std::vector<double> z;
  for (double variance : moments.variance)
    z.push_back(2 * std::log(std::max(standard_deviation_ * std::sqrt(variance), smallest_deviation_)));
  assign(log_variance(), z);
  parameters_changed();
}

// The centred variables are c v and h, so that a = a~ - c s^2 W lambda and b = b~ - W'(c mu); z keeps its gradient.
void GaussianRbm::centre(Vector gradient, ConstVector offsets) const {
  Index const first = visible_ * hidden_;
  Vector const slope = Kokkos::subview(gradient, std::pair(first, first + visible_));
  Vector const scaled_offsets("scaled offsets", unit_count()), plain("visible bias gradient", visible_);
  copy_array(scaled_offsets, offsets);
  copy_array(plain, slope);
  ConstVector const scale = scale_, shift = shift_;
  Kokkos::parallel_for(
      "partita::scale_offsets", Range(0, visible_), KOKKOS_LAMBDA(Index i) {
        scaled_offsets(i) *= scale(i);
        slope(i) *= shift(i);  // -<c v> as the base class has it, from -<v> / s^2
      });
  Rbm::centre(gradient, scaled_offsets);
  Kokkos::parallel_for(
      "partita::centred_visible_bias", Range(0, visible_), KOKKOS_LAMBDA(Index i) {
        Real const lost = std::fma(shift(i), plain(i), -slope(i));  // (gW lambda)_i
        slope(i) = std::fma(-shift(i), lost, plain(i));
      });
}

}  // namespace partita
