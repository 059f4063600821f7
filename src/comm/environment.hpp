// Start and end of everything global, in order: the threads that take signals and watch over waiting, MPI, Kokkos, NCCL.
#pragma once
#include <exception>
#include <memory>

#include "comm/communicator.hpp"
#include "core/require.hpp"

namespace partita {

class Environment {
 public:
  // What a process is started for: to compute with the other ranks, or to look at files by itself, without MPI, which login nodes forbid.
  enum class For { parallel, serial };

  // Host libraries (oneDNN, OpenBLAS) are held to one thread each: the cores belong to the ranks, and a product's bits depend on its
  // threads. Kokkos reads its KOKKOS_* variables; with CUDA each rank takes the GPU whose number is its own on the node.
  // Refuses N singletons started in place of N ranks: Failure(ExitCode::usage).
  Environment(int& argc, char**& argv, For purpose = For::parallel);
  ~Environment();
  Environment(Environment const&) = delete;
  Environment& operator=(Environment const&) = delete;

  // Logs an exception and returns the exit code for main; any exception but Failure counts as ExitCode::internal. A Failure on all ranks is
  // logged once, by rank 0. Of several ranks, one that fails alone, or with which the others do not stop, aborts them and does not return;
  // nor does one that has to leave at once. To be called during the life of the Environment, or where its constructor has thrown.
  static int report(std::exception const&);

 private:
  static bool all_ranks_stop(Failure const&);
  struct Session;
  std::unique_ptr<Session> session_;
};

// The number of ranks that the launcher of this process has announced, 1 where nothing was: from mpirun (OMPI_COMM_WORLD_SIZE,
// PMI_SIZE) or srun (SLURM_STEP_NUM_TASKS; SLURM_NTASKS is also set for the single process of a batch script and tells nothing).
int ranks_announced();
// The number of this process among them, from 0, before MPI has started.
int rank_announced();

}  // namespace partita
