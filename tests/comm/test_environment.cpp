#include <dlfcn.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <optional>

#include "comm/environment.hpp"
#include "core/build_info.hpp"

namespace partita {
namespace {

// The launchers' variables as a test wants them; afterwards as they were.
class LauncherVariables {
 public:
  explicit LauncherVariables(std::map<std::string, std::string> const& wanted) {
    for (char const* name : {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS", "SLURM_NTASKS"}) {
      char const* old = std::getenv(name);
      before_[name] = old ? std::optional<std::string>(old) : std::nullopt;
      unsetenv(name);
    }
    for (auto const& [name, value] : wanted) setenv(name.c_str(), value.c_str(), 1);
  }
  ~LauncherVariables() {
    for (auto const& [name, value] : before_)
      if (value) setenv(name.c_str(), value->c_str(), 1);
      else unsetenv(name.c_str());
  }

 private:
  std::map<std::string, std::optional<std::string>> before_;
};

int announced_by(std::map<std::string, std::string> const& variables) {
  LauncherVariables const set(variables);
  return ranks_announced();
}

TEST(Environment, knows_how_many_ranks_were_announced) {
  EXPECT_EQ(announced_by({}), 1);
  EXPECT_EQ(announced_by({{"OMPI_COMM_WORLD_SIZE", "4"}}), 4);                                 // mpirun of Open MPI
  EXPECT_EQ(announced_by({{"PMI_SIZE", "4"}}), 4);                                             // mpirun of MPICH, srun --mpi=pmi2
  EXPECT_EQ(announced_by({{"SLURM_STEP_NUM_TASKS", "4"}, {"SLURM_NTASKS", "4"}}), 4);          // srun
  EXPECT_EQ(announced_by({{"SLURM_NTASKS", "4"}}), 1);                                         // the single process of a batch script
  EXPECT_EQ(announced_by({{"OMPI_COMM_WORLD_SIZE", "1"}, {"SLURM_STEP_NUM_TASKS", "2"}}), 1);  // mpirun, whose daemons srun has started
}

TEST(Environment, holds_openmp_to_one_thread) {
  machine_identity();  // asks oneDNN, so that it and its OpenMP are linked
  using Count = int (*)();
  auto const threads = reinterpret_cast<Count>(dlsym(RTLD_DEFAULT, "omp_get_max_threads"));
  if (threads == nullptr) GTEST_SKIP() << "no library here uses OpenMP";
  EXPECT_EQ(threads(), 1);
}

TEST(Environment, reports_a_failure_of_all_ranks_with_its_exit_code) {
  testing::internal::CaptureStderr();
  int const code = Environment::report(Failure(ExitCode::data, "the file is empty", FailedOn::all_ranks, std::source_location::current()));
  std::string const written = testing::internal::GetCapturedStderr();
  EXPECT_EQ(code, 3);
  EXPECT_EQ(written.find("the file is empty") != std::string::npos, Communicator::world().is_root());
}

}  // namespace
}  // namespace partita
