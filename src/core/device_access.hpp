// Code of the host that works on the device's memory by other means than kernels and copies, or waits for them.
#pragma once
#include <string>

#ifdef PARTITA_DEVICE_EMULATION
#include "core/emulated_device.hpp"
#endif

namespace partita {

// Libraries that are given addresses in the device's memory are called while one of these lives: it opens the memory of the emulated
// device. Elsewhere it does nothing.
class DeviceAccess {
 public:
#ifdef PARTITA_DEVICE_EMULATION
  DeviceAccess() { EmulatedDevice::open(); }
  ~DeviceAccess() { EmulatedDevice::close(); }
#else
  DeviceAccess() {}
#endif
  DeviceAccess(DeviceAccess const&) = delete;
  DeviceAccess& operator=(DeviceAccess const&) = delete;
};

// Waits for all kernels. Where the memory is the host's there is nothing to wait for.
void wait_for_device();

// What this process has asked of the emulated device so far: kernels, matrix products, waits (wait_for_device, reductions to numbers of the
// host, copies), allocations, copies between host and device and their bytes. Empty in other builds, where nobody counts.
std::string device_counts();

}  // namespace partita
