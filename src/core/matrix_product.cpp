#include "core/matrix_product.hpp"

#include <atomic>

#include "core/product_library.hpp"

namespace partita {
namespace {

std::atomic<std::uint64_t> flops{0};

}  // namespace

void matrix_product(ProductShape s, Factor a, Factor b, Product c, Index batch) {
  product_library::multiply(s, a, b, c, batch);
  count_product(s, batch);
}

void count_product(ProductShape s, Index batch) {
  flops.fetch_add(std::uint64_t(2 * s.rows * s.columns * s.inner * batch), std::memory_order_relaxed);
}

double matrix_product_flops() { return double(flops.load(std::memory_order_relaxed)); }

}  // namespace partita
