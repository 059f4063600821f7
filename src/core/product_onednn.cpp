#include <dnnl.h>
#include <dnnl_debug.h>
#include <fmt/format.h>

#include <tuple>

#include "core/product_library.hpp"
#include "core/require.hpp"

namespace partita::product_library {
namespace {

void multiply_one(ProductShape s, Factor a, Factor b, Product c) {
  auto const operation = [](Form f) { return f == Form::plain ? 'N' : 'T'; };
  dnnl_status_t const status = dnnl_sgemm(operation(a.form), operation(b.form), s.rows, s.columns, s.inner, c.alpha, a.data, a.pitch,
                                          b.data, b.pitch, c.beta, c.data, c.pitch);
  require(status == dnnl_success, ExitCode::internal, "oneDNN: {} in a product of ({}, {}) and ({}, {}) with pitches {}, {}, {}",
          dnnl_status2str(status), s.rows, s.inner, s.inner, s.columns, a.pitch, b.pitch, c.pitch);
}

}  // namespace

void multiply(ProductShape s, Factor a, Factor b, Product c, Index batch) {
  for (Index t = 0; t < batch; t++) {
    multiply_one(s, a, b, c);
    a.data += a.batch_stride, b.data += b.batch_stride, c.data += c.batch_stride;
  }
}

std::string name() {
  dnnl_version_t const* v = dnnl_version();
  bool const affected = std::tuple(v->major, v->minor, v->patch) < std::tuple(3, 11, 2);
  return fmt::format(
      "oneDNN {}.{}.{}{}", v->major, v->minor, v->patch,
      affected ? " (signals would corrupt its products, oneDNN issue 4845, mended in 3.11.2; Partita keeps signals away from them)" : "");
}

std::string machine() { return fmt::format("oneDNN {}", dnnl_cpu_isa2str(dnnl_get_effective_cpu_isa())); }

}  // namespace partita::product_library
