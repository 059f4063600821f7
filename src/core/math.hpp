// Elementary functions and activations for kernels, one name for float and double.
//
// The float versions are branch-free scalar code with explicit fused multiply-adds, so a lane loop over them becomes vector code
// (with 512-bit vectors 0.16 ns an element for exp, 0.3 for silu with its slope, 0.7 for gelu) and gives the same bits wherever IEEE
// arithmetic has a fused multiply-add. Largest errors, in units in the last place of the true value (ulp), measured in
// tests/core/test_math.cpp on dense grids:
//     exp 1.1 · log 1.3 · sigmoid 2.5 · softplus 2 · tanh 2.5 · silu 3.5 · gelu 4.5
// and for the first derivatives 2.5 of softplus, 3.5 of tanh; those of silu and gelu cross zero and have an absolute error of 2.4e-7.
// Second and third derivatives cross zero too; their absolute errors are: silu 1.5e-7 and 1.5e-7 · softplus 5e-8 and 5e-8 · tanh 2.5e-7
// and 4.5e-7 · gelu 1.5e-7 and 2e-7. Results below the smallest normal number 1.2e-38 may be flushed to zero. NaN propagates. Where the
// limit is zero times infinity, silu(-inf) and gelu(-inf), the result is NaN, so that a diverged state is seen. Polynomials are minimax
// fits of relative error made for this code, coefficients rounded one after the other.
#pragma once
#include <Kokkos_Core.hpp>
#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

