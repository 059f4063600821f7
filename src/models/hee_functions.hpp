// The functions that define an HEE, for kernels: f, phi and g of a strip of lanes, selected at run time once per row of lanes, and the
// distribution exp(eta phi(x) + g(x) - A(eta)) of one unit given its natural parameter eta.
#pragma once
#include "core/math.hpp"
#include "core/random.hpp"
#include "core/tiling.hpp"
#include "core/types.hpp"

namespace partita {

enum class Transfer { identity, tanh, softplus, relu };  // f
enum class Statistic { identity, tanh };                 // phi
enum class BaseMeasure { quadratic, quartic, lateral };  // g: -x^2, -x^4 a unit, or -x'Qx

// value[l], slope[l] = f(x[l]), f'(x[l]) for the lanes l < strip_lanes of a strip; `value` may be x itself. relu has slope 0 at 0.
KOKKOS_INLINE_FUNCTION void apply(Transfer f, Real const* x, Real* value, Real* slope) {
  switch (f) {
    case Transfer::identity:
#pragma GCC ivdep
      for (Index l = 0; l < strip_lanes; l++) value[l] = x[l], slope[l] = 1;
      return;
    case Transfer::tanh:
#pragma GCC ivdep
      for (Index l = 0; l < strip_lanes; l++) {
        auto const t = math::tanh_with_slope(x[l]);
        value[l] = t.value, slope[l] = t.slope;
      }
      return;
    case Transfer::softplus:
#pragma GCC ivdep
      for (Index l = 0; l < strip_lanes; l++) {
        auto const s = math::softplus_with_slope(x[l]);
        value[l] = s.value, slope[l] = s.slope;
      }
      return;
    case Transfer::relu:
      // NaN stays NaN: both comparisons with it are false.
#pragma GCC ivdep
      for (Index l = 0; l < strip_lanes; l++) value[l] = x[l] <= 0 ? Real(0) : x[l], slope[l] = x[l] <= 0 ? Real(0) : Real(1);
      return;
  }
}

KOKKOS_INLINE_FUNCTION void apply(Statistic phi, Real const* x, Real* value, Real* slope) {
  apply(phi == Statistic::tanh ? Transfer::tanh : Transfer::identity, x, value, slope);
}

// slope[l] = g'(x[l]) of the part of g that acts on each unit alone: zero for lateral connections, whose -2 Q x is a matrix product.
KOKKOS_INLINE_FUNCTION void base_slope(BaseMeasure g, Real const* x, Real* slope) {
  switch (g) {
    case BaseMeasure::quadratic:
#pragma GCC ivdep
      for (Index l = 0; l < strip_lanes; l++) slope[l] = -2 * x[l];
      return;
    case BaseMeasure::quartic:
#pragma GCC ivdep
      for (Index l = 0; l < strip_lanes; l++) slope[l] = -4 * x[l] * x[l] * x[l];
      return;
    case BaseMeasure::lateral:
#pragma GCC ivdep
      for (Index l = 0; l < strip_lanes; l++) slope[l] = 0;
      return;
  }
}

// The distribution of one unit, p(x) = exp(eta phi(x) + g(x) - A(eta)), for phi and g that act on each unit alone (g not lateral). phi is
// odd and g even: p(x; -eta) = p(-x; eta), so the functions below take eta >= 0. Then the density has one maximum, at x >= 0, and is
// log-concave for x >= 0.
template <class T>
struct UnitExponent {  // h(x) = eta phi(x) + g(x)
  Statistic phi;
  BaseMeasure g;
  T eta;
  KOKKOS_FORCEINLINE_FUNCTION math::ValueAndSlope<T> statistic(T x) const {
    return phi == Statistic::tanh ? math::tanh_with_slope(x) : math::ValueAndSlope<T>{x, 1};
  }
  KOKKOS_FORCEINLINE_FUNCTION T base(T x) const { return g == BaseMeasure::quartic ? -x * x * x * x : -x * x; }
  KOKKOS_FORCEINLINE_FUNCTION T value(T x) const { return eta * statistic(x).value + base(x); }
  KOKKOS_FORCEINLINE_FUNCTION T slope(T x) const { return eta * statistic(x).slope - (g == BaseMeasure::quartic ? 4 * x * x * x : 2 * x); }
  // From here on eta >= 0. boundary: where `inside`, true at `from` and false at `to`, changes, by bisection to 1e-6 of their distance.
  template <class Inside>
  KOKKOS_FORCEINLINE_FUNCTION static T boundary(T from, T to, Inside const& inside) {
    for (int halving = 0; halving < 20; halving++) {
      T const middle = (from + to) / 2;
      (inside(middle) ? from : to) = middle;
    }
    return to;
  }
  KOKKOS_FORCEINLINE_FUNCTION T mode() const {
    return boundary(T(0), 1 + eta / 2, [this](T x) { return slope(x) > 0; });
  }
};

// A(eta) = log Int exp(eta phi(x) + g(x)) dx and A'(eta) = E[phi(x)].
template <class T>
struct LogPartition {
  T value, slope;
};

// phi the identity and g quadratic: eta^2/4 + log(pi)/2 and eta/2. Others by the trapezoidal rule over the window where the integrand
// is above e^-16 (float) or e^-28 (double) of its maximum; the rule converges exponentially for such integrands. For |eta| <= 1000 the
// error of either, relative to max(1, |value|), is below 2e-6 in float, most of it rounding, and below 1e-11 in double.
template <class T>
KOKKOS_INLINE_FUNCTION LogPartition<T> log_partition(Statistic phi, BaseMeasure g, T eta) {
  if (phi == Statistic::identity && g == BaseMeasure::quadratic) return {eta * eta / 4 + T(0.57236494292470008707), eta / 2};
  UnitExponent<T> const h{phi, g, std::fabs(eta)};
  constexpr bool in_float = sizeof(T) == 4;
  constexpr int intervals = in_float ? 24 : 48;
  T const drop = in_float ? 16 : 28, mode = h.mode(), top = h.value(mode);
  T const reach = g == BaseMeasure::quartic ? std::sqrt(std::sqrt(drop)) : std::sqrt(drop);  // there g alone reduces h by the drop
  auto const inside = [&](T x) { return h.value(x) > top - drop; };
  T const first = h.boundary(mode, -reach, inside), width = (h.boundary(mode, mode + reach, inside) - first) / intervals;
  T sum = 0, moment = 0;
  for (int i = 0; i <= intervals; i++) {
    T const x = std::fma(static_cast<T>(i), width, first), statistic = h.statistic(x).value;
    T const weight = math::exp(h.eta * statistic + h.base(x) - top);
    sum += weight, moment += weight * statistic;
  }
  return {top + math::log(width * sum), std::copysign(moment / sum, eta)};
}

// Blocks of four words that one draw may use: a block has two trials, each accepted with a probability above 1/2, so all 64 are
// never needed.
constexpr Index blocks_per_draw = 64;

// One draw of x given eta; words(k), k < blocks_per_draw, is the unit's k-th block of random words. phi the identity and g quadratic:
// N(eta/2, 1/2). Others by the ratio of uniforms (Kinderman and Monahan 1977) around the mode, exact up to the rounding of eta phi(x) +
// g(x), which in float is below 1e-3 for |eta| <= 1000. NaN where eta is not finite.
template <class Blocks>
KOKKOS_INLINE_FUNCTION Real sample_conditional(Statistic phi, BaseMeasure g, Real eta, Blocks const& words) {
  if (phi == Statistic::identity && g == BaseMeasure::quadratic) {
    random::Words const w = words(0);
    return std::fma(Real(0.70710678118654752440), random::normal_pair(w.w[0], w.w[1], Real()).a, eta / 2);
  }
  UnitExponent<Real> const h{phi, g, std::fabs(eta)};
  Real const mode = h.mode(), top = h.value(mode);
  // (u, v) uniform in u^2 <= p(mode + v/u) / p(mode), inside the box u < 1, -below < v < above, whose sides are where
  // |d| (p(mode + d) / p(mode))^(1/2) is largest, widened by 1e-4 for the rounding of their places.
  Real const right = h.boundary(Real(0), Real(1), [&](Real d) { return 1 / d + h.slope(mode + d) / 2 > 0; });
  Real const left = h.boundary(Real(0), mode + 1, [&](Real d) { return 1 / d - h.slope(mode - d) / 2 > 0; });
  Real const above = Real(1.0001) * right * math::exp((h.value(mode + right) - top) / 2);
  Real const below = Real(1.0001) * left * math::exp((h.value(mode - left) - top) / 2);
  for (int trial = 0; trial < 2 * blocks_per_draw; trial++) {
    random::Words const w = words(trial / 2);
    Real const u = random::uniform(w.w[trial % 2 * 2]), v = std::fma(above + below, random::uniform(w.w[trial % 2 * 2 + 1]), -below);
    Real const x = mode + v / u;
    if (2 * math::log(u) <= h.value(x) - top) return std::copysign(Real(1), eta) * x;
  }
  return std::numeric_limits<Real>::quiet_NaN();
}

}  // namespace partita
