// The GPU of this rank, for the libraries that work beside Kokkos. Needs a CUDA toolkit; of Kokkos, stream() alone.
#pragma once
#include <cuda_runtime_api.h>

#include <string>

namespace partita::gpu {

struct Identity {
  std::string name, uuid;
};
// Failure(communication) where the GPU does not answer.
Identity identity();
// Kokkos' default stream, on which all kernels are.
cudaStream_t stream();

}  // namespace partita::gpu
