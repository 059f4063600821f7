// How device memory travels between ranks: by NCCL in builds with CUDA (device_link_nccl.cpp), by MPI elsewhere (device_link_mpi.cpp).
#pragma once
#include <memory>
#include <vector>

#include "comm/communicator.hpp"

namespace partita {

class DeviceLink {
 public:
  explicit DeviceLink(Communicator const& ranks);  // collective
  ~DeviceLink();

  void all_reduce_sum(Vector const& values);
  void exchange(std::vector<Slice> const& sends, std::vector<Slice> const& receives);

 private:
  struct Backend;
  std::unique_ptr<Backend> backend_;
};

}  // namespace partita
