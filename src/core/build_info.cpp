#include "core/build_info.hpp"

#include <fmt/format.h>

#include <tuple>
#ifdef PARTITA_CUDA
#include <cuda_runtime_api.h>
#endif
#ifndef PARTITA_DOUBLE
#include <dnnl.h>
#include <dnnl_debug.h>
#endif

#include "build_constants.hpp"
#include "core/require.hpp"
#include "core/types.hpp"
#include "git_revision.hpp"

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

std::string products() {
#ifdef PARTITA_DOUBLE
  return "CBLAS";
#else
  dnnl_version_t const* v = dnnl_version();
  bool const affected = std::tuple(v->major, v->minor, v->patch) < std::tuple(3, 11, 2);
  return fmt::format(
      "oneDNN {}.{}.{}{}", v->major, v->minor, v->patch,
      affected ? " (signals would corrupt its products, oneDNN issue 4845, mended in 3.11.2; Partita keeps signals away from them)" : "");
#endif
}

std::string gpu_model() {
#ifdef PARTITA_CUDA
  int device = 0;
  cudaDeviceProp properties;
  cudaError_t error = cudaGetDevice(&device);
  if (error == cudaSuccess) error = cudaGetDeviceProperties(&properties, device);
  require(error == cudaSuccess, ExitCode::communication, "the GPU does not answer ({}): check nvidia-smi on this node",
          cudaGetErrorString(error));
  return properties.name;
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
  line("matrix products", products());
  line("MPI", build::mpi);
  line("HDF5", build::hdf5);
  line("GPUs", gpus);
  return text;
}

std::string machine_identity() {
#ifdef PARTITA_DOUBLE
  return fmt::format("cpu {}, gpu {}", instruction_set, gpu_model());
#else
  return fmt::format("cpu {}, oneDNN {}, gpu {}", instruction_set, dnnl_cpu_isa2str(dnnl_get_effective_cpu_isa()), gpu_model());
#endif
}

}  // namespace partita
