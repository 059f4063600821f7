/* LD_PRELOAD: a signal handler of somebody else's, as a profiler has one, called every millisecond of the program's processor time on the
   stack of the thread that the system chooses. */
#include <signal.h>
#include <sys/time.h>

static volatile sig_atomic_t calls;
static void count(int kind) {
  (void)kind;
  calls = calls + 1;
}
__attribute__((constructor)) static void install(void) {
  struct sigaction action = {0};
  struct itimerval every_millisecond = {{0, 1000}, {0, 1000}};
  action.sa_handler = count;
  action.sa_flags = SA_RESTART;
  sigaction(SIGPROF, &action, 0);
  setitimer(ITIMER_PROF, &every_millisecond, 0);
}
