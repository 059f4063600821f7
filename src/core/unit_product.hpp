// Products of a matrix with one of units: entries of at most 8 significant bits, such as 0 and 1, which bfloat16 holds exactly. The other
// matrix is split into three bfloat16 parts whose sum is exact, so that the products are exact and only their sums are rounded, to float,
// as in a product of floats. Matrix units for bfloat16 (AMX) are many times faster than vectors of floats, so three products still pay.
//
// Without such a unit (or in double precision, or on GPUs) these products are not available, and callers use matrix_product.
#pragma once
#include <cstdint>

#include "core/arrays.hpp"
#include "core/matrix_product.hpp"

namespace partita {

bool unit_products_available();

// A matrix (rows, inner) in its parts, in the order in which the matrix unit reads them.
class SplitMatrix {
 public:
  // Memory for such a matrix.
  void reserve(Arrays, Index rows, Index inner);
  // op(source) is (rows, inner).
  void assign(Factor source, Index rows, Index inner);
  std::uint32_t const* parts() const { return parts_.data(); }

 private:
  Kokkos::View<std::uint32_t*, Kokkos::HostSpace> parts_;  // in whole cache lines
};

// C = A B + beta C with A as it was assigned, B = `units` stored (inner, columns), columns a multiple of lane_quantum. Returns false, and
// leaves C unchanged, where an entry of B has more than 8 significant bits.
bool unit_product(ProductShape, SplitMatrix const& a, Factor units, Product c);
// C = A B' + beta C with A = `units` stored (rows, inner), B stored (columns, inner), inner a multiple of lane_quantum. Returns false under
// the same condition on A.
bool unit_outer_product(ProductShape, Factor units, Factor b, Product c);

}  // namespace partita