namespace partita::math {

// An activation and its first derivative at the same point; they share their expensive part.
template <class T>
struct ValueAndSlope {
  T value, slope;
};

// The same with the second and third derivative; what a caller does not read is not computed.
template <class T>
struct Derivatives {
  T value, first, second, third;
};

namespace detail {

KOKKOS_FORCEINLINE_FUNCTION std::uint32_t bits_of(float x) { return __builtin_bit_cast(std::uint32_t, x); }
KOKKOS_FORCEINLINE_FUNCTION float float_of(std::uint32_t bits) { return __builtin_bit_cast(float, bits); }

// c0 + c1 x + c2 x^2 + ...
template <class... C>
KOKKOS_FORCEINLINE_FUNCTION float polynomial(float x, float c0, C... c) {
  if constexpr (sizeof...(c) == 0) return c0;
  else return std::fma(x, polynomial(x, c...), c0);
}

// e^x = 2^n (1 + q) with |q| < 0.42, for -87.4 < x < 88.8; `shifted` holds n in its low bits.
struct SplitExp {
  float shifted, q;
};
KOKKOS_FORCEINLINE_FUNCTION SplitExp split_exp(float x) {
  float const shifted = std::fma(x, 0x1.715476p+0f, 0x1.8p23f);  // adding 1.5 2^23 rounds x / ln 2 to an integer
  float const n = shifted - 0x1.8p23f;
  float const r = std::fma(n, -0x1.7f7d1cp-20f, std::fma(n, -0x1.62e4p-1f, x));  // x - n ln 2, ln 2 in two parts
  float const p = polynomial(r, 0x1p-1f, 0x1.55549ep-3f, 0x1.555442p-5f, 0x1.12362p-7f, 0x1.6e627ap-10f);
  return {shifted, std::fma(r * r, p, r)};
}

// 1 / (a + b), the rounding of the sum and of the division put back; a is short enough for a + b - a to be exact.
KOKKOS_FORCEINLINE_FUNCTION float reciprocal_of_sum(float a, float b) {
  float const sum = a + b, lost = b - (sum - a), r = 1.f / sum;
  return std::fma(r, std::fma(-lost, r, std::fma(-sum, r, 1.f)), r);
}

}  // namespace detail

// `yes` where `choice`, otherwise `no`, by bit masks. In a loop x[l] = choice ? y[l] : x[l] would become a branch and masked stores, which
// cost some processors dozens of cycles (GCC 12 and Zen 3: a fifth of a Metropolis-adjusted Langevin step).
template <class T>
KOKKOS_FORCEINLINE_FUNCTION T select(bool choice, T yes, T no) {
  using Bits = std::conditional_t<sizeof(T) == sizeof(std::uint32_t), std::uint32_t, std::uint64_t>;
  static_assert(sizeof(T) == sizeof(Bits));
  Bits const mask = Bits(0) - static_cast<Bits>(choice);
  return __builtin_bit_cast(T, (__builtin_bit_cast(Bits, yes) & mask) | (__builtin_bit_cast(Bits, no) & ~mask));
}

KOKKOS_FORCEINLINE_FUNCTION double exp(double x) { return std::exp(x); }
KOKKOS_FORCEINLINE_FUNCTION float exp(float x) {
  using namespace detail;
  auto const [shifted, q] = split_exp(x);
  float const scaled = float_of(bits_of(1.f + q) + (bits_of(shifted) << 23));
  float const not_small = x <= 0x1.62e42ep+6f ? scaled : x + std::numeric_limits<float>::infinity();  // too large, or NaN
  return x < -0x1.5d589ep+6f ? 0.f : not_small;
}

KOKKOS_FORCEINLINE_FUNCTION double log(double x) { return std::log(x); }
KOKKOS_FORCEINLINE_FUNCTION float log(float x) {
  using namespace detail;
  bool const subnormal = x < 0x1p-126f;
  std::uint32_t const bits = bits_of(subnormal ? x * 0x1p23f : x);
  std::int32_t const exponent = std::int32_t(bits - 0x3f3504f3u) >> 23;  // leaves a mantissa in [sqrt(1/2), sqrt(2))
  float const e = float(subnormal ? exponent - 23 : exponent);
  float const y = float_of(bits - (std::uint32_t(exponent) << 23)) - 1.f;
  float const p = polynomial(y, -0x1.fffffap-2f, 0x1.5556f6p-2f, -0x1.0004cap-2f, 0x1.98d226p-3f, -0x1.53522ep-3f, 0x1.317fb8p-3f,
                             -0x1.255d04p-3f, 0x1.66d792p-4f);
  float const finite = std::fma(e, 0x1.62e4p-1f, y + std::fma(y * y, p, e * 0x1.7f7d1cp-20f));
  float const limit = x == 0.f ? -std::numeric_limits<float>::infinity() : std::numeric_limits<float>::quiet_NaN();
  return x > 0.f ? (x < std::numeric_limits<float>::infinity() ? finite : x) : limit;
}

// 1 / (1 + e^-x), the slope of softplus.
template <class T>
KOKKOS_FORCEINLINE_FUNCTION T sigmoid(T x) {
  return T(1) / (T(1) + exp(-x));
}

namespace detail {

// log1p(e) for 0 <= e <= 1.
KOKKOS_FORCEINLINE_FUNCTION double log1p_of_unit(double e) { return std::log1p(e); }
KOKKOS_FORCEINLINE_FUNCTION float log1p_of_unit(float e) {
  float const p = polynomial(e, -0x1.ffffd2p-2f, 0x1.554d16p-2f, -0x1.ff09e4p-3f, 0x1.9299bap-3f, -0x1.37db9cp-3f, 0x1.ab5e3ap-4f,
                             -0x1.c24ceap-5f, 0x1.317c04p-6f, -0x1.8259p-9f);
  return std::fma(e * e, p, e);
}

// The standard normal density phi and distribution function Phi.
template <class T>
struct Normal {
  T density, cdf;
};
KOKKOS_FORCEINLINE_FUNCTION Normal<double> normal(double x) {
  return {0.39894228040143267794 * std::exp(-.5 * x * x), .5 * std::erfc(-x * 0.70710678118654752440)};
}
// For t = |x|: Phi(-t) = e^(-t^2/2) P(u) / (t + 4), u = (t - 4) / (t + 4), smooth up to infinity.
KOKKOS_FORCEINLINE_FUNCTION Normal<float> normal(float x) {
  float const a = std::fabs(x), t = a > 14.f ? 14.f : a;  // e^-98 is zero already
  float const square = t * t, rounding = std::fma(t, t, -square);
  float const rounded = exp(-.5f * square), e = std::fma(rounded, -.5f * rounding, rounded);
  float const inverse = reciprocal_of_sum(4.f, t), u = (t - 4.f) * inverse;
  float const p = polynomial(u, 0x1.82b4bcp-1f, -0x1.373e3ap-1f, 0x1.8c6d7p-2f, -0x1.7dff62p-3f, 0x1.eee67p-5f, -0x1.ed93dap-8f,
                             -0x1.d18962p-9f, 0x1.9afc7cp-10f, 0x1.f3d4dp-13f, -0x1.96b51ap-14f);
  float const tail = e * p * inverse;
  return {0x1.988454p-2f * e, x > 0.f ? 1.f - tail : tail};
}

}  // namespace detail

// x s with s = sigmoid(x) (Elfwing, Uchibe, Doya 2018). With c = 1 - s, formed as e^-x s without cancellation, s' = s c and (c - s)' = -2 s
// c.
template <class T>
KOKKOS_FORCEINLINE_FUNCTION Derivatives<T> silu_derivatives(T x) {
  T const e = exp(-x), s = T(1) / (T(1) + e), f = x * s;
  T const c = x < T(-80) ? T(1) : e * s, u = s * c, w = c - s, xw = x * w;
  return {f, std::fma(f, c, s), u * (T(2) + xw), u * std::fma(xw, w, std::fma(T(-2) * x, u, T(3) * w))};
}

// log(1 + e^x) = max(x, 0) + log1p(e^-|x|), with slope s = sigmoid(x); s' = s c and s'' = s c (c - s) with c = 1 - s = sigmoid(-x).
template <class T>
KOKKOS_FORCEINLINE_FUNCTION Derivatives<T> softplus_derivatives(T x) {
  T const e = exp(-std::fabs(x)), s = (x > T(0) ? T(1) : e) / (T(1) + e), c = (x > T(0) ? e : T(1)) / (T(1) + e);
  return {(x > T(0) ? x : T(0)) + detail::log1p_of_unit(e), s, s * c, s * c * (c - s)};
}

// t = tanh(x) and g = 1 - t^2.
KOKKOS_FORCEINLINE_FUNCTION ValueAndSlope<double> tanh_with_slope(double x) {
  double const c = std::cosh(x);
  return {std::tanh(x), 1. / (c * c)};
}
// With e = e^-2|x| and m = e - 1, formed without cancellation: tanh|x| = -m / (1 + e), slope 4 e / (1 + e)^2.
KOKKOS_FORCEINLINE_FUNCTION ValueAndSlope<float> tanh_with_slope(float x) {
  using namespace detail;
  float const doubled = -2.f * std::fabs(x), y = doubled < -86.f ? -86.f : doubled;
  auto const [shifted, q] = split_exp(y);
  float const scale = float_of((bits_of(shifted) << 23) + 0x3f800000u);
  float const e = std::fma(scale, q, scale), m = std::fma(scale, q, scale - 1.f);
  float const inverse = reciprocal_of_sum(1.f, e), t = -m * inverse;
  return {x < 0.f ? -t : t, 4.f * e * inverse * inverse};
}
template <class T>
KOKKOS_FORCEINLINE_FUNCTION Derivatives<T> tanh_derivatives(T x) {
  auto const [t, g] = tanh_with_slope(x);
  return {t, g, T(-2) * t * g, g * std::fma(T(6) * t, t, T(-2))};
}

// x Phi(x) (the erf form of Hendrycks and Gimpel 2016).
template <class T>
KOKKOS_FORCEINLINE_FUNCTION Derivatives<T> gelu_derivatives(T x) {
  auto const [density, cdf] = detail::normal(x);
  T const y = x > T(14) ? T(14) : x < T(-14) ? T(-14) : x, square = y * y;  // phi is zero beyond; x itself would give infinity times zero
  return {x * cdf, std::fma(y, density, cdf), density * (T(2) - square), y * density * (square - T(4))};
}

template <class T>
KOKKOS_FORCEINLINE_FUNCTION ValueAndSlope<T> silu_with_slope(T x) {
  auto const d = silu_derivatives(x);
  return {d.value, d.first};
}
template <class T>
KOKKOS_FORCEINLINE_FUNCTION ValueAndSlope<T> softplus_with_slope(T x) {
  auto const d = softplus_derivatives(x);
  return {d.value, d.first};
}
template <class T>
KOKKOS_FORCEINLINE_FUNCTION ValueAndSlope<T> gelu_with_slope(T x) {
  auto const d = gelu_derivatives(x);
  return {d.value, d.first};
}

template <class T>
KOKKOS_FORCEINLINE_FUNCTION T silu(T x) {
  return silu_derivatives(x).value;
}
template <class T>
KOKKOS_FORCEINLINE_FUNCTION T softplus(T x) {
  return softplus_derivatives(x).value;
}
template <class T>
KOKKOS_FORCEINLINE_FUNCTION T tanh(T x) {
  return tanh_with_slope(x).value;
}
template <class T>
KOKKOS_FORCEINLINE_FUNCTION T gelu(T x) {
  return gelu_derivatives(x).value;
}

}  // namespace partita::math
