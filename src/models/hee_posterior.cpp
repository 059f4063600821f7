#include "models/hee_posterior.hpp"

#include <cmath>

#include "core/copy.hpp"
#include "core/matrix_product.hpp"
#include "core/tiling.hpp"

namespace partita {
namespace {

using ConstRows = Rows<Real const>;
using MutableRows = Rows<Real>;

constexpr double half_log_pi = 0.57236494292470008707;

template <class Kernel>
void for_each(char const* name, Index items, Kernel const& kernel) {
  Kokkos::parallel_for(name, Kokkos::RangePolicy<Execution, Kokkos::IndexType<Index>>(0, items), kernel);
}

// -log p(x_l | x_l+1) of one layer, lane by lane, and its derivatives.
struct LayerEnergy {
  Transfer f;
  Statistic phi;
  BaseMeasure g;
  bool gaussian;  // the conditionals are Gaussian
  Index rows;
  double constant;             // added to every lane
  Real weight;                 // of the layer in the sum and in the residual
  ConstRows x, coupled, back;  // coupled: Q r, with lateral connections; back: W_l-1' times the residual below
  MutableRows eta;             // eta_l, or r = x - Q^-1 eta/2 with lateral connections; becomes the residual weight (phi(x) - A'(eta))
  MutableRows gradient;        // of x_l; none for x_0
  double* sum;

  KOKKOS_FUNCTION void operator()(Index strip) const {
    Index const lane = strip * strip_lanes;
    double total[strip_lanes];
    for (Index l = 0; l < strip_lanes; l++) total[l] = constant;
    for (Index i = 0; i < rows; i++) {
      alignas(64) Real slope[strip_lanes];
      if (coupled.data) coupled_row(i, lane, total, slope);
      else if (gaussian) gaussian_row(i, lane, total, slope);
      else general_row(i, lane, total, slope);
      if (gradient.data) write_gradient(i, lane, slope);
    }
    for (Index l = 0; l < strip_lanes; l++) sum[lane + l] += double(weight) * total[l];
  }

  KOKKOS_FORCEINLINE_FUNCTION void coupled_row(Index i, Index lane, double* total, Real* slope) const {
    Real* __restrict const r = eta[i] + lane;
    Real const* const q = coupled[i] + lane;
    for (Index l = 0; l < strip_lanes; l++) {
      total[l] += double(r[l] * q[l]);
      slope[l] = 2 * q[l], r[l] *= weight;
    }
  }
  KOKKOS_FORCEINLINE_FUNCTION void gaussian_row(Index i, Index lane, double* total, Real* slope) const {
    Real* __restrict const e = eta[i] + lane;
    Real const* const xi = x[i] + lane;
    for (Index l = 0; l < strip_lanes; l++) {
      Real const r = xi[l] - e[l] / 2;
      total[l] += double(r * r);
      slope[l] = 2 * r, e[l] = weight * r;
    }
  }
  KOKKOS_FORCEINLINE_FUNCTION void general_row(Index i, Index lane, double* total, Real* slope) const {
    Real* __restrict const e = eta[i] + lane;
    Real const* const xi = x[i] + lane;
    alignas(64) Real statistic[strip_lanes], statistic_slope[strip_lanes], base[strip_lanes];
    apply(phi, xi, statistic, statistic_slope);
    base_slope(g, xi, base);
    for (Index l = 0; l < strip_lanes; l++) {
      auto const a = log_partition(phi, g, e[l]);
      total[l] += double(a.value - e[l] * statistic[l] - UnitExponent<Real>{phi, g, e[l]}.base(xi[l]));
      slope[l] = -std::fma(e[l], statistic_slope[l], base[l]);
      e[l] = weight * (statistic[l] - a.slope);
    }
  }
  KOKKOS_FORCEINLINE_FUNCTION void write_gradient(Index i, Index lane, Real const* slope) const {
    alignas(64) Real value[strip_lanes], passed[strip_lanes];
    apply(f, x[i] + lane, value, passed);
    Real const* const from_below = back[i] + lane;
    Real* __restrict const to = gradient[i] + lane;
    for (Index l = 0; l < strip_lanes; l++) to[l] = std::fma(-passed[l], from_below[l], slope[l]);
  }
};

Index widest(Hee const& model) {
  Index n = 0;
  for (Index l = 0; l <= model.layers(); l++) n = std::max(n, model.width(l));
  return n;
}

// One evaluation: the rows that it works on, and its steps.
struct Pass {
  Hee const& model;
  std::vector<InverseCoupling> const& inverse;
  DeviceVector<double> sums;
  Index lanes, pitch;
  std::vector<ConstRows> x, transferred;  // [l]
  MutableRows eta, back, coupled;

