#include "nccl_double.hpp"

#include <cuda_runtime_api.h>
#include <fcntl.h>
#include <nccl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "core/gpu.hpp"

namespace {

constexpr int most_ranks = 8;
constexpr std::size_t most_bytes = 1 << 16;

// All ranks see it: a box from each rank to each, with the number of letters put in and taken out.
struct Box {
  std::atomic<int> put, taken;
  char letter[most_bytes];
};
struct Shared {
  std::atomic<int> present;
  Box box[most_ranks][most_ranks];
};

nccl_double::Trouble trouble;
std::string const own_gpu = "gpu of " + std::to_string(getpid());
int abort_count = 0, enqueued = 0;
std::string enqueued_calls;

std::size_t bytes_of(ncclDataType_t type, std::size_t count) { return count * (type == ncclDouble ? 8 : 4); }

template <class T>
void add(void* sum, void const* more, std::size_t bytes) {
  for (std::size_t i = 0; i < bytes / sizeof(T); i++) static_cast<T*>(sum)[i] += static_cast<T const*>(more)[i];
}

}  // namespace

struct ncclComm {
  Shared* shared = nullptr;
  int rank = 0, ranks = 0;
  ncclResult_t failed = ncclSuccess;
  bool joined = false;
  std::vector<std::function<bool()>> running;  // each is called until it is done

  ncclResult_t state() {
    if (failed != ncclSuccess) return failed;
    if (!joined) joined = shared->present.load() == ranks;
    if (!joined) return ncclInProgress;
    std::erase_if(running, [](auto const& step) { return step(); });
    return failed;
  }
  // Whether a letter could be put into a box, or taken from one.
  bool put(int to, void const* data, std::size_t bytes) {
    Box& b = shared->box[rank][to];
    if (b.put.load() != b.taken.load()) return false;
    std::memcpy(b.letter, data, bytes);
    b.put++;
    return true;
  }
  bool take(int from, std::function<void(void const*)> const& use) {
    Box& b = shared->box[from][rank];
    if (b.put.load() == b.taken.load()) return false;
    use(b.letter);
    b.taken++;
    return true;
  }
  ncclResult_t enqueue(std::string const& name, std::function<bool()> step) {
    int const number = enqueued++;
    enqueued_calls += (enqueued_calls.empty() ? "" : ", ") + name;
    if (number == trouble.after_calls && trouble.refuses) return ncclInternalError;
    if (number == trouble.after_calls && trouble.error_while) {
      running.push_back([this, asked = 0]() mutable {
        if (++asked > 3) failed = ncclRemoteError;
        return false;
      });
      return ncclInProgress;
    }
    running.push_back(std::move(step));
    return ncclInProgress;
  }
};

namespace nccl_double {

void expect(Trouble t) { trouble = t, enqueued = 0, enqueued_calls.clear(), abort_count = 0; }
int aborts() { return abort_count; }
std::string calls() { return enqueued_calls; }

}  // namespace nccl_double

namespace partita::gpu {
cudaStream_t stream() { return nullptr; }
}  // namespace partita::gpu

namespace {
ncclComm* present = nullptr;  // the one communicator of this process
}

