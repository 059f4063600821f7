// Products against plain loops in double, every form, with pitches and batches.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "core/copy.hpp"
#include "core/matrix_product.hpp"

namespace {

using namespace partita;

Vector device(std::vector<Real> const& values) {
  Vector v("values", values.size());
  auto const host = Kokkos::create_mirror_view(v);
  std::copy(values.begin(), values.end(), host.data());
  copy_array(v, host);
  return v;
}
std::vector<Real> host(Vector v) {
  auto const mirror = values_on_host(v);
  return {mirror.data(), mirror.data() + mirror.extent(0)};
}
std::vector<Real> wave(Index n, double frequency) {
  std::vector<Real> v(n);
  for (Index i = 0; i < n; i++) v[i] = Real(std::sin(frequency * double(i) + 1));
  return v;
}

struct Case {
  ProductShape shape;
  Form a, b;
  Real alpha, beta;
};

class MatrixProduct : public testing::TestWithParam<Case> {};

TEST_P(MatrixProduct, EqualsTheDefinition) {
  auto const [s, form_a, form_b, alpha, beta] = GetParam();
  Index const batch = 3, rows_a = form_a == Form::plain ? s.rows : s.inner, rows_b = form_b == Form::plain ? s.inner : s.columns;
  Index const pitch_a = (form_a == Form::plain ? s.inner : s.rows) + 3, pitch_b = (form_b == Form::plain ? s.columns : s.inner) + 5,
              pitch_c = s.columns + 7;
  auto const a = wave(rows_a * pitch_a, 0.7), b = wave(batch * rows_b * pitch_b, 1.3), before = wave(batch * s.rows * pitch_c, 0.4);
  Vector const da = device(a), db = device(b), dc = device(before);
  matrix_product(s, {da.data(), pitch_a, form_a}, {db.data(), pitch_b, form_b, rows_b * pitch_b},
                 {dc.data(), pitch_c, alpha, beta, s.rows * pitch_c}, batch);
  auto const after = host(dc);
  // Each of the `inner` terms is at most 1 and rounded at most twice.
  double const tolerance = 2 * double(s.inner + 2) * std::numeric_limits<Real>::epsilon();
  auto const at = [](std::vector<Real> const& v, Index i) { return double(v[i]); };
  for (Index t = 0; t < batch; t++)
    for (Index i = 0; i < s.rows; i++) {
      for (Index j = 0; j < s.columns; j++) {
        double sum = 0;
        for (Index k = 0; k < s.inner; k++)
          sum += at(a, form_a == Form::plain ? i * pitch_a + k : k * pitch_a + i) *
                 at(b, t * rows_b * pitch_b + (form_b == Form::plain ? k * pitch_b + j : j * pitch_b + k));
        Index const here = (t * s.rows + i) * pitch_c + j;
        ASSERT_NEAR(at(after, here), alpha * sum + beta * at(before, here), tolerance) << t << ' ' << i << ' ' << j;
      }
      for (Index j = s.columns; j < pitch_c; j++) ASSERT_EQ(after[(t * s.rows + i) * pitch_c + j], before[(t * s.rows + i) * pitch_c + j]);
    }
}

INSTANTIATE_TEST_SUITE_P(
    Forms, MatrixProduct,
    testing::Values(Case{{5, 16, 3}, Form::plain, Form::plain, 1, 0}, Case{{128, 64, 128}, Form::plain, Form::plain, 1, 0},
                    Case{{17, 48, 33}, Form::transposed, Form::plain, 1, 0}, Case{{12, 7, 160}, Form::plain, Form::transposed, 1, 1},
                    Case{{9, 10, 11}, Form::transposed, Form::transposed, 2, -1}, Case{{1, 16, 40}, Form::plain, Form::plain, 1, 0}));

TEST(MatrixProduct, CountsItsOperations) {
  Vector const a("a", 12), b("b", 20), c("c", 15);
  double const before = matrix_product_flops();
  matrix_product({3, 5, 4}, {a.data(), 4}, {b.data(), 5}, {c.data(), 5});
  EXPECT_EQ(matrix_product_flops() - before, 2 * 3 * 5 * 4);
}

}  // namespace
