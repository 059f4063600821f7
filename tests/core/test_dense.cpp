#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "core/dense.hpp"
#include "core/random.hpp"
#include "core/require.hpp"

namespace {

using namespace partita;

constexpr double pi = 3.14159265358979323846;

Matrix diagonal(std::vector<double> const& values) {
  auto const n = std::ssize(values);
  Matrix m(n, n);
  for (Index i = 0; i < n; i++) m(i, i) = values[i];
  return m;
}

Matrix diagonal_of(Matrix const& a) {
  Matrix m(a.rows, a.rows);
  for (Index i = 0; i < a.rows; i++) m(i, i) = a(i, i);
  return m;
}

Matrix tridiagonal(Index n, double on, double off) {
  Matrix m(n, n);
  for (Index i = 0; i < n; i++) {
    m(i, i) = on;
    if (i > 0) m(i, i - 1) = m(i - 1, i) = off;
  }
  return m;
}

// Q diag(values) Q' with the reflection Q = I - 2 u u', u random of unit length: dense, with known eigenvalues.
Matrix with_eigenvalues(std::vector<double> const& values) {
  auto const n = std::ssize(values);
  Matrix q(n, n);
  std::vector<double> u(values.size());
  double square = 0;
  for (Index i = 0; i < n; i++) {
    u[i] = random::uniform_double(random::words({1, 2}, std::uint64_t(i), random::Stream::test, 0, 0).w[0]) - 0.5;
    square += u[i] * u[i];
  }
  for (Index i = 0; i < n; i++)
    for (Index j = 0; j < n; j++) q(i, j) = (i == j ? 1 : 0) - 2 * u[i] * u[j] / square;
  return q * diagonal(values) * q;
}

double largest_deviation(Matrix const& a, Matrix const& b) {
  double worst = 0;
  for (std::size_t i = 0; i < a.values.size(); i++) worst = std::max(worst, std::abs(a.values[i] - b.values[i]));
  return worst;
}

TEST(Dense, InverseOfKnownMatrices) {
  Matrix h(2, 2);
  h.values = {2, 1, 1, 3};
  Matrix expected(2, 2);
  expected.values = {0.6, -0.2, -0.2, 0.4};
  EXPECT_LT(largest_deviation(inverse(h), expected), 1e-15);
  std::vector<double> values, reciprocals;
  for (int i = 0; i < 40; i++) values.push_back(1 + 0.5 * i), reciprocals.push_back(1 / values.back());
  EXPECT_LT(largest_deviation(inverse(with_eigenvalues(values)), with_eigenvalues(reciprocals)), 1e-13);
  EXPECT_LT(largest_deviation(with_eigenvalues(values) * inverse(with_eigenvalues(values)), diagonal(std::vector<double>(40, 1.))), 1e-12);
}

TEST(Dense, ProductsSumsAndTranspose) {
  Matrix a(2, 3), b(3, 2);
  a.values = {1, 2, 3, 4, 5, 6};
  b.values = {1, 0, -1, 2, 0.5, 1};
  EXPECT_EQ((a * b).values, (std::vector<double>{0.5, 7, 2, 16}));
  EXPECT_EQ(a * std::vector<double>({1, 0, -1}), (std::vector<double>{-2, -2}));
  EXPECT_EQ((2 * a + transpose(b)).values, (std::vector<double>{3, 3, 6.5, 8, 12, 13}));
  EXPECT_EQ(transpose(a).rows, 3);
  EXPECT_EQ(identity(3).values, diagonal({1, 1, 1}).values);
}

TEST(Dense, CholeskyAndSolve) {
  Matrix h(2, 2);
  h.values = {4, 2, 2, 10};
  EXPECT_EQ(cholesky(h).values, (std::vector<double>{2, 0, 1, 3}));
  EXPECT_NEAR(log_determinant(h), std::log(36.), 1e-15);
  std::vector<double> values;
  for (int i = 0; i < 40; i++) values.push_back(1 + 0.5 * i);
  Matrix const a = with_eigenvalues(values), l = cholesky(a), b = tridiagonal(40, 1, 3);
  EXPECT_LT(largest_deviation(l * transpose(l), a), 1e-13);
  EXPECT_LT(largest_deviation(l * solve_lower(l, b), b), 1e-13);
  EXPECT_EQ(solve_lower(l + transpose(l), b).values, solve_lower(l + diagonal_of(l), b).values);
  EXPECT_LT(largest_deviation(a * solve(a, b), b), 1e-12);
  double sum = 0;
  for (double v : values) sum += std::log(v);
  EXPECT_NEAR(log_determinant(a), sum, 1e-12);
  EXPECT_NEAR(log_determinant(diagonal(std::vector<double>(2000, 0.5))), 2000 * std::log(0.5), 1e-9);  // 0.5^2000 underflows
}

TEST(Dense, SymmetricEigen) {
  Matrix const a = with_eigenvalues({3, -1, 4, 1, 5});
  auto const [values, vectors] = symmetric_eigen(a);
  std::vector<double> const expected = {-1, 1, 3, 4, 5};
  for (std::size_t i = 0; i < expected.size(); i++) EXPECT_NEAR(values[i], expected[i], 1e-13);
  EXPECT_LT(largest_deviation(transpose(vectors) * vectors, identity(5)), 1e-14);
  EXPECT_LT(largest_deviation(vectors * diagonal(values) * transpose(vectors), a), 1e-13);
  auto const alone = eigenvalues(a);
  for (std::size_t i = 0; i < expected.size(); i++) EXPECT_NEAR(alone[i], expected[i], 1e-13);
  EXPECT_EQ(eigenvalues(diagonal({2, -3, 1})), (std::vector<double>{-3, 1, 2}));
  EXPECT_THROW(eigenvalues(with_eigenvalues({1, NAN, 2, 3})), Failure);
}

TEST(Dense, InverseRefusesWhatIsNotPositiveDefinite) {
  Matrix h(2, 2);
  h.values = {1, 2, 2, 1};
  EXPECT_FALSE(is_positive_definite(h));
  EXPECT_THROW(inverse(h), Failure);
  EXPECT_FALSE(is_positive_definite(diagonal({1, 0})));
  EXPECT_FALSE(is_positive_definite(diagonal({1, NAN})));
  EXPECT_TRUE(is_positive_definite(diagonal({1e-300, 1e300})));
}

TEST(Dense, LargestEigenvalue) {
  EXPECT_EQ(largest_eigenvalue(diagonal({1, 3, 2})), 3);
  EXPECT_EQ(largest_eigenvalue(diagonal({0.25})), 0.25);
  EXPECT_NEAR(largest_eigenvalue(with_eigenvalues({5, 1})), 5, 1e-13);
  // Close to the largest: two equal, and a gap of 1e-9, where iterations that converge with the gap stop early.
  EXPECT_NEAR(largest_eigenvalue(with_eigenvalues({4, 1, 4, 2})), 4, 1e-13);
  EXPECT_NEAR(largest_eigenvalue(with_eigenvalues({4, 1, 4 - 1e-9, 2, 3})), 4, 1e-13);
  std::vector<double> many;
  for (int i = 0; i < 100; i++) many.push_back(1 + 0.01 * i);
  EXPECT_NEAR(largest_eigenvalue(with_eigenvalues(many)), 1.99, 1e-12);
  // Tridiagonal Toeplitz: on + 2 |off| cos(pi / (n + 1)).
  for (Index n : {2, 3, 10, 300}) EXPECT_NEAR(largest_eigenvalue(tridiagonal(n, 2, -0.75)), 2 + 1.5 * std::cos(pi / double(n + 1)), 1e-13);
}

TEST(Dense, InverseOfAnySquareMatrix) {
  Matrix a(3, 3);
  a.values = {0, 2, 1, -1, 0, 3, 4, 1, 0};  // determinant 23, and pivots that must be exchanged
  auto const found = invert(a);
  EXPECT_NEAR(found.log_absolute_determinant, std::log(23.), 1e-15);
  Matrix const product = found.inverse * a;
  for (Index i = 0; i < 3; i++)
    for (Index j = 0; j < 3; j++) EXPECT_NEAR(product(i, j), i == j ? 1 : 0, 1e-15);
  Matrix singular(2, 2);
  singular.values = {1, 2, 2, 4};
  EXPECT_EQ(invert(singular).log_absolute_determinant, -std::numeric_limits<double>::infinity());
}

}  // namespace
