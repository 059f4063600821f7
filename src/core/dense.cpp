#include "core/dense.hpp"

#include <algorithm>
#include <cmath>
#include <optional>

#include "core/require.hpp"

namespace partita {
namespace {

std::optional<Matrix> cholesky(Matrix const& a) {  // lower L with L L' = a
  Matrix l(a.rows, a.rows);
  for (Index i = 0; i < a.rows; i++)
    for (Index j = 0; j <= i; j++) {
      double s = a(i, j);
      for (Index k = 0; k < j; k++) s -= l(i, k) * l(j, k);
      if (i == j && !(s > 0)) return {};
      l(i, j) = i == j ? std::sqrt(s) : s / l(j, j);
    }
  return l;
}

struct Tridiagonal {
  std::vector<double> diagonal;
  std::vector<double> below;  // below[i] couples i - 1 and i; 0 at both ends
};

// Householder's reduction of a symmetric matrix (Golub and Van Loan, Matrix Computations, 4th ed., section 8.3.1). Columns that are
// tridiagonal already cost nothing.
Tridiagonal tridiagonal(Matrix a) {
  Index const n = a.rows;
  std::vector<double> v(static_cast<std::size_t>(n)), w(v);
  auto const at = [](std::vector<double>& u, Index i) -> double& { return u[static_cast<std::size_t>(i)]; };
  for (Index k = 0; k + 2 < n; k++) {
    double tail = 0;
    for (Index i = k + 2; i < n; i++) tail += a(i, k) * a(i, k);
    if (tail == 0) continue;
    double const first = a(k + 1, k), reflected = std::copysign(std::sqrt(tail + first * first), -first);
    for (Index i = k + 1; i < n; i++) at(v, i) = a(i, k);
    at(v, k + 1) -= reflected;
    double const beta = 2 / (tail + at(v, k + 1) * at(v, k + 1));
    double overlap = 0;
    for (Index i = k + 1; i < n; i++) {
      double s = 0;
      for (Index j = k + 1; j < n; j++) s += a(i, j) * at(v, j);
      at(w, i) = beta * s;
      overlap += at(w, i) * at(v, i);
    }
    for (Index i = k + 1; i < n; i++) at(w, i) -= beta / 2 * overlap * at(v, i);
    for (Index i = k + 1; i < n; i++)
      for (Index j = k + 1; j < n; j++) a(i, j) -= at(v, i) * at(w, j) + at(w, i) * at(v, j);
    a(k + 1, k) = reflected;
  }
  Tridiagonal t{std::vector<double>(static_cast<std::size_t>(n)), std::vector<double>(static_cast<std::size_t>(n + 1))};
  for (Index i = 0; i < n; i++) at(t.diagonal, i) = a(i, i);
  for (Index i = 1; i < n; i++) at(t.below, i) = a(i, i - 1);
  return t;
}

// Whether every eigenvalue lies below `bound`: all pivots of t - bound are negative (Sturm).
bool exceeds_spectrum(Tridiagonal const& t, double bound) {
  double pivot = -1;
  for (std::size_t i = 0; i < t.diagonal.size(); i++) {
    pivot = t.diagonal[i] - bound - t.below[i] * t.below[i] / pivot;
    if (!(pivot < 0)) return false;
  }
  return true;
}

}  // namespace

Matrix operator*(Matrix const& a, Matrix const& b) {
  Matrix c(a.rows, b.columns);
  for (Index i = 0; i < a.rows; i++)
    for (Index k = 0; k < a.columns; k++)
      for (Index j = 0; j < b.columns; j++) c(i, j) += a(i, k) * b(k, j);
  return c;
}

bool is_positive_definite(Matrix const& a) { return cholesky(a).has_value(); }

Matrix inverse(Matrix const& a) {
  auto const l = cholesky(a);
  require(l.has_value(), ExitCode::internal, "a matrix that should be positive definite is not");
  Index const n = a.rows;
  Matrix x(n, n);
  for (Index c = 0; c < n; c++) {
    for (Index i = 0; i < n; i++) {
      double s = i == c ? 1 : 0;
      for (Index k = 0; k < i; k++) s -= (*l)(i, k) * x(k, c);
      x(i, c) = s / (*l)(i, i);
    }
    for (Index i = n - 1; i >= 0; i--) {
      double s = x(i, c);
      for (Index k = i + 1; k < n; k++) s -= (*l)(k, i) * x(k, c);
      x(i, c) = s / (*l)(i, i);
    }
  }
  return x;
}

double largest_eigenvalue(Matrix const& a) {
  Tridiagonal const t = tridiagonal(a);
  double low = *std::max_element(t.diagonal.begin(), t.diagonal.end()), high = low;  // high by Gershgorin's circles
  for (std::size_t i = 0; i < t.diagonal.size(); i++)
    high = std::max(high, t.diagonal[i] + std::abs(t.below[i]) + std::abs(t.below[i + 1]));
  while (high - low > 1e-14 * std::abs(high)) {
    double const middle = low + (high - low) / 2;
    if (middle <= low || middle >= high) break;
    (exceeds_spectrum(t, middle) ? high : low) = middle;
  }
  return high;
}

}  // namespace partita