  Pass(Hee const& m, std::vector<InverseCoupling> const& inv, TileStorage const& work, DeviceVector<double> const& s, TileStorage const& x0,
       ConstTiles const& z)
      : model(m), inverse(inv), sums(s), lanes(extent(z, 2)), pitch(extent(work, 2)) {
    fill_array(sums, 0.);
    Index const n = widest(model), latent_pitch = Index(z.stride(1));
    Real* next = work.data();
    auto const take = [&](Index rows) { return MutableRows{std::exchange(next, next + rows * pitch), pitch}; };
    eta = take(n), back = take(n);
    if (model.lateral()) coupled = take(n);
    else coupled = {nullptr, 0};
    x.push_back({x0.data(), extent(x0, 2)});
    transferred.push_back({nullptr, 0});
    Index first = 0;
    for (Index l = 1; l <= model.layers(); l++) {
      x.push_back({place_of(z, 0, first), latent_pitch});
      transferred.push_back(model.f() == Transfer::identity ? x.back() : transfer(x.back(), take(model.width(l)), model.width(l)));
      first += model.width(l);
    }
  }

  Index strips() const { return divide_up(lanes, strip_lanes); }

  ConstRows transfer(ConstRows const& from, MutableRows const& to, Index rows) const {
    Index const n = strips();
    Transfer const f = model.f();
    for_each(
        "partita::hee_transfer", rows * n, KOKKOS_LAMBDA(Index k) {
          alignas(64) Real slope[strip_lanes];
          Index const lane = k % n * strip_lanes;
          apply(f, from[k / n] + lane, to[k / n] + lane, slope);
        });
    return {to.data, to.pitch};
  }

  void multiply(Real const* matrix, Form form, ConstRows const& from, Index inner, MutableRows const& to, Index rows, Real alpha,
                Real beta) const {
    matrix_product({rows, lanes, inner}, {matrix, form == Form::plain ? inner : rows, form}, {from.data, from.pitch},
                   {to.data, to.pitch, alpha, beta});
  }

  // eta = W_l f(x_l+1) + b_l
  void find_eta(Index l) const {
    Index const n = strips();
    auto const to = eta;
    Real const* const bias = model.bias(l);
    for_each(
        "partita::hee_bias", model.width(l) * n, KOKKOS_LAMBDA(Index k) {
          for (Index lane = k % n * strip_lanes, end = lane + strip_lanes; lane < end; lane++) to[k / n][lane] = bias[k / n];
        });
    if (l < model.layers()) multiply(model.weight(l), Form::plain, transferred[l + 1], model.width(l + 1), eta, model.width(l), 1, 1);
  }

  // eta becomes r = x - Q^-1 eta/2, and `coupled` Q r.
  void find_coupled_residual(Index l) const {
    Index const rows = model.width(l), n = strips();
    multiply(inverse[l].matrix.data(), Form::plain, {eta.data, pitch}, rows, coupled, rows, Real(0.5), 0);
    auto const mean = coupled, residual = eta;
    auto const at = x[l];
    for_each(
        "partita::hee_residual", rows * n, KOKKOS_LAMBDA(Index k) {
          for (Index lane = k % n * strip_lanes, end = lane + strip_lanes; lane < end; lane++)
            residual[k / n][lane] = at[k / n][lane] - mean[k / n][lane];
        });
    multiply(model.coupling(l), Form::plain, {eta.data, pitch}, rows, coupled, rows, 1, 0);
  }

