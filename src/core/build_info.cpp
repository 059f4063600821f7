#include "core/build_info.hpp"

#include <fmt/format.h>

#include "build_constants.hpp"
#include "core/product_library.hpp"
#include "core/types.hpp"
#include "git_revision.hpp"
#ifdef PARTITA_CUDA
#include "core/gpu.hpp"
#endif

namespace partita {
namespace {

// The widest vector extension that the compiler was allowed to use.
constexpr char const* instruction_set =
#if defined(__AVX512F__)
    "AVX-512"
#elif defined(__AVX2__) && defined(__FMA__)
    "AVX2 with FMA"
#elif defined(__ARM_FEATURE_SVE)
    "SVE"
#elif defined(__ARM_NEON)
    "NEON"
#else
    "baseline"
#endif
    ;

std::string gpu_model() {
#ifdef PARTITA_CUDA
  return gpu::identity().name;
#elif defined(PARTITA_DEVICE_EMULATION)
  return "emulated";
#else
  return "none";
#endif
}

}  // namespace

std::string version() { return build::version; }

std::string code_version() {
  return fmt::format("{} (git {}{})", build::version, build::git_hash, build::git_modified ? ", modified" : "");
}

std::string build_configuration() {
#ifdef PARTITA_CUDA
  constexpr char const* gpus = "CUDA and NCCL";
#elif defined(PARTITA_DEVICE_EMULATION)
  constexpr char const* gpus = "emulated by the host";
#else
  constexpr char const* gpus = "not compiled in";
#endif
  std::string text;
  auto line = [&text](char const* name, std::string const& value) {
    text += fmt::format("{}{:<16} {}", text.empty() ? "" : "\n", name, value);
  };
  line("partita", code_version());
  line("compiler", build::compiler);
  line("build type", build::type);
  line("flags", build::flags);
  line("instruction set", instruction_set);
  line("real", sizeof(Real) == sizeof(double) ? "double" : "float");
  line("Kokkos", fmt::format("{}.{}.{}, {}", KOKKOS_VERSION / 10000, KOKKOS_VERSION / 100 % 100, KOKKOS_VERSION % 100, Execution::name()));
  line("matrix products", product_library::name());
  line("MPI", build::mpi);
  line("HDF5", build::hdf5);
  line("GPUs", gpus);
  return text;
}

std::string machine_identity() {
  std::string const products = product_library::machine();
  return fmt::format("cpu {}{}{}, gpu {}", instruction_set, products.empty() ? "" : ", ", products, gpu_model());
}

}  // namespace partita
