#include "comm/device_link.hpp"
#include "comm/mpi.hpp"
#include "core/device_access.hpp"

namespace partita {

struct DeviceLink::Backend {
  MPI_Comm comm;
  std::vector<MPI_Request> requests;
};

DeviceLink::DeviceLink(Communicator const& ranks)
    : backend_(std::make_unique<Backend>(Backend{*static_cast<MPI_Comm const*>(ranks.native()), {}})) {}
DeviceLink::~DeviceLink() = default;

void DeviceLink::all_reduce_sum(Vector const& values) {
  wait_for_device();
  DeviceAccess const access;
  mpi::in_pieces(extent(values, 0), [&](Index offset, int count) {
    mpi::check(MPI_Allreduce(MPI_IN_PLACE, values.data() + offset, count, mpi::type<Real>(), MPI_SUM, backend_->comm), "MPI_Allreduce");
  });
}

void DeviceLink::exchange(std::vector<Slice> const& sends, std::vector<Slice> const& receives) {
  wait_for_device();
  DeviceAccess const access;
  auto& requests = backend_->requests;
  requests.clear();
  // One tag for all: MPI keeps the order of messages between two ranks.
  constexpr int tag = 0;
  for (Slice const& from : receives)
    mpi::in_pieces(extent(from.values, 0), [&](Index offset, int count) {
      mpi::check(MPI_Irecv(from.values.data() + offset, count, mpi::type<Real>(), from.rank, tag, backend_->comm, &requests.emplace_back()),
                 "MPI_Irecv");
    });
  for (Slice const& to : sends)
    mpi::in_pieces(extent(to.values, 0), [&](Index offset, int count) {
      mpi::check(MPI_Isend(to.values.data() + offset, count, mpi::type<Real>(), to.rank, tag, backend_->comm, &requests.emplace_back()),
                 "MPI_Isend");
    });
  mpi::check(MPI_Waitall(int(requests.size()), requests.data(), MPI_STATUSES_IGNORE), "MPI_Waitall");
}

}  // namespace partita
