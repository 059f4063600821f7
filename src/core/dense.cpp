#include "core/dense.hpp"

#define EIGEN_NO_CUDA           // host code and vector instructions, also where nvcc compiles this file
#define EIGEN_DONT_PARALLELIZE  // the same bits with any number of threads
#include <Eigen/Cholesky>
#include <Eigen/Eigenvalues>
#include <Eigen/LU>
#include <cmath>
#include <optional>

#include "core/require.hpp"

namespace partita {
namespace {

using RowMajor = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Factor = Eigen::LLT<Eigen::MatrixXd>;
using Solver = Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd>;

// A copy, not a map: the order of Eigen's sums depends on the alignment of its operands, and its own storage is always aligned.
Eigen::MatrixXd load(Matrix const& a) { return Eigen::Map<RowMajor const>(a.values.data(), a.rows, a.columns); }

template <class Expression>
Matrix store(Expression const& e) {
  Matrix a(e.rows(), e.cols());
  Eigen::Map<RowMajor>(a.values.data(), a.rows, a.columns) = e;
  return a;
}

std::vector<double> store(Eigen::VectorXd const& v) { return {v.data(), v.data() + v.size()}; }

std::optional<Factor> factorised(Matrix const& a) {
  Factor factor(load(a));
  // Eigen itself lets NaN pass.
  if (factor.info() == Eigen::Success && (factor.matrixLLT().diagonal().array() > 0).all()) return factor;
  return {};
}

Factor factor_of(Matrix const& a) {
  auto factor = factorised(a);
  require(factor.has_value(), ExitCode::numerical,
          "a matrix of {} rows is not positive definite, as after an overflow: look for very large values in the data and the parameters",
          a.rows);
  return std::move(*factor);
}

bool is_tridiagonal(Matrix const& a) {
  for (Index i = 0; i < a.rows; i++)
    for (Index j = 0; j + 1 < i; j++)
      if (a(i, j) != 0) return false;
  return true;
}

void require_success(Solver const& solver) {
  require(solver.info() == Eigen::Success, ExitCode::internal,
          "the eigenvalues of a symmetric matrix were not found (does it have entries that are not finite?)");
}

}  // namespace

Matrix operator*(Matrix const& a, Matrix const& b) { return store(load(a) * load(b)); }

std::vector<double> operator*(Matrix const& a, std::vector<double> const& x) {
  Matrix column(std::ssize(x), 1);
  column.values = x;
  return (a * column).values;
}

Matrix operator*(double factor, Matrix a) {
  for (double& v : a.values) v *= factor;
  return a;
}

Matrix operator+(Matrix a, Matrix const& b) {
  for (std::size_t i = 0; i < a.values.size(); i++) a.values[i] += b.values[i];
  return a;
}

Matrix transpose(Matrix const& a) { return store(load(a).transpose()); }

Matrix identity(Index n) { return store(Eigen::MatrixXd::Identity(n, n)); }

bool is_positive_definite(Matrix const& a) { return factorised(a).has_value(); }

Matrix cholesky(Matrix const& a) { return store(Eigen::MatrixXd(factor_of(a).matrixL())); }

Matrix solve_lower(Matrix const& lower, Matrix const& b) { return store(load(lower).triangularView<Eigen::Lower>().solve(load(b))); }

Matrix solve(Matrix const& a, Matrix const& b) { return store(factor_of(a).solve(load(b))); }

Matrix inverse(Matrix const& a) { return solve(a, identity(a.rows)); }
Matrix scaled(Matrix a, double factor) {
  for (double& v : a.values) v *= factor;
  return a;
}

double log_determinant(Matrix const& a) { return 2 * factor_of(a).matrixLLT().diagonal().array().log().sum(); }

GeneralInverse invert(Matrix const& a) {
  Eigen::PartialPivLU<Eigen::MatrixXd> const factors(load(a));
  return {store(Eigen::MatrixXd(factors.inverse())), factors.matrixLU().diagonal().array().abs().log().sum()};
}

std::vector<double> eigenvalues(Matrix const& a) {
  Eigen::MatrixXd const m = load(a);
  Solver solver;
  if (is_tridiagonal(a)) solver.computeFromTridiagonal(m.diagonal(), m.diagonal<-1>(), Eigen::EigenvaluesOnly);
  else solver.compute(m, Eigen::EigenvaluesOnly);
  require_success(solver);
  return store(solver.eigenvalues());
}

double largest_eigenvalue(Matrix const& a) { return eigenvalues(a).back(); }

SymmetricEigen symmetric_eigen(Matrix const& a) {
  Solver const solver(load(a));
  require_success(solver);
  return {store(solver.eigenvalues()), store(solver.eigenvectors())};
}

}  // namespace partita
