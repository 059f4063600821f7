#include "comm/communicator.hpp"

#include <limits>
#include <numeric>
#include <optional>

#include "comm/device_link.hpp"
#include "comm/mpi.hpp"
#include "core/log.hpp"
#include "core/require.hpp"

namespace partita {

struct Communicator::Handle {
  MPI_Comm comm = MPI_COMM_NULL;
  int rank = 0, ranks = 1;
  std::optional<DeviceLink> device;

  Handle() {
    mpi::check(MPI_Comm_dup(MPI_COMM_WORLD, &comm), "MPI_Comm_dup");
    mpi::check(MPI_Comm_set_errhandler(comm, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
    mpi::check(MPI_Comm_rank(comm, &rank), "MPI_Comm_rank");
    mpi::check(MPI_Comm_size(comm, &ranks), "MPI_Comm_size");
  }
};

namespace {

MPI_Op operation(Reduction r) { return r == Reduction::sum ? MPI_SUM : r == Reduction::minimum ? MPI_MIN : MPI_MAX; }

template <class T>
void reduce_in_place(MPI_Comm comm, T* values, std::size_t size, Reduction r) {
  mpi::in_pieces(static_cast<Index>(size), [&](Index offset, int count) {
    mpi::check(MPI_Allreduce(MPI_IN_PLACE, values + offset, count, mpi::type<T>(), operation(r), comm), "MPI_Allreduce");
  });
}

template <class T>
struct Gathered {
  std::vector<T> values;
  std::vector<int> counts;  // of each rank
};

template <class T>
Gathered<T> gather_on_all(MPI_Comm comm, int ranks, T const* mine, std::size_t size) {
  Index const my_count = static_cast<Index>(size);
  std::vector<Index> all_counts(static_cast<std::size_t>(ranks));
  mpi::check(MPI_Allgather(&my_count, 1, mpi::type<Index>(), all_counts.data(), 1, mpi::type<Index>(), comm), "MPI_Allgather");
  Index const total = std::accumulate(all_counts.begin(), all_counts.end(), Index(0));
  require_all(total <= std::numeric_limits<int>::max(), ExitCode::internal, "all_gather is for small host data, not for {} elements",
              total);
  Gathered<T> all{std::vector<T>(static_cast<std::size_t>(total)), std::vector<int>(all_counts.begin(), all_counts.end())};
  std::vector<int> first(all.counts.size());
  std::exclusive_scan(all.counts.begin(), all.counts.end(), first.begin(), 0);
  mpi::check(MPI_Allgatherv(mine, static_cast<int>(my_count), mpi::type<T>(), all.values.data(), all.counts.data(), first.data(),
                            mpi::type<T>(), comm),
             "MPI_Allgatherv");
  return all;
}

}  // namespace

std::shared_ptr<Communicator::Handle>& Communicator::world_handle() {
  static std::shared_ptr<Handle> handle;
  return handle;
}
void Communicator::open_world() {
  world_handle() = std::make_shared<Handle>();
  world_handle()->device.emplace(world());
}
void Communicator::close_world() {
  Handle& handle = *world_handle();
  handle.device.reset();
  if (MPI_Comm_free(&handle.comm) != MPI_SUCCESS) log::error("MPI_Comm_free failed at the end of the run");
  world_handle().reset();
}
Communicator Communicator::world() {
  require(world_handle() != nullptr, ExitCode::internal, "Communicator::world() outside the life of the Environment");
  return Communicator(world_handle());
}

int Communicator::rank() const { return handle_->rank; }
int Communicator::ranks() const { return handle_->ranks; }
void const* Communicator::native() const { return &handle_->comm; }

void Communicator::barrier() const { mpi::check(MPI_Barrier(handle_->comm), "MPI_Barrier"); }

void Communicator::broadcast(void* data, std::size_t bytes, int root) const {
  mpi::in_pieces(static_cast<Index>(bytes), [&](Index offset, int count) {
    mpi::check(MPI_Bcast(static_cast<char*>(data) + offset, count, MPI_CHAR, root, handle_->comm), "MPI_Bcast");
  });
}
void Communicator::broadcast(std::string& text, int root) const {
  std::size_t size = text.size();
  broadcast(&size, sizeof size, root);
  text.resize(size);
  broadcast(text.data(), size, root);
}

void Communicator::all_reduce(std::vector<double>& values, Reduction r) const {
  reduce_in_place(handle_->comm, values.data(), values.size(), r);
}
void Communicator::all_reduce(std::vector<Index>& values, Reduction r) const {
  reduce_in_place(handle_->comm, values.data(), values.size(), r);
}
double Communicator::all_reduce(double value, Reduction r) const {
  reduce_in_place(handle_->comm, &value, 1, r);
  return value;
}
Index Communicator::all_reduce(Index value, Reduction r) const {
  reduce_in_place(handle_->comm, &value, 1, r);
  return value;
}
bool Communicator::any(bool mine) const { return all_reduce(Index(mine), Reduction::maximum) != 0; }
bool Communicator::all(bool mine) const { return all_reduce(Index(mine), Reduction::minimum) != 0; }

std::vector<double> Communicator::all_gather(std::vector<double> const& mine) const {
  return gather_on_all(handle_->comm, ranks(), mine.data(), mine.size()).values;
}
std::vector<Index> Communicator::all_gather(std::vector<Index> const& mine) const {
  return gather_on_all(handle_->comm, ranks(), mine.data(), mine.size()).values;
}
std::vector<std::string> Communicator::all_gather(std::string const& mine) const {
  Gathered<char> const all = gather_on_all(handle_->comm, ranks(), mine.data(), mine.size());
  std::vector<std::string> texts;
  char const* next = all.values.data();
  for (int count : all.counts) {
    texts.emplace_back(next, static_cast<std::size_t>(count));
    next += count;
  }
  return texts;
}

void Communicator::all_reduce_sum(Vector values) const { handle_->device->all_reduce_sum(values); }
void Communicator::exchange(std::vector<Slice> const& sends, std::vector<Slice> const& receives) const {
  handle_->device->exchange(sends, receives);
}

}  // namespace partita
