// The ranks of a run and what they do together. This folder alone knows MPI and NCCL.
#pragma once
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "core/types.hpp"

namespace partita {

enum class Reduction { sum, minimum, maximum };

// Device values that go to, or come from, another rank.
struct Slice {
  int rank;
  Vector values;
};

// Every call is collective and checked; a failure is Failure(ExitCode::communication). Host calls take small host data; device calls
// take Views and use NCCL where the build has CUDA, MPI elsewhere: they are in order with the kernels of the default execution space.
class Communicator {
 public:
  static Communicator world();  // of the Environment
  int rank() const;
  int ranks() const;
  bool is_root() const { return rank() == 0; }

  void barrier() const;
  void broadcast(std::string& text, int root = 0) const;
  void broadcast(void* data, std::size_t bytes, int root = 0) const;
  double all_reduce(double value, Reduction) const;
  Index all_reduce(Index value, Reduction) const;
  void all_reduce(std::vector<double>& values, Reduction) const;  // element by element; order of summation is MPI's
  void all_reduce(std::vector<Index>& values, Reduction) const;   // exact
  bool any(bool mine) const;
  bool all(bool mine) const;
  // Each rank's values one after the other in rank order, on every rank; ranks may have different numbers of them.
  std::vector<double> all_gather(std::vector<double> const& mine) const;
  std::vector<Index> all_gather(std::vector<Index> const& mine) const;
  std::vector<std::string> all_gather(std::string const& mine) const;  // one string a rank

  void all_reduce_sum(Vector values) const;  // device, in place, fast path
  // Device values between pairs of ranks. The n-th slice that a rank sends to another is the n-th that the other receives from it, of
  // the same length; no rank sends to itself, and slices are not empty.
  void exchange(std::vector<Slice> const& sends, std::vector<Slice> const& receives) const;

  // MPI's handle, for this folder: pointer to an MPI_Comm.
  void const* native() const;

 private:
  friend class Environment;
  struct Handle;
  std::shared_ptr<Handle> handle_;
  explicit Communicator(std::shared_ptr<Handle> h) : handle_(std::move(h)) {}

  static std::shared_ptr<Handle>& world_handle();
  static void open_world();   // collective; after MPI and Kokkos have started
  static void close_world();  // collective; before they end
};

}  // namespace partita