  // Adds weight * -log p(x_l | x_l+1) to the sums, and leaves the residual in eta.
  void add_layer(Index l, Real weight, MutableRows const& gradient) const {
    find_eta(l);
    if (model.lateral()) find_coupled_residual(l);
    bool const gaussian = model.gaussian_conditionals();
    double constant = 0;
    if (gaussian || model.lateral()) constant = double(model.width(l)) * half_log_pi;
    if (model.lateral()) constant -= inverse[l].log_determinant / 2;
    for_each("partita::hee_layer_energy", strips(),
             LayerEnergy{model.f(),
                         model.phi(),
                         model.g(),
                         gaussian,
                         model.width(l),
                         constant,
                         weight,
                         x[l],
                         {coupled.data, coupled.pitch},
                         {back.data, back.pitch},
                         eta,
                         gradient,
                         sums.data()});
  }
};

}  // namespace

HeePosterior::HeePosterior(Hee const& model) : model_(model), inverse_(inverse_couplings(model)) {}

Index HeePosterior::work_rows() const {
  return widest(model_) * (model_.lateral() ? 3 : 2) + (model_.f() == Transfer::identity ? 0 : model_.units());
}

void HeePosterior::work(Arrays arrays, Index tiles, Index lanes) const {
  DifferentiableModel::work(arrays, tiles, lanes);
  arrays.grow(work_, "hee posterior work", 1, work_rows(), pitch_of(lanes));
  arrays.grow(sums_, "hee posterior energies", pitch_of(lanes));
}

double HeePosterior::flops_per_evaluation() const {
  double flops = 0;
  for (Index l = 0; l <= model_.layers(); l++) {
    auto const n = double(model_.width(l));
    if (l < model_.layers()) flops += 4 * n * double(model_.width(l + 1));
    if (model_.lateral()) flops += 4 * n * n;
  }
  return flops;
}

void HeePosterior::energy_and_gradient(ConstTiles z, TileScalars energy, Tiles gradient) const {
  Pass const pass(model_, inverse_, work_, sums_, x0_, z);
  Index first = 0;
  for (Index l = 0; l <= model_.layers(); l++) {
    pass.add_layer(l, l == 0 ? beta_ : Real(1),
                   l == 0 ? MutableRows{nullptr, 0} : MutableRows{place_of(gradient, 0, first), Index(gradient.stride(1))});
    if (l > 0) first += model_.width(l);
    if (l < model_.layers())
      pass.multiply(model_.weight(l), Form::transposed, {pass.eta.data, pass.pitch}, model_.width(l), pass.back, model_.width(l + 1), 1, 0);
  }
  auto const sums = sums_;
  for_each(
      "partita::hee_posterior_energy", pass.lanes, KOKKOS_LAMBDA(Index l) { energy(0, l) = Real(sums(l)); });
}

std::vector<double> HeePosterior::log_conditional(ConstTiles z) const {
  Pass const pass(model_, inverse_, work_, sums_, x0_, z);
  pass.add_layer(0, 1, {nullptr, 0});
  auto const host = values_on_host(sums_);
  std::vector<double> out;
  for (Index l = 0; l < pass.lanes; l++) out.push_back(-host(l));
  return out;
}

std::vector<TileStorage> HeePosterior::layers(TileStorage const& z) const {
  std::vector<TileStorage> out{x0_};
  Index first = 0;
  for (Index l = 1; l <= model_.layers(); l++) {
    out.emplace_back(place_of(z, 0, first), 1, model_.width(l), extent(z, 2));
    first += model_.width(l);
  }
  return out;
}

}  // namespace partita