extern "C" {

ncclResult_t ncclGetUniqueId(ncclUniqueId* id) {
  std::memset(id, 0, sizeof *id);
  std::snprintf(id->internal, sizeof id->internal, "/nccl_double.%d", int(getpid()));
  shm_unlink(id->internal);
  return ncclSuccess;
}

ncclResult_t ncclCommInitRankConfig(ncclComm_t* comm, int ranks, ncclUniqueId id, int rank, ncclConfig_t* config) {
  if (config->blocking != 0 || ranks > most_ranks) return ncclInvalidArgument;
  int const file = shm_open(id.internal, O_CREAT | O_RDWR, 0600);
  if (file < 0 || ftruncate(file, sizeof(Shared)) != 0) return ncclSystemError;
  void* const memory = mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  close(file);
  if (memory == MAP_FAILED) return ncclSystemError;
  *comm = present = new ncclComm;
  (*comm)->shared = static_cast<Shared*>(memory);
  (*comm)->rank = rank, (*comm)->ranks = ranks;
  if (++(*comm)->shared->present == ranks) shm_unlink(id.internal);
  return ncclInProgress;
}

ncclResult_t ncclCommGetAsyncError(ncclComm_t comm, ncclResult_t* state) {
  // An operation that was taken up and goes on is no longer "in progress": the stream says when it is done.
  *state = comm->state();
  return ncclSuccess;
}

ncclResult_t ncclAllReduce(void const* from, void* to, std::size_t count, ncclDataType_t type, ncclRedOp_t, ncclComm_t comm, cudaStream_t) {
  std::size_t const bytes = bytes_of(type, count);
  auto sum = std::vector<char>(static_cast<char const*>(from), static_cast<char const*>(from) + bytes);
  auto const mine = sum;
  return comm->enqueue("all-reduce " + std::to_string(count), [=, sent = 0, received = 0]() mutable {
    auto const other = [&](int k) { return k < comm->rank ? k : k + 1; };
    while (sent + 1 < comm->ranks && comm->put(other(sent), mine.data(), bytes)) sent++;
    while (received + 1 < comm->ranks && comm->take(other(received), [&](void const* letter) {
      if (type == ncclDouble) add<double>(sum.data(), letter, bytes);
      else add<float>(sum.data(), letter, bytes);
    }))
      received++;
    if (sent + 1 < comm->ranks || received + 1 < comm->ranks) return false;
    std::memcpy(to, sum.data(), bytes);
    return true;
  });
}

ncclResult_t ncclSend(void const* from, std::size_t count, ncclDataType_t type, int rank, ncclComm_t comm, cudaStream_t) {
  std::size_t const bytes = bytes_of(type, count);
  return comm->enqueue("send " + std::to_string(count) + " to " + std::to_string(rank), [=] { return comm->put(rank, from, bytes); });
}

ncclResult_t ncclRecv(void* to, std::size_t count, ncclDataType_t type, int rank, ncclComm_t comm, cudaStream_t) {
  std::size_t const bytes = bytes_of(type, count);
  return comm->enqueue("receive " + std::to_string(count) + " from " + std::to_string(rank),
                       [=] { return comm->take(rank, [&](void const* letter) { std::memcpy(to, letter, bytes); }); });
}

ncclResult_t ncclGroupStart() { return ncclSuccess; }
ncclResult_t ncclGroupEnd() { return ncclInProgress; }

ncclResult_t ncclCommFinalize(ncclComm_t) { return ncclInProgress; }
ncclResult_t ncclCommDestroy(ncclComm_t comm) {
  munmap(comm->shared, sizeof(Shared));
  delete comm;
  present = nullptr;
  return ncclSuccess;
}
ncclResult_t ncclCommAbort(ncclComm_t comm) {
  abort_count++;
  return ncclCommDestroy(comm);
}

char const* ncclGetErrorString(ncclResult_t r) {
  return r == ncclRemoteError ? "remote process exited or network error" : "internal error";
}
char const* ncclGetLastError(ncclComm_t) { return "made for a test"; }

cudaError_t cudaGetDevice(int* device) {
  *device = 0;
  return std::getenv("NCCL_DOUBLE_NO_GPU") ? cudaErrorNoDevice : cudaSuccess;
}
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* p, int) {
  std::memset(p, 0, sizeof *p);
  std::snprintf(p->name, sizeof p->name, "a double");
  std::string const gpu = std::getenv("NCCL_DOUBLE_ONE_GPU") ? "one" : own_gpu;
  std::memcpy(p->uuid.bytes, gpu.data(), std::min(gpu.size(), sizeof p->uuid.bytes));
  return cudaSuccess;
}
char const* cudaGetErrorString(cudaError_t e) { return e == cudaErrorNoDevice ? "no CUDA-capable device is detected" : "an error"; }

cudaError_t cudaStreamQuery(cudaStream_t) {
  if (trouble.gpu_fails && enqueued > trouble.after_calls) return cudaErrorIllegalAddress;
  if (present == nullptr || present->failed != ncclSuccess) return cudaSuccess;
  present->state();
  return present->running.empty() ? cudaSuccess : cudaErrorNotReady;
}

}  // extern "C"
