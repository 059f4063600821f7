// A run that fails as its argument says, for the tests of what the launcher and the user then see.
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <thread>

#include "comm/environment.hpp"
#include "comm/signals.hpp"
#include "comm/watchdog.hpp"
#include "core/timers.hpp"
#ifdef WITH_NCCL_DOUBLE
#include "nccl_double.hpp"
#endif

using namespace partita;

using Clock = std::chrono::steady_clock;
static constexpr Watchdog::Seconds limit{2};

static void compute(Watchdog::Seconds time) {
  auto const end = Clock::now() + time;
  while (Clock::now() < end) continue;
}

#ifdef WITH_NCCL_DOUBLE
// Sums on devices of which the third goes wrong on one rank.
static void fail_on_device_as(std::string const& how, Communicator const& ranks) {
  bool const last = ranks.rank() == ranks.ranks() - 1;
  nccl_double::Trouble trouble{.after_calls = 2};
  if (how == "device_error") trouble.error_while = true;
  if (how == "device_refuses") trouble.refuses = true;
  if (how == "gpu_fails") trouble.gpu_fails = true;
  nccl_double::expect(last ? trouble : nccl_double::Trouble{});
  for (int i = 0; i < 5; i++) {
    if (how == "device_never_comes" && last && i == 2) std::this_thread::sleep_for(std::chrono::hours(1));
    try {
      ranks.all_reduce_sum(Vector("values", 10));
    } catch (Failure const&) {
      std::printf("aborts: %d\n", nccl_double::aborts());
      throw;
    }
  }
  if (ranks.is_root()) std::puts("five sums");
}
#endif

static void fail_as(std::string const& how) {
  Communicator const ranks = Communicator::world();
  bool const last = ranks.rank() == ranks.ranks() - 1;
  if (how == "together") require_all(false, ExitCode::usage, "a mistake in the deck");
  if (how == "alone") require(!last, ExitCode::numerical, "a chain is not finite");
  if (how == "internal") require(!last, ExitCode::internal, "a bug");
  if (how == "exception" && last) throw std::runtime_error("something else");
  if (how == "signal_twice") {
    Signals const signals;
    kill(getpid(), SIGUSR1);
    while (Signals::raised() == 0) std::this_thread::yield();
    kill(getpid(), SIGUSR1);
    compute(Watchdog::Seconds(10));
  }
  Watchdog::of_process().set_limit(limit);
  if (how == "believes_together" && last) require_all(false, ExitCode::data, "a file is missing");
  if (how == "leaves_early" && last) return;
  Timers timers;
  Timers::Scope const phase(timers, "annealing");
  std::this_thread::sleep_for(limit / 4);  // the threads have heard of each other
#ifdef WITH_NCCL_DOUBLE
  return fail_on_device_as(how, ranks);
#endif
  if (how == "stops" && last) kill(getpid(), SIGSTOP);
  if (how == "root_stops" && ranks.is_root()) kill(getpid(), SIGSTOP);
  if (how == "computes_long" && last) compute(3 * limit);
  if (how == "hangs_in_a_file" && last) std::this_thread::sleep_for(2 * Watchdog::stuck_limits * limit);
  if (how == "sleeps" && last) std::this_thread::sleep_for(2 * limit);
  if (how == "parts_ways" && last) std::this_thread::sleep_for(limit / 4);
  if (how == "parts_ways" && last) ranks.all_gather(std::string("text"));
  ranks.barrier();
  if (how == "computes_long" || how == "sleeps") std::puts("all ranks have met");
}

int main(int argc, char** argv) try {
  Environment const environment(argc, argv);
  try {
    fail_as(argv[1]);
  } catch (std::exception const& e) {
    return Environment::report(e);
  }
} catch (std::exception const& e) {
  return Environment::report(e);
}
