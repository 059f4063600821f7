// What the emulated device finds: each of these would be an error on a GPU, too.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "core/arrays.hpp"
#include "core/copy.hpp"
#include "core/device_access.hpp"
#include "core/require.hpp"

namespace partita {
namespace {

using testing::HasSubstr;

constexpr Index count = 5000;

TEST(EmulatedDevice, AnElementIsRefusedToTheHost) {
  Vector const v = Arrays().make<Vector>("numbers", count);
  try {
    v(7) = 1;
    FAIL() << "written";
  } catch (Failure const& failure) {
    EXPECT_EQ(failure.code(), ExitCode::internal);
    EXPECT_THAT(failure.what(), HasSubstr("the host accesses an element of an array in the device's memory"));
  }
}

TEST(EmulatedDeviceDeathTest, AnAddressIsClosedToTheHost) {
  Vector const v = Arrays().make<Vector>("numbers", count);
  if (!EmulatedDevice::closes_addresses()) GTEST_SKIP() << "no protection keys of this processor";
  EXPECT_DEATH(v.data()[7] = 1, "the host accesses the device's memory outside a kernel and a copy");
}

TEST(EmulatedDevice, KernelsAndCopiesHaveAccess) {
  Vector const v = Arrays().make<Vector>("numbers", count);
  fill_array(v, Real(2));
  Kokkos::parallel_for(
      "double", Kokkos::RangePolicy<Execution>(0, count), KOKKOS_LAMBDA(Index i) { v(i) = v(i) + Real(i); });
  auto const host = values_on_host(v);
  for (Index i = 0; i < count; i++) ASSERT_EQ(host(i), Real(2 + i));
  EXPECT_FALSE(EmulatedDevice::is_open());
}

TEST(EmulatedDevice, WhatNobodyHasWrittenIsNoNumber) {
  for (int again = 0; again < 2; again++) {  // also where an array was before
    Vector const v = Arrays().make_unset<Vector>("numbers", count);
    auto const host = values_on_host(v);
    for (Index i = 0; i < count; i++) ASSERT_TRUE(std::isnan(host(i))) << i;
    fill_array(v, Real(1));
  }
}

TEST(EmulatedDevice, CopiesWithGapsAreRefused) {
  auto const all = Arrays().make<Kokkos::View<Real**, Kokkos::LayoutRight, DeviceMemory>>("rows", 10, 16);
  auto const part = Kokkos::subview(all, Kokkos::ALL, std::pair(0, 12));
  Kokkos::View<Real**, Kokkos::LayoutRight, Kokkos::HostSpace> const host("host", 10, 12);
  try {
    copy_array(host, part);
    FAIL() << "copied";
  } catch (Failure const& failure) {
    EXPECT_EQ(failure.code(), ExitCode::internal);
    EXPECT_THAT(failure.what(), HasSubstr("arrays with gaps are copied between host and device"));
  }
}

TEST(EmulatedDevice, CountsWhatItIsAskedFor) {
  auto const before = EmulatedDevice::counts();
  Vector const v = Arrays().make_unset<Vector>("numbers", count);
  fill_array(v, Real(1));
  auto const host = values_on_host(v);
  double sum = 0;
  Kokkos::parallel_reduce(
      "sum", Kokkos::RangePolicy<Execution>(0, count), KOKKOS_LAMBDA(Index i, double& s) { s += double(v(i)); }, sum);
  wait_for_device();
  auto const after = EmulatedDevice::counts();
  EXPECT_EQ(sum, double(count));
  EXPECT_EQ(after.allocations - before.allocations, 1u);
  EXPECT_EQ(after.launches - before.launches, 2u);  // fill, sum
  EXPECT_EQ(after.copies - before.copies, 1u);
  EXPECT_EQ(after.copied_bytes - before.copied_bytes, count * sizeof(Real));
  EXPECT_EQ(after.waits - before.waits, 3u);  // copy, sum, wait_for_device
}

}  // namespace
}  // namespace partita
