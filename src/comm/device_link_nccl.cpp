#include <cuda_runtime_api.h>
#include <nccl.h>
#include <unistd.h>

#include <algorithm>
#include <source_location>

#include "comm/device_link.hpp"
#include "core/log.hpp"
#include "core/require.hpp"

namespace partita {
namespace {

void check(ncclResult_t result, char const* call, ncclComm_t comm, std::source_location at = std::source_location::current()) {
  if (result == ncclSuccess) return;
  fail(ExitCode::communication,
       fmt::format("{} failed ({}; {}): a rank, a GPU or the network is gone; restart the run from its last checkpoint", call,
                   ncclGetErrorString(result), ncclGetLastError(comm)),
       FailedOn::this_rank, at);
}

std::string identity_of_gpu() {
  int device = 0;
  cudaDeviceProp properties;
  cudaError_t error = cudaGetDevice(&device);
  if (error == cudaSuccess) error = cudaGetDeviceProperties(&properties, device);
  require(error == cudaSuccess, ExitCode::communication, "the GPU does not answer ({}): check nvidia-smi on this node",
          cudaGetErrorString(error));
  return std::string(properties.uuid.bytes, sizeof properties.uuid.bytes);
}

void require_gpu_for_each_rank(Communicator const& ranks) {
  std::vector<std::string> gpus = ranks.all_gather(identity_of_gpu());
  std::sort(gpus.begin(), gpus.end());
  require_all(
      std::adjacent_find(gpus.begin(), gpus.end()) == gpus.end(), ExitCode::usage,
      "two ranks share a GPU: start at most as many ranks on a node as it has GPUs (srun --gpus-per-node, mpirun --map-by ppr:N:node)");
}

// NCCL works on Kokkos' default stream, in order with the kernels before and after.
cudaStream_t stream() { return Execution().cuda_stream(); }
constexpr ncclDataType_t real_type = sizeof(Real) == sizeof(double) ? ncclDouble : ncclFloat;

}  // namespace

struct DeviceLink::Backend {
  ncclComm_t comm = nullptr;

  // Waits for what was enqueued: here, so that the watchdog counts it as waiting for other ranks. Then checks for errors from NCCL.
  void finish() const {
    Execution().fence();
    ncclResult_t earlier = ncclSuccess;
    check(ncclCommGetAsyncError(comm, &earlier), "ncclCommGetAsyncError", comm);
    check(earlier, "an earlier NCCL operation", comm);
  }
};

DeviceLink::DeviceLink(Communicator const& ranks) : backend_(std::make_unique<Backend>()) {
  require_gpu_for_each_rank(ranks);
  ncclUniqueId id;
  if (ranks.is_root()) check(ncclGetUniqueId(&id), "ncclGetUniqueId", nullptr);
  ranks.broadcast(&id, sizeof id);
  check(ncclCommInitRank(&backend_->comm, ranks.ranks(), id, ranks.rank()), "ncclCommInitRank", nullptr);
}

DeviceLink::~DeviceLink() {
  if (backend_->comm == nullptr) return;
  ncclResult_t const result = ncclCommDestroy(backend_->comm);
  if (result != ncclSuccess) log::error("ncclCommDestroy failed ({}) at the end of the run", ncclGetErrorString(result));
}

void DeviceLink::all_reduce_sum(Vector const& values) {
  check(ncclAllReduce(values.data(), values.data(), values.extent(0), real_type, ncclSum, backend_->comm, stream()), "ncclAllReduce",
        backend_->comm);
  backend_->finish();
}

void DeviceLink::exchange(std::vector<Slice> const& sends, std::vector<Slice> const& receives) {
  ncclComm_t const comm = backend_->comm;
  check(ncclGroupStart(), "ncclGroupStart", comm);
  for (Slice const& to : sends)
    check(ncclSend(to.values.data(), to.values.extent(0), real_type, to.rank, comm, stream()), "ncclSend", comm);
  for (Slice const& from : receives)
    check(ncclRecv(from.values.data(), from.values.extent(0), real_type, from.rank, comm, stream()), "ncclRecv", comm);
  check(ncclGroupEnd(), "ncclGroupEnd", comm);
  backend_->finish();
}

}  // namespace partita
