#include <cublas_v2.h>
#include <fmt/format.h>

#include <utility>

#include "core/gpu.hpp"
#include "core/product_library.hpp"
#include "core/require.hpp"

namespace partita::product_library {
namespace {

void check(cublasStatus_t status, ProductShape s) {
  require(status == CUBLAS_STATUS_SUCCESS, ExitCode::internal,
          "cuBLAS: {} in a product of ({}, {}) and ({}, {}); see the CUDA driver's log", cublasGetStatusString(status), s.rows, s.inner,
          s.inner, s.columns);
}

cublasHandle_t handle() {
  static cublasHandle_t const one = [] {
    cublasHandle_t h;
    check(cublasCreate(&h), {});
    return h;
  }();
  check(cublasSetStream(one, gpu::stream()), {});
  return one;
}

cublasOperation_t operation(Form f) { return f == Form::plain ? CUBLAS_OP_N : CUBLAS_OP_T; }

}  // namespace

// cuBLAS is column-major, and a row-major matrix is its own transpose there: C' = op(B)' op(A)'.
void multiply(ProductShape s, Factor a, Factor b, Product c, Index batch) {
#if defined(PARTITA_DOUBLE)
  auto const gemm = cublasDgemmStridedBatched_64;
#else
  auto const gemm = cublasSgemmStridedBatched_64;
#endif
  check(gemm(handle(), operation(b.form), operation(a.form), s.columns, s.rows, s.inner, &c.alpha, b.data, b.pitch, b.batch_stride, a.data,
             a.pitch, a.batch_stride, &c.beta, c.data, c.pitch, c.batch_stride, batch),
        s);
}

std::string name() {
  int version[3] = {};  // asked without a handle, which needs a GPU
  for (auto [property, part] : {std::pair(MAJOR_VERSION, 0), std::pair(MINOR_VERSION, 1), std::pair(PATCH_LEVEL, 2)})
    check(cublasGetProperty(property, &version[part]), {});
  return fmt::format("cuBLAS {}.{}.{}", version[0], version[1], version[2]);
}

std::string machine() { return {}; }

}  // namespace partita::product_library
