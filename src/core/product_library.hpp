// The library that forms the products of core/matrix_product.hpp: one of product_onednn.cpp (float), product_cblas.cpp (double) and
// product_cublas.cpp (GPUs).
#pragma once
#include <string>

#include "core/matrix_product.hpp"

namespace partita::product_library {

void multiply(ProductShape, Factor a, Factor b, Product c, Index batch);
// With its version.
std::string name();
// What of it decides a product's bits besides its version; empty: nothing.
std::string machine();

}  // namespace partita::product_library
