// Copies and fills, against loops over all elements.
#include <gtest/gtest.h>

#include <cstring>
#include <limits>
#include <vector>

#include "core/copy.hpp"
#include "core/require.hpp"

using namespace partita;

namespace {

template <class T>
using Block = Kokkos::View<T***, Kokkos::LayoutRight, Kokkos::HostSpace>;

template <class T>
Block<T> numbered(Index a, Index b, Index c) {
  Block<T> v("numbered", std::size_t(a), std::size_t(b), std::size_t(c));
  for (std::size_t i = 0; i < v.size(); i++) v.data()[i] = T(i % 251 + 1);
  return v;
}

// The part of a block that leaves out its first and last entries along all axes.
template <class T>
auto inner(Block<T> const& v) {
  auto const part = [&](unsigned axis) { return std::pair(Index{1}, extent(v, axis) - 1); };
  return Kokkos::subview(v, part(0), part(1), part(2));
}

template <class A, class B>
void expect_equal(A const& a, B const& b) {
  for (Index i = 0; i < extent(a, 0); i++)
    for (Index j = 0; j < extent(a, 1); j++)
      for (Index k = 0; k < extent(a, 2); k++) ASSERT_EQ(a(i, j, k), b(i, j, k)) << i << " " << j << " " << k;
}

template <class T>
class Copy : public testing::Test {};
using ElementTypes = testing::Types<std::uint8_t, std::int32_t, float, double, std::int64_t>;
TYPED_TEST_SUITE(Copy, ElementTypes);

TYPED_TEST(Copy, OfAPartReachesThatPartAlone) {
  using T = TypeParam;
  auto const from = numbered<T>(4, 5, 7);
  Block<T> const to("to", 4, 5, 7);
  copy_array(inner(to), inner(from));
  expect_equal(inner(to), inner(from));
  T sum = 0, expected = 0;
  for (std::size_t i = 0; i < to.size(); i++) sum = T(sum + to.data()[i]);
  auto const part = inner(from);
  for (Index i = 0; i < 2; i++)
    for (Index j = 0; j < 3; j++)
      for (Index k = 0; k < 5; k++) expected = T(expected + part(i, j, k));
  EXPECT_EQ(sum, expected) << "entries around the part have been written";
}

TYPED_TEST(Copy, OfOneColumnOfEveryMatrix) {
  auto const from = numbered<TypeParam>(3, 4, 5);
  auto const to = numbered<TypeParam>(3, 4, 5);
  copy_array(Kokkos::subview(to, Kokkos::ALL, Kokkos::ALL, 4), Kokkos::subview(from, Kokkos::ALL, Kokkos::ALL, 0));
  for (Index i = 0; i < 3; i++)
    for (Index j = 0; j < 4; j++)
      for (Index k = 0; k < 5; k++) EXPECT_EQ(to(i, j, k), from(i, j, k == 4 ? 0 : k));
}

TYPED_TEST(Copy, BetweenOrdersOfTheAxes) {
  auto const from = numbered<TypeParam>(3, 4, 5);
  Kokkos::View<TypeParam***, Kokkos::LayoutLeft, Kokkos::HostSpace> const to("to", 3, 4, 5);
  copy_array(to, from);
  expect_equal(to, from);
}

TYPED_TEST(Copy, OfMoreThanOnePieceOfARow) {
  auto const from = numbered<TypeParam>(1, 1, 200001), to = numbered<TypeParam>(1, 1, 200001);
  fill_array(to, TypeParam(0));
  for (Index k = 0; k < 200001; k++) ASSERT_EQ(to(0, 0, k), TypeParam(0));
  copy_array(to, from);
  expect_equal(to, from);
}

TYPED_TEST(Copy, FillsAPartAlone) {
  using T = TypeParam;
  auto const v = numbered<T>(4, 5, 7), before = numbered<T>(4, 5, 7);
  fill_array(inner(v), T(9));
  for (Index i = 0; i < 4; i++)
    for (Index j = 0; j < 5; j++)
      for (Index k = 0; k < 7; k++) {
        bool const within = i > 0 && i < 3 && j > 0 && j < 4 && k > 0 && k < 6;
        EXPECT_EQ(v(i, j, k), within ? T(9) : before(i, j, k));
      }
}

TEST(CopyOf, OneNumberAndOfNone) {
  Kokkos::View<double, Kokkos::HostSpace> const from("from"), to("to");
  from() = 3.5;
  copy_array(to, from);
  EXPECT_EQ(to(), 3.5);
  fill_array(to, -1.);
  EXPECT_EQ(to(), -1);
  Block<float> const nothing("nothing", 3, 0, 2);
  copy_array(nothing, Block<float>("nothing", 3, 0, 2));
  fill_array(nothing, 1.f);
}

TEST(CopyOf, AVectorKeepsEveryBit) {
  std::vector<float> const from{-0.f, std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::denorm_min()};
  Kokkos::View<float*, Kokkos::HostSpace> const to("to", 3);
  copy_array(to, from);
  EXPECT_EQ(std::memcmp(to.data(), from.data(), 3 * sizeof(float)), 0);
}

TEST(CopyOf, OtherExtentsIsAnErrorOfTheProgram) {
  Block<float> const a("a", 2, 3, 4), b("b", 2, 4, 3);
  try {
    copy_array(a, b);
    FAIL() << "extents that differ were copied";
  } catch (Failure const& e) {
    EXPECT_EQ(e.code(), ExitCode::internal);
  }
}

}  // namespace
