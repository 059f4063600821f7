#include "core/device_access.hpp"

#include <fmt/format.h>

#include "core/matrix_product.hpp"
#include "core/types.hpp"

namespace partita {

#ifdef PARTITA_DEVICE_EMULATION

void wait_for_device() { EmulatedDevice::count_wait(); }

std::string device_counts() {
  EmulatedDevice::Counts const c = EmulatedDevice::counts();
  return fmt::format("device: {} launches, {} products, {} waits, {} allocations, {} copies of {} bytes", c.launches, matrix_products(),
                     c.waits, c.allocations, c.copies, c.copied_bytes);
}

#else

void wait_for_device() {
  if constexpr (!runs_on_host) Execution().fence();
}

std::string device_counts() { return {}; }

#endif

}  // namespace partita
