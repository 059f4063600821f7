// The unit that uses cuBLAS, linked as in a build for GPUs: it tells the library's version where there is no GPU, too.
#include <cstdio>

#include "core/gpu.hpp"
#include "core/product_library.hpp"

cudaStream_t partita::gpu::stream() { return nullptr; }

int main() {
  std::string const name = partita::product_library::name();
  std::puts(name.c_str());
  return name.starts_with("cuBLAS ") && name.find('.') != name.npos ? 0 : 1;
}
