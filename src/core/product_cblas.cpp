#include <cblas.h>

#include "core/product_library.hpp"

namespace partita::product_library {
namespace {

void multiply_one(ProductShape s, Factor a, Factor b, Product c) {
  auto const operation = [](Form f) { return f == Form::plain ? CblasNoTrans : CblasTrans; };
  auto const size = [](Index n) { return int(n); };
  cblas_dgemm(CblasRowMajor, operation(a.form), operation(b.form), size(s.rows), size(s.columns), size(s.inner), c.alpha, a.data,
              size(a.pitch), b.data, size(b.pitch), c.beta, c.data, size(c.pitch));
}

}  // namespace

void multiply(ProductShape s, Factor a, Factor b, Product c, Index batch) {
  for (Index t = 0; t < batch; t++) {
    multiply_one(s, a, b, c);
    a.data += a.batch_stride, b.data += b.batch_stride, c.data += c.batch_stride;
  }
}

std::string name() { return "CBLAS"; }

std::string machine() { return {}; }

}  // namespace partita::product_library
