// Dense matrix products of the networks: oneDNN for float and a CBLAS for double on the host, cuBLAS on GPUs.
#pragma once
#include "core/types.hpp"

namespace partita {

enum class Form { plain, transposed };

// C = alpha op(A) op(B) + beta C with op(A) (rows, inner), op(B) (inner, columns), C (rows, columns), all row-major.
struct ProductShape {
  Index rows, columns, inner;
};
// A factor as stored; `pitch` elements lie between its rows, `batch_stride` between the matrices of a batch (0: one for all).
struct Factor {
  Real const* data;
  Index pitch;
  Form form = Form::plain;
  Index batch_stride = 0;
};
struct Product {
  Real* data;
  Index pitch;
  Real alpha = 1, beta = 0;
  Index batch_stride = 0;
};

// `batch` products of one shape, in device memory. On the host each is computed alone and its bits depend on its shape, forms and
// pitches only (oneDNN: and on the instruction set), never on the batch. Failure(internal) on an error of the library.
void matrix_product(ProductShape, Factor a, Factor b, Product c, Index batch = 1);

// Floating-point operations (a multiplication and an addition count two) of all products of this process so far.
double matrix_product_flops();
// Their number, those of a batch as one.
std::uint64_t matrix_products();
// Counts a product that was formed by other means.
void count_product(ProductShape, Index batch = 1);

}  // namespace partita
