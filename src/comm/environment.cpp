#include "comm/environment.hpp"

#include <dlfcn.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <thread>
#ifdef PARTITA_CUDA
#include <cuda_runtime_api.h>
#endif

#include "comm/mpi.hpp"
#include "comm/signals.hpp"
#include "comm/watchdog.hpp"
#include "core/log.hpp"
#include "core/memory.hpp"
#include "core/types.hpp"

namespace partita {
namespace {

// Through the dynamic linker, since it is a library's own OpenMP or thread pool that must be told, and which one, if any, is the
// library's choice. Environment variables would be too late: the runtimes read them before main.
void hold_libraries_to_one_thread() {
  for (char const* name : {"omp_set_num_threads", "openblas_set_num_threads"})
    if (void* function = dlsym(RTLD_DEFAULT, name)) reinterpret_cast<void (*)(int)>(function)(1);
}

class MpiSession {
 public:
  MpiSession(int& argc, char**& argv) {
    int provided = 0;
    mpi::check(MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided), "MPI_Init_thread");
    mpi::check(MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
    require_all(provided >= MPI_THREAD_FUNNELED, ExitCode::communication,
                "this MPI library does not provide MPI_THREAD_FUNNELED, which Partita's helper threads need: use one that does");
  }
  ~MpiSession() {
    CollectiveWait const wait({.operation = "MPI_Finalize", .at = std::source_location::current()});
    if (MPI_Finalize() != MPI_SUCCESS) log::error("MPI_Finalize failed: a rank has gone before the end");
  }
};

#ifdef PARTITA_CUDA
void choose_gpu() {
  MPI_Comm node;
  int local_rank = 0, devices = 0;
  mpi::check(MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &node), "MPI_Comm_split_type");
  mpi::check(MPI_Comm_rank(node, &local_rank), "MPI_Comm_rank");
  mpi::check(MPI_Comm_free(&node), "MPI_Comm_free");
  cudaError_t const error = cudaGetDeviceCount(&devices);
  require(error == cudaSuccess && devices > 0, ExitCode::usage,
          "no GPU for rank {} of this node ({}): ask the batch system for GPUs, or use a build without CUDA", local_rank,
          cudaGetErrorString(error));
  // The one way to choose a device that Kokkos 3.4 to 5 share.
  setenv("KOKKOS_DEVICE_ID", std::to_string(local_rank % devices).c_str(), 1);
}
#endif

struct KokkosSession {
  explicit KokkosSession([[maybe_unused]] bool with_mpi) {
#ifdef PARTITA_CUDA
    if (with_mpi) choose_gpu();
#endif
    Kokkos::initialize();
#ifdef PARTITA_DEVICE_EMULATION
    EmulatedDevice::install();
#endif
  }
  ~KokkosSession() { Kokkos::finalize(); }
};

// The root reports a failure that all ranks know, and then ends them.
void wait_for_abort_by_root() { std::this_thread::sleep_for(std::chrono::seconds(5)); }

std::string text_of(std::exception const& e, Failure const* failure) {
  if (failure == nullptr) return fmt::format("{} (unexpected: out of memory, or a bug in Partita)", e.what());
  if (failure->code() != ExitCode::internal) return e.what();
  return fmt::format("{} (a bug in Partita, {}:{})", e.what(), source_path(failure->location().file_name()), failure->location().line());
}

}  // namespace

namespace {

// The number in the first of these environment variables that is set.
int announced(std::initializer_list<char const*> names, int otherwise) {
  for (char const* name : names)
    if (char const* text = std::getenv(name)) return std::atoi(text);
  return otherwise;
}

}  // namespace

int ranks_announced() { return std::max(1, announced({"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS"}, 1)); }
int rank_announced() {
  return ranks_announced() == 1 ? 0 : std::max(0, announced({"OMPI_COMM_WORLD_RANK", "PMI_RANK", "SLURM_PROCID"}, 0));
}

