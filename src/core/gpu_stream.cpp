#include "core/gpu.hpp"
#include "core/types.hpp"

namespace partita::gpu {

cudaStream_t stream() { return Execution().cuda_stream(); }

}  // namespace partita::gpu
