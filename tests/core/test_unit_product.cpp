#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "core/random.hpp"
#include "core/unit_product.hpp"

namespace partita {
namespace {

double normal(Index i, std::uint64_t which) {
  auto const w = random::words(random::make_key(3), std::uint64_t(i), random::Stream::test, which, 0);
  return random::normal_pair(w.w[0], w.w[1], double()).a;
}
std::vector<Real> normals(Index n, std::uint64_t which) {
  std::vector<Real> out;
  for (Index i = 0; i < n; i++) out.push_back(Real(normal(i, which)));
  return out;
}
std::vector<Real> units(Index n, std::uint64_t which) {
  std::vector<Real> out;
  for (Index i = 0; i < n; i++) out.push_back(normal(i, which) > 0.5 ? 1 : 0);
  return out;
}

class UnitProduct : public testing::Test {
 protected:
  void SetUp() override {
    if (!unit_products_available()) GTEST_SKIP() << "no matrix unit for bfloat16";
  }
};

// Shapes that end inside blocks of 16 rows, 16 columns and 32 inner entries, and pitches wider than rows.
struct Shape {
  ProductShape s;
  Index pitch;
};
std::vector<Shape> const shapes{{{16, 16, 32}, 16}, {{5, 32, 7}, 48}, {{33, 112, 100}, 128}, {{48, 16, 31}, 16}, {{130, 48, 64}, 64}};

// Sums of `inner` products, each of which is exact: half an ulp of the largest partial sum for each.
double rounding(ProductShape const& s) { return 0x1p-24 * double(s.inner) * 4 * std::sqrt(double(s.inner)); }

TEST_F(UnitProduct, IsTheProductOfBothForms) {
  for (auto const& [s, pitch] : shapes)
    for (Form form : {Form::plain, Form::transposed}) {
      auto const a = normals(s.rows * s.inner, 1), b = units(s.inner * pitch, 2);
      SplitMatrix split;
      split.assign({a.data(), form == Form::plain ? s.inner : s.rows, form}, s.rows, s.inner);
      std::vector<Real> c(s.rows * pitch, 7);
      ASSERT_TRUE(unit_product(s, split, {b.data(), pitch}, {c.data(), pitch}));
      for (Index i = 0; i < s.rows; i++)
        for (Index j = 0; j < pitch; j++) {
          double exact = 0;
          for (Index k = 0; k < s.inner; k++)
            exact += double(a[form == Form::plain ? i * s.inner + k : k * s.rows + i]) * double(b[k * pitch + j]);
          Real const found = c[i * pitch + j];
          if (j < s.columns) ASSERT_NEAR(found, exact, rounding(s)) << i << ' ' << j;
          else ASSERT_EQ(found, 7) << "past the last column";
        }
    }
}

TEST_F(UnitProduct, OuterProductAddsToWhatIsThere) {
  // Here the units are rows of the left factor, and columns of the result need not be whole vectors.
  for (ProductShape const s : {ProductShape{16, 16, 32}, {50, 37, 48}, {7, 100, 112}}) {
    Index const pitch = s.inner + 16;
    auto const v = units(s.rows * pitch, 3), h = normals(s.columns * pitch, 4), before = normals(s.rows * s.columns, 5);
    auto c = before;
    ASSERT_TRUE(unit_outer_product(s, {v.data(), pitch}, {h.data(), pitch}, {c.data(), s.columns, 1, 1}));
    for (Index i = 0; i < s.rows; i++)
      for (Index j = 0; j < s.columns; j++) {
        auto const at = std::size_t(i * s.columns + j);
        double exact = double(before[at]);
        for (Index k = 0; k < s.inner; k++) exact += double(v[i * pitch + k]) * double(h[j * pitch + k]);
        ASSERT_NEAR(c[at], exact, rounding(s) + 0x1p-24 * 8) << i << ' ' << j;
      }
  }
}

TEST_F(UnitProduct, ThePartsOfAFloatAreExact) {
  // One unit that is on picks one number out: all 24 bits come back, whatever the exponent.
  ProductShape const s{16, 16, 32};
  std::vector<Real> a;
  for (Index i = 0; i < s.rows * s.inner; i++) a.push_back(Real(std::ldexp(normal(i, 6), int(i % 60) - 30)));
  std::vector<Real> b(s.inner * s.columns, 0);
  for (Index k = 0; k < 16; k++) b[k * s.columns + k] = 1;
  SplitMatrix split;
  split.assign({a.data(), s.inner}, s.rows, s.inner);
  std::vector<Real> c(s.rows * s.columns);
  ASSERT_TRUE(unit_product(s, split, {b.data(), s.columns}, {c.data(), s.columns}));
  for (Index i = 0; i < 16; i++)
    for (Index k = 0; k < 16; k++) EXPECT_EQ(c[i * 16 + k], a[i * 32 + k]);
}

TEST_F(UnitProduct, RefusesWhatIsNoUnit) {
  ProductShape const s{16, 16, 32};
  auto const a = normals(s.rows * s.inner, 1);
  auto b = units(s.inner * s.columns, 2);
  b[200] = Real(0.3);
  SplitMatrix split;
  split.assign({a.data(), s.inner}, s.rows, s.inner);
  std::vector<Real> c(256, 5);
  EXPECT_FALSE(unit_product(s, split, {b.data(), s.columns}, {c.data(), s.columns}));
  EXPECT_FALSE(unit_outer_product({16, 16, 32}, {b.data(), 32}, {a.data(), 32}, {c.data(), 16}));
  EXPECT_EQ(c, std::vector<Real>(256, 5));
}

TEST_F(UnitProduct, NotANumberComesThrough) {
  ProductShape const s{16, 16, 32};
  auto a = normals(s.rows * s.inner, 1);
  a[40] = std::nanf("");
  std::vector<Real> const b(s.inner * s.columns, 1);
  SplitMatrix split;
  split.assign({a.data(), s.inner}, s.rows, s.inner);
  std::vector<Real> c(256);
  ASSERT_TRUE(unit_product(s, split, {b.data(), s.columns}, {c.data(), s.columns}));
  EXPECT_TRUE(std::isnan(c[16]));
  EXPECT_TRUE(std::isfinite(c[0]));
}

}  // namespace
}  // namespace partita
