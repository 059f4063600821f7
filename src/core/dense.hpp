// Dense matrices in double on the host, for closed forms (stationary covariances, stability bounds, exact likelihoods). Not a hot path.
#pragma once
#include <vector>

#include "core/types.hpp"

namespace partita {

struct Matrix {  // row-major
  Index rows = 0, columns = 0;
  std::vector<double> values;
  Matrix() = default;
  Matrix(Index r, Index c) : rows(r), columns(c), values(r * c) {}
  double& operator()(Index i, Index j) { return values[i * columns + j]; }
  double operator()(Index i, Index j) const { return values[i * columns + j]; }
};

Matrix operator*(Matrix const& a, Matrix const& b);
std::vector<double> operator*(Matrix const& a, std::vector<double> const& x);
Matrix operator*(double factor, Matrix a);
Matrix operator+(Matrix a, Matrix const& b);
Matrix transpose(Matrix const&);
Matrix identity(Index n);

// Only the lower triangle of a symmetric matrix is read. A matrix that has to be positive definite and is not is Failure(internal).
bool is_positive_definite(Matrix const& symmetric);
Matrix cholesky(Matrix const& positive_definite);          // lower L with L L' = the matrix
Matrix solve_lower(Matrix const& lower, Matrix const& b);  // L^-1 b; nothing above L's diagonal is read
Matrix solve(Matrix const& positive_definite, Matrix const& b);
Matrix inverse(Matrix const& positive_definite);
Matrix scaled(Matrix, double factor);
double log_determinant(Matrix const& positive_definite);

// Inverse of any square matrix, by LU with partial pivoting; its entries are infinite or NaN where the matrix is singular.
struct GeneralInverse {
  Matrix inverse;
  double log_absolute_determinant;
};
GeneralInverse invert(Matrix const& square);

std::vector<double> eigenvalues(Matrix const& symmetric);  // ascending; rows^2 operations if tridiagonal, 4/3 rows^3 if not
double largest_eigenvalue(Matrix const& symmetric);
struct SymmetricEigen {
  std::vector<double> values;  // ascending
  Matrix vectors;              // the columns, orthonormal
};
SymmetricEigen symmetric_eigen(Matrix const& symmetric);

}  // namespace partita