// Members start in this order and end in the reverse.
struct Environment::Session {
  struct World {
    World() { Communicator::open_world(); }
    ~World() try { Communicator::close_world(); } catch (Failure const& failure) {
      std::_Exit(Environment::report(failure));  // the other ranks are elsewhere, so nothing collective can be done any more
    }
  };
  // What exists only where ranks compute together.
  struct Together {
    SignalThread signals;
    Watchdog watchdog;
    MpiSession mpi;
    Together(int& argc, char**& argv) : mpi(argc, argv) {}
  };
  std::optional<Together> together;
  std::optional<KokkosSession> kokkos;
  std::optional<World> world;

  // A rank that fails alone from here on must end the others before it ends MPI.
  Session(int& argc, char**& argv, For purpose) {
    if (purpose == For::parallel) together.emplace(argc, argv);
    try {
      kokkos.emplace(together.has_value());
      world.emplace();
      if (together) together->watchdog.start(Communicator::world());
    } catch (std::exception const& e) {
      if (auto const* failure = dynamic_cast<Failure const*>(&e); failure && failure->where() == FailedOn::all_ranks) throw;
      Environment::report(e);
      throw;
    }
  }
};

Environment::Environment(int& argc, char**& argv, For purpose) {
#ifndef PARTITA_CUDA  // the CUDA driver reserves address space that it does not use
  limit_memory_to_the_machine();
#endif
  hold_libraries_to_one_thread();
  int const announced = ranks_announced();  // before MPI may change the variables
  session_ = std::make_unique<Session>(argc, argv, purpose);
  Communicator const world = Communicator::world();
  log::set_rank(world.rank(), world.ranks());
  require_all(
      world.ranks() > 1 || announced == 1 || purpose == For::serial, ExitCode::usage,
      "{} ranks were started, but each sees only itself (the launcher does not belong to the MPI that Partita was built with): use that "
      "MPI's own mpirun, or srun --mpi=pmix",
      announced);
}
Environment::~Environment() = default;

// Whether all ranks leave with this failure, as the code that threw it assumed.
bool Environment::all_ranks_stop(Failure const& failure) {
  try {
    if (Communicator::world().all_ranks_stop()) return true;
    log::error_line(fmt::format("the other ranks do not stop with this one, which failed with: {} ({}:{})", failure.what(),
                                source_path(failure.location().file_name()), failure.location().line()));
  } catch (Failure const& difference) {
    log::error_line(fmt::format("{}, where this rank failed with: {}", difference.what(), failure.what()));
    if (!Communicator::world().is_root()) wait_for_abort_by_root();
  }
  return false;
}

int Environment::report(std::exception const& e) {
  int started = 0, finished = 0, rank = 0, ranks = 1;
  bool const running = MPI_Initialized(&started) == MPI_SUCCESS && started && MPI_Finalized(&finished) == MPI_SUCCESS && !finished;
  if (running && (MPI_Comm_rank(MPI_COMM_WORLD, &rank) != MPI_SUCCESS || MPI_Comm_size(MPI_COMM_WORLD, &ranks) != MPI_SUCCESS)) ranks = 1;

  auto const* failure = dynamic_cast<Failure const*>(&e);
  int const code = int(failure ? failure->code() : ExitCode::internal);
  bool const together = failure && failure->where() == FailedOn::all_ranks;
  bool const at_once = failure && failure->shutdown() == Shutdown::immediate;
  if (!together || rank == 0) log::error_line(text_of(e, failure));
  if (!at_once) {
    if (ranks == 1) return code;
    if (together && (!running || !Communicator::world_is_open() || all_ranks_stop(*failure))) return code;
  } else if (together && rank != 0) {
    wait_for_abort_by_root();
  }
  std::fflush(nullptr);
  if (running && ranks > 1) MPI_Abort(MPI_COMM_WORLD, code);
  std::_Exit(code);
}

}  // namespace partita
