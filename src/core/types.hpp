// The scalar, index and View types of the whole code.
#pragma once
#include <Kokkos_Core.hpp>
#include <cstdint>

#ifdef PARTITA_DEVICE_EMULATION
#include "core/emulated_device.hpp"
#endif

namespace partita {

using Index = std::int64_t;  // every count, offset and loop index: 64 bits, and inner loops over it vectorize
#ifdef PARTITA_DOUBLE
using Real = double;
#else
using Real = float;
#endif

using Execution = Kokkos::DefaultExecutionSpace;
#ifdef PARTITA_DEVICE_EMULATION
using DeviceMemory = EmulatedDevice;
#else
using DeviceMemory = Execution::memory_space;
#endif

template <class T>
using DeviceVector = Kokkos::View<T*, Kokkos::LayoutRight, DeviceMemory>;
using Vector = DeviceVector<Real>;
using ConstVector = DeviceVector<Real const>;

// (tile, dimension, lane), lane fastest. extent(2) is the number of lanes in use, stride(1) the pitch between rows;
// kernels take row pointers and index lanes, so that the inner loop is contiguous whatever the strides.
using Tiles = Kokkos::View<Real***, Kokkos::LayoutStride, DeviceMemory>;
using ConstTiles = Kokkos::View<Real const***, Kokkos::LayoutStride, DeviceMemory>;
// One value per chain: (tile, lane), lane fastest.
using TileScalars = Kokkos::View<Real**, Kokkos::LayoutStride, DeviceMemory>;
using ConstTileScalars = Kokkos::View<Real const**, Kokkos::LayoutStride, DeviceMemory>;

// Storage behind Tiles: (tile, dimension, pitch), contiguous.
using TileStorage = Kokkos::View<Real***, Kokkos::LayoutRight, DeviceMemory>;
using TileScalarStorage = Kokkos::View<Real**, Kokkos::LayoutRight, DeviceMemory>;

constexpr Index round_up(Index n, Index multiple) { return (n + multiple - 1) / multiple * multiple; }
constexpr Index divide_up(Index n, Index by) { return (n + by - 1) / by; }

template <class View>
Index extent(View const& view, unsigned axis) {
  return Index(view.extent(axis));
}

// Where an element of a View is, also on the host for a View in the device's memory, whose operator() only kernels may call.
template <class View>
KOKKOS_FORCEINLINE_FUNCTION typename View::pointer_type place_of(View const& view, Index i, Index j = 0, Index k = 0) {
  auto const stride = [&](unsigned axis) { return axis < unsigned(View::rank) ? Index(view.stride(axis)) : Index{0}; };
  return view.data() + i * stride(0) + j * stride(1) + k * stride(2);
}

// True where the default execution space runs on the host, one tile at a time through the caches.
constexpr bool runs_on_host = Kokkos::SpaceAccessibility<Kokkos::HostSpace, DeviceMemory>::accessible;

}  // namespace partita
