#include "core/matrix_product.hpp"

#include <atomic>

#include "core/require.hpp"

#if defined(PARTITA_CUDA)
#include <cublas_v2.h>
#elif defined(PARTITA_DOUBLE)
#include <cblas.h>
#else
#include <dnnl.h>
#include <dnnl_debug.h>
#endif

namespace partita {
namespace {

std::atomic<std::uint64_t> flops{0};

#if defined(PARTITA_CUDA)

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
  check(cublasSetStream(one, Execution().cuda_stream()), {});
  return one;
}

cublasOperation_t operation(Form f) { return f == Form::plain ? CUBLAS_OP_N : CUBLAS_OP_T; }

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

#elif defined(PARTITA_DOUBLE)

void multiply_one(ProductShape s, Factor a, Factor b, Product c) {
  auto const operation = [](Form f) { return f == Form::plain ? CblasNoTrans : CblasTrans; };
  auto const size = [](Index n) { return int(n); };
  cblas_dgemm(CblasRowMajor, operation(a.form), operation(b.form), size(s.rows), size(s.columns), size(s.inner), c.alpha, a.data,
              size(a.pitch), b.data, size(b.pitch), c.beta, c.data, size(c.pitch));
}

#else

void multiply_one(ProductShape s, Factor a, Factor b, Product c) {
  auto const operation = [](Form f) { return f == Form::plain ? 'N' : 'T'; };
  dnnl_status_t const status = dnnl_sgemm(operation(a.form), operation(b.form), s.rows, s.columns, s.inner, c.alpha, a.data, a.pitch,
                                          b.data, b.pitch, c.beta, c.data, c.pitch);
  require(status == dnnl_success, ExitCode::internal, "oneDNN: {} in a product of ({}, {}) and ({}, {}) with pitches {}, {}, {}",
          dnnl_status2str(status), s.rows, s.inner, s.inner, s.columns, a.pitch, b.pitch, c.pitch);
}

#endif

#if !defined(PARTITA_CUDA)
void multiply(ProductShape s, Factor a, Factor b, Product c, Index batch) {
  for (Index t = 0; t < batch; t++) {
    multiply_one(s, a, b, c);
    a.data += a.batch_stride, b.data += b.batch_stride, c.data += c.batch_stride;
  }
}
#endif

}  // namespace

void matrix_product(ProductShape s, Factor a, Factor b, Product c, Index batch) {
  multiply(s, a, b, c, batch);
  count_product(s, batch);
}

void count_product(ProductShape s, Index batch) {
  flops.fetch_add(std::uint64_t(2 * s.rows * s.columns * s.inner * batch), std::memory_order_relaxed);
}

double matrix_product_flops() { return double(flops.load(std::memory_order_relaxed)); }

}  // namespace partita
