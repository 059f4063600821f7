#include "core/matrix_product.hpp"

#include <atomic>

#include "core/device_access.hpp"
#include "core/product_library.hpp"

namespace partita {
namespace {

std::atomic<std::uint64_t> flops{0}, products{0};

}  // namespace

void matrix_product(ProductShape s, Factor a, Factor b, Product c, Index batch) {
  DeviceAccess const access;
  product_library::multiply(s, a, b, c, batch);
  count_product(s, batch);
}

void count_product(ProductShape s, Index batch) {
  products.fetch_add(1, std::memory_order_relaxed);
  flops.fetch_add(std::uint64_t(2 * s.rows * s.columns * s.inner * batch), std::memory_order_relaxed);
}

std::uint64_t matrix_products() { return products.load(std::memory_order_relaxed); }

double matrix_product_flops() { return double(flops.load(std::memory_order_relaxed)); }

}  // namespace partita
