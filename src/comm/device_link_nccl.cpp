#include <nccl.h>

#include <algorithm>
#include <source_location>
#include <thread>

#include "comm/collectives.hpp"
#include "comm/device_link.hpp"
#include "core/gpu.hpp"
#include "core/log.hpp"
#include "core/require.hpp"

namespace partita {
namespace {

[[noreturn]] void lost(std::string const& what) {
  fail(ExitCode::communication, what + ": a rank, a GPU or the network is gone; restart the run from its last checkpoint");
}

void require_gpu_for_each_rank(Communicator const& ranks) {
  std::vector<std::string> gpus = ranks.all_gather(gpu::identity().uuid);
  std::sort(gpus.begin(), gpus.end());
  require_all(
      std::adjacent_find(gpus.begin(), gpus.end()) == gpus.end(), ExitCode::usage,
      "two ranks share a GPU: start at most as many ranks on a node as it has GPUs (srun --gpus-per-node, mpirun --map-by ppr:N:node)");
}

constexpr ncclDataType_t real_type = sizeof(Real) == sizeof(double) ? ncclDouble : ncclFloat;

}  // namespace

// The calls return at once and NCCL goes on by itself: this rank asks for its state until it is done, so that an error of the network,
// which NCCL reports while it works, ends the wait. A rank that never comes is a case for the watchdog.
struct DeviceLink::Backend {
  ncclComm_t comm = nullptr;

  // Waits until the call has been taken up.
  void take_up(ncclResult_t result, char const* call) {
    while (result == ncclInProgress) {
      std::this_thread::yield();
      require_success(ncclCommGetAsyncError(comm, &result), "ncclCommGetAsyncError");
    }
    require_success(result, call);
  }
  // Waits for what was enqueued: here, so that the watchdog counts it as waiting for other ranks.
  void finish() {
    for (;;) {
      cudaError_t const kernels = cudaStreamQuery(gpu::stream());
      ncclResult_t state = ncclSuccess;
      require_success(ncclCommGetAsyncError(comm, &state), "ncclCommGetAsyncError");
      if (state != ncclInProgress) require_success(state, "an NCCL operation");
      if (kernels == cudaSuccess && state == ncclSuccess) return;
      if (kernels != cudaSuccess && kernels != cudaErrorNotReady) {
        abort();
        lost(fmt::format("the GPU failed ({})", cudaGetErrorString(kernels)));
      }
      std::this_thread::yield();
    }
  }
  // Inside a group nothing has begun yet.
  void take_into_group(ncclResult_t result, char const* call) {
    if (result != ncclInProgress) require_success(result, call);
  }
  void require_success(ncclResult_t result, char const* call) {
    if (result == ncclSuccess) return;
    std::string const reason = fmt::format("{} failed ({}; {})", call, ncclGetErrorString(result), ncclGetLastError(comm));
    abort();
    lost(reason);
  }
  // Frees the kernels that wait for other ranks, for which the end of the process would wait.
  void abort() {
    if (comm != nullptr) ncclCommAbort(comm);
    comm = nullptr;
  }
};

DeviceLink::DeviceLink(Communicator const& ranks) : backend_(std::make_unique<Backend>()) {
  require_gpu_for_each_rank(ranks);
  ncclUniqueId id;
  if (ranks.is_root()) backend_->require_success(ncclGetUniqueId(&id), "ncclGetUniqueId");
  ranks.broadcast(&id, sizeof id);
  ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
  config.blocking = 0;
  CollectiveWait const wait({.operation = "ncclCommInitRankConfig", .at = std::source_location::current()});
  backend_->take_up(ncclCommInitRankConfig(&backend_->comm, ranks.ranks(), id, ranks.rank(), &config), "ncclCommInitRankConfig");
}

DeviceLink::~DeviceLink() {
  if (backend_->comm == nullptr) return;
  ncclResult_t state = ncclCommFinalize(backend_->comm);
  while (state == ncclInProgress && ncclCommGetAsyncError(backend_->comm, &state) == ncclSuccess && state == ncclInProgress)
    std::this_thread::yield();
  if (state == ncclSuccess) state = ncclCommDestroy(backend_->comm);
  if (state != ncclSuccess) log::error("NCCL did not end in order ({}) at the end of the run", ncclGetErrorString(state));
}

void DeviceLink::all_reduce_sum(Vector const& values) {
  backend_->take_up(ncclAllReduce(values.data(), values.data(), values.extent(0), real_type, ncclSum, backend_->comm, gpu::stream()),
                    "ncclAllReduce");
  backend_->finish();
}

void DeviceLink::exchange(std::vector<Slice> const& sends, std::vector<Slice> const& receives) {
  ncclComm_t const comm = backend_->comm;
  backend_->require_success(ncclGroupStart(), "ncclGroupStart");
  for (Slice const& to : sends)
    backend_->take_into_group(ncclSend(to.values.data(), to.values.extent(0), real_type, to.rank, comm, gpu::stream()), "ncclSend");
  for (Slice const& from : receives)
    backend_->take_into_group(ncclRecv(from.values.data(), from.values.extent(0), real_type, from.rank, comm, gpu::stream()), "ncclRecv");
  backend_->take_up(ncclGroupEnd(), "ncclGroupEnd");
  backend_->finish();
}

}  // namespace partita
