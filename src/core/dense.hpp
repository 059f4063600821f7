// Small dense symmetric matrices in double on the host, for closed forms (stationary covariances, stability bounds). Not a hot path.
#pragma once
#include <vector>

#include "core/types.hpp"

namespace partita {

struct Matrix {  // row-major
  Index rows = 0, columns = 0;
  std::vector<double> values;
  Matrix() = default;
  Matrix(Index r, Index c) : rows(r), columns(c), values(static_cast<std::size_t>(r * c)) {}
  double& operator()(Index i, Index j) { return values[static_cast<std::size_t>(i * columns + j)]; }
  double operator()(Index i, Index j) const { return values[static_cast<std::size_t>(i * columns + j)]; }
};

Matrix operator*(Matrix const& a, Matrix const& b);
bool is_positive_definite(Matrix const& symmetric);
Matrix inverse(Matrix const& positive_definite);     // by Cholesky; Failure(internal) if it is not
double largest_eigenvalue(Matrix const& symmetric);  // to rounding, by tridiagonal form and bisection; 4/3 rows^3 operations if dense

}  // namespace partita
