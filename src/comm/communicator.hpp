// The ranks of a run and what they do together. This folder alone knows MPI and NCCL.
#pragma once
#include <cstddef>
#include <memory>
#include <source_location>
#include <string>
#include <vector>

#include "comm/collectives.hpp"
#include "core/types.hpp"

namespace partita {

enum class Reduction { sum, minimum, maximum };

// Device values that are sent to, or received from, another rank.
struct Slice {
  int rank;
  Vector values;
};

// Every call is collective and checked; a failure is Failure(ExitCode::communication). Host calls take small host data; device calls
// take Views and use NCCL where the build has CUDA, MPI elsewhere: they are in order with the kernels of the default execution space.
//
// Whether and how often a rank calls must follow from what all ranks know. With PARTITA_CHECK_COLLECTIVES=1 in the environment of any rank
// all ranks compare each call with the others' before they make it: operation, type, reduction, number of elements, root and the caller's
// place, which helpers that call on behalf of others take from their own callers. A difference is Failure(ExitCode::internal), to leave at
// once, on all ranks.
class Communicator {
 public:
  using Place = std::source_location;

  static Communicator world();  // of the Environment
  int rank() const;
  int ranks() const;
  bool is_root() const { return rank() == 0; }
  bool compares_calls() const;

  void barrier(Place = Place::current()) const;
  void broadcast(std::string& text, int root = 0, Place = Place::current()) const;
  void broadcast(void* data, std::size_t bytes, int root = 0, Place = Place::current()) const;
  double all_reduce(double value, Reduction, Place = Place::current()) const;
  Index all_reduce(Index value, Reduction, Place = Place::current()) const;
  void all_reduce(std::vector<double>& values, Reduction, Place = Place::current()) const;  // element by element; MPI's order of summation
  void all_reduce(std::vector<Index>& values, Reduction, Place = Place::current()) const;   // exact
  bool any(bool mine, Place = Place::current()) const;
  bool all(bool mine, Place = Place::current()) const;
  // Each rank's values one after the other in rank order, on every rank; ranks may have different numbers of them.
  std::vector<double> all_gather(std::vector<double> const& mine, Place = Place::current()) const;
  std::vector<Index> all_gather(std::vector<Index> const& mine, Place = Place::current()) const;
  std::vector<std::string> all_gather(std::string const& mine, Place = Place::current()) const;  // one string per rank

  void all_reduce_sum(Vector values, Place = Place::current()) const;  // device, in place, fast path
  // Device values between pairs of ranks. The n-th slice that a rank sends to another is the n-th that the other receives from it, of
  // the same length; no rank sends to itself, and slices are not empty.
  void exchange(std::vector<Slice> const& sends, std::vector<Slice> const& receives, Place = Place::current()) const;

  // The scope of a collective call of a library, HDF5's for example: compared and recorded like those above. `what` is a literal.
  class Scope {
   public:
    Scope(Communicator const&, CollectiveCall const&);

   private:
    CollectiveWait wait_;
  };
  [[nodiscard]] Scope scope(std::string_view what, Place = Place::current()) const;

  // Called by a rank that has met what should be a failure on all ranks: whether all of them leave. Waits ten seconds for slower ones.
  bool all_ranks_stop(Place = Place::current()) const;

  // MPI's handle, for this folder: pointer to an MPI_Comm.
  void const* native() const;

 private:
  friend class Environment;
  struct Handle;
  std::shared_ptr<Handle> handle_;
  explicit Communicator(std::shared_ptr<Handle> h) : handle_(std::move(h)) {}

  static std::shared_ptr<Handle>& world_handle();
  static bool world_is_open() { return world_handle() != nullptr; }
  static void open_world();   // collective; after Kokkos and, unless this process is the only one, MPI have started
  static void close_world();  // collective; before they end
};

}  // namespace partita
