#include "comm/communicator.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <limits>
#include <numeric>
#include <optional>
#include <thread>

#include "comm/device_link.hpp"
#include "comm/mpi.hpp"
#include "core/log.hpp"
#include "core/require.hpp"

namespace partita {

struct Communicator::Handle {
  MPI_Comm comm = MPI_COMM_NULL;         // stays null where MPI has not started: this process is the only one
  MPI_Comm comparisons = MPI_COMM_NULL;  // for comparing calls, separate from the calls themselves
  MPI_Comm departure = MPI_COMM_NULL;
  int rank = 0, ranks = 1;
  bool compares = false;
  std::optional<DeviceLink> device;

  bool alone() const { return comm == MPI_COMM_NULL; }

  Handle() {
    int started = 0;
    mpi::check(MPI_Initialized(&started), "MPI_Initialized");
    if (!started) return;
    for (MPI_Comm* const one : {&comm, &comparisons, &departure}) {
      mpi::check(MPI_Comm_dup(MPI_COMM_WORLD, one), "MPI_Comm_dup");
      mpi::check(MPI_Comm_set_errhandler(*one, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
    }
    mpi::check(MPI_Comm_rank(comm, &rank), "MPI_Comm_rank");
    mpi::check(MPI_Comm_size(comm, &ranks), "MPI_Comm_size");
    char const* const asked = std::getenv("PARTITA_CHECK_COLLECTIVES");
    int mine = asked && *asked && std::string_view(asked) != "0", any = 0;
    mpi::check(MPI_Allreduce(&mine, &any, 1, MPI_INT, MPI_MAX, comm), "MPI_Allreduce");
    compares = any;
  }
  void compare(CollectiveCall const&) const;
};

namespace {

// A call in the form that ranks compare; a longer text is cut at its beginning, where paths differ least.
struct Fingerprint {
  std::array<char, 224> text{};

  explicit Fingerprint(std::string_view of) {
    if (of.size() >= text.size()) of.remove_prefix(of.size() - text.size() + 1);
    std::copy(of.begin(), of.end(), text.begin());
  }
};

MPI_Op operation(Reduction r) { return r == Reduction::sum ? MPI_SUM : r == Reduction::minimum ? MPI_MIN : MPI_MAX; }
char const* name(Reduction r) { return r == Reduction::sum ? "sum" : r == Reduction::minimum ? "minimum" : "maximum"; }

template <class T>
void reduce_in_place(MPI_Comm comm, T* values, std::size_t size, Reduction r) {
  if (comm == MPI_COMM_NULL) return;
  mpi::in_pieces(Index(size), [&](Index offset, int count) {
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
  if (comm == MPI_COMM_NULL) return {{mine, mine + size}, {int(size)}};
  Index const my_count = Index(size);
  std::vector<Index> all_counts(ranks);
  mpi::check(MPI_Allgather(&my_count, 1, mpi::type<Index>(), all_counts.data(), 1, mpi::type<Index>(), comm), "MPI_Allgather");
  Index const total = std::accumulate(all_counts.begin(), all_counts.end(), Index(0));
  require_all(total <= std::numeric_limits<int>::max(), ExitCode::internal, "all_gather is for small host data, not for {} elements",
              total);
  Gathered<T> all{std::vector<T>(total), std::vector<int>(all_counts.begin(), all_counts.end())};
  std::vector<int> first(all.counts.size());
  std::exclusive_scan(all.counts.begin(), all.counts.end(), first.begin(), 0);
  mpi::check(MPI_Allgatherv(mine, int(my_count), mpi::type<T>(), all.values.data(), all.counts.data(), first.data(), mpi::type<T>(), comm),
             "MPI_Allgatherv");
  return all;
}

template <class T>
CollectiveCall reduction(std::size_t count, Reduction r, Communicator::Place at) {
  return {.operation = "all_reduce", .at = at, .type = mpi::name<T>(), .reduction = name(r), .count = Index(count)};
}
template <class T>
CollectiveCall gathering(Communicator::Place at) {
  return {.operation = "all_gather", .at = at, .type = mpi::name<T>()};
}

}  // namespace

std::shared_ptr<Communicator::Handle>& Communicator::world_handle() {
  static std::shared_ptr<Handle> handle;
  return handle;
}
void Communicator::open_world() {
  world_handle() = std::make_shared<Handle>();
  if (!world_handle()->alone()) world_handle()->device.emplace(world());
}
void Communicator::close_world() {
  Handle& handle = *world_handle();
  if (handle.alone()) return world_handle().reset();
  CollectiveCall const end{.operation = "the end of the run", .at = Place::current()};
  CollectiveWait const wait(end);
  if (handle.compares) handle.compare(end);
  handle.device.reset();
  for (MPI_Comm* const one : {&handle.comm, &handle.comparisons, &handle.departure})
    if (MPI_Comm_free(one) != MPI_SUCCESS) log::error("MPI_Comm_free failed at the end of the run");
  world_handle().reset();
}
Communicator Communicator::world() {
  require(world_handle() != nullptr, ExitCode::internal, "Communicator::world() outside the life of the Environment");
  return Communicator(world_handle());
}

int Communicator::rank() const { return handle_->rank; }
int Communicator::ranks() const { return handle_->ranks; }
bool Communicator::compares_calls() const { return handle_->compares; }
void const* Communicator::native() const { return &handle_->comm; }

void Communicator::Handle::compare(CollectiveCall const& call) const {
  Fingerprint const mine(call.text());
  std::vector<char> all(mine.text.size() * std::size_t(ranks));
  int const size = int(mine.text.size());
  mpi::check(MPI_Allgather(mine.text.data(), size, MPI_CHAR, all.data(), size, MPI_CHAR, comparisons), "MPI_Allgather");
  auto const of = [&](int r) { return std::string_view(all.data() + static_cast<std::ptrdiff_t>(r) * size); };
  for (int r = 1; r < ranks; r++)
    if (of(r) != of(0))
      fail(ExitCode::internal, fmt::format("the ranks make different collective calls: rank {} is in {}, rank 0 in {}", r, of(r), of(0)),
           FailedOn::all_ranks, call.at, Shutdown::immediate);
}

Communicator::Scope::Scope(Communicator const& ranks, CollectiveCall const& call) : wait_(call) {
  if (ranks.handle_->compares) ranks.handle_->compare(call);
}
Communicator::Scope Communicator::scope(std::string_view what, Place at) const { return {*this, {.operation = what, .at = at}}; }

bool Communicator::all_ranks_stop(Place at) const {
  using Clock = std::chrono::steady_clock;
  constexpr std::chrono::seconds patience{10};
  if (handle_->alone()) return true;
  if (handle_->compares) {
    Scope const same = scope("the end after a failure of all ranks", at);
    return true;
  }
  MPI_Request request;
  int arrived = 0;
  mpi::check(MPI_Ibarrier(handle_->departure, &request), "MPI_Ibarrier");
  for (Clock::time_point const end = Clock::now() + patience; !arrived && Clock::now() < end;) {
    mpi::check(MPI_Test(&request, &arrived, MPI_STATUS_IGNORE), "MPI_Test");
    if (!arrived) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return arrived;
}

void Communicator::barrier(Place at) const {
  Scope const scope(*this, {.operation = "barrier", .at = at});
  if (handle_->alone()) return;
  mpi::check(MPI_Barrier(handle_->comm), "MPI_Barrier");
}

void Communicator::broadcast(void* data, std::size_t bytes, int root, Place at) const {
  Scope const scope(*this, {.operation = "broadcast", .at = at, .type = "byte", .count = Index(bytes), .root = root});
  if (handle_->alone()) return;
  mpi::in_pieces(Index(bytes), [&](Index offset, int count) {
    mpi::check(MPI_Bcast(static_cast<char*>(data) + offset, count, MPI_CHAR, root, handle_->comm), "MPI_Bcast");
  });
}
void Communicator::broadcast(std::string& text, int root, Place at) const {
  std::size_t size = text.size();
  broadcast(&size, sizeof size, root, at);
  text.resize(size);
  broadcast(text.data(), size, root, at);
}

void Communicator::all_reduce(std::vector<double>& values, Reduction r, Place at) const {
  Scope const scope(*this, reduction<double>(values.size(), r, at));
  reduce_in_place(handle_->comm, values.data(), values.size(), r);
}
void Communicator::all_reduce(std::vector<Index>& values, Reduction r, Place at) const {
  Scope const scope(*this, reduction<Index>(values.size(), r, at));
  reduce_in_place(handle_->comm, values.data(), values.size(), r);
}
double Communicator::all_reduce(double value, Reduction r, Place at) const {
  Scope const scope(*this, reduction<double>(1, r, at));
  reduce_in_place(handle_->comm, &value, 1, r);
  return value;
}
Index Communicator::all_reduce(Index value, Reduction r, Place at) const {
  Scope const scope(*this, reduction<Index>(1, r, at));
  reduce_in_place(handle_->comm, &value, 1, r);
  return value;
}
bool Communicator::any(bool mine, Place at) const { return all_reduce(Index(mine), Reduction::maximum, at) != 0; }
bool Communicator::all(bool mine, Place at) const { return all_reduce(Index(mine), Reduction::minimum, at) != 0; }

std::vector<double> Communicator::all_gather(std::vector<double> const& mine, Place at) const {
  Scope const scope(*this, gathering<double>(at));
  return gather_on_all(handle_->comm, ranks(), mine.data(), mine.size()).values;
}
std::vector<Index> Communicator::all_gather(std::vector<Index> const& mine, Place at) const {
  Scope const scope(*this, gathering<Index>(at));
  return gather_on_all(handle_->comm, ranks(), mine.data(), mine.size()).values;
}
std::vector<std::string> Communicator::all_gather(std::string const& mine, Place at) const {
  Scope const scope(*this, gathering<char>(at));
  Gathered<char> const all = gather_on_all(handle_->comm, ranks(), mine.data(), mine.size());
  std::vector<std::string> texts;
  char const* next = all.values.data();
  for (int count : all.counts) {
    texts.emplace_back(next, count);
    next += count;
  }
  return texts;
}

void Communicator::all_reduce_sum(Vector values, Place at) const {
  Scope const scope(
      *this, {.operation = "all_reduce", .at = at, .type = mpi::name<Real>(), .reduction = "sum on devices", .count = extent(values, 0)});
  if (!handle_->alone()) handle_->device->all_reduce_sum(values);
}
void Communicator::exchange(std::vector<Slice> const& sends, std::vector<Slice> const& receives, Place at) const {
  Scope const scope(*this, {.operation = "exchange", .at = at, .type = mpi::name<Real>()});
  if (!handle_->alone()) handle_->device->exchange(sends, receives);
}

}  // namespace partita
