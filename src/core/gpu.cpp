#include "core/gpu.hpp"

#include "core/require.hpp"

namespace partita::gpu {

Identity identity() {
  int device = 0;
  cudaDeviceProp properties;
  cudaError_t error = cudaGetDevice(&device);
  if (error == cudaSuccess) error = cudaGetDeviceProperties(&properties, device);
  require(error == cudaSuccess, ExitCode::communication, "the GPU does not answer ({}): check nvidia-smi on this node",
          cudaGetErrorString(error));
  return {properties.name, std::string(properties.uuid.bytes, sizeof properties.uuid.bytes)};
}

}  // namespace partita::gpu
