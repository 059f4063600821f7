/* LD_PRELOAD: from the FAIL_FROM-th call on (1: the first), FAIL_CALL on files whose path contains FAIL_PATH fails with FAIL_ERRNO, once or,
   with FAIL_ALWAYS, for ever; FAIL_RANK limits it to one rank of mpirun; with FAIL_KILL the process is killed there instead. With
   NO_FALLOCATE the file system cannot reserve space, with NO_LOCKS it has no locks. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static int fails(char const* call, char const* path) {
  static int seen;
  char const *wanted = getenv("FAIL_CALL"), *part = getenv("FAIL_PATH"), *from = getenv("FAIL_FROM"), *number = getenv("FAIL_ERRNO"),
             *rank = getenv("FAIL_RANK"), *mine = getenv("OMPI_COMM_WORLD_RANK");
  if (!wanted || !part || strcmp(wanted, call) || !strstr(path, part) || (rank && mine && strcmp(rank, mine))) return 0;
  int const first = from ? atoi(from) : 1;
  seen++;
  if (seen < first || (seen > first && !getenv("FAIL_ALWAYS"))) return 0;
  if (getenv("FAIL_KILL")) raise(SIGKILL);
  dprintf(STDERR_FILENO, "failing_calls: %s number %d, of %s\n", call, seen, path);
  errno = number ? atoi(number) : EIO;
  return 1;
}
static int fails_on(char const* call, int file) {
  char link[64], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  ssize_t const length = readlink(link, path, sizeof path - 1);
  if (length < 0) return 0;
  path[length] = 0;
  return fails(call, path);
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t write(int file, void const* bytes, size_t size) { return fails_on("write", file) ? -1 : NEXT(write)(file, bytes, size); }
ssize_t pwrite(int file, void const* bytes, size_t size, off_t at) {
  return fails_on("pwrite", file) ? -1 : NEXT(pwrite)(file, bytes, size, at);
}
ssize_t pwrite64(int file, void const* bytes, size_t size, off64_t at) {
  return fails_on("pwrite", file) ? -1 : NEXT(pwrite64)(file, bytes, size, at);
}
ssize_t pwritev(int file, struct iovec const* parts, int count, off_t at) {
  return fails_on("pwrite", file) ? -1 : NEXT(pwritev)(file, parts, count, at);
}
int fsync(int file) { return fails_on("fsync", file) ? -1 : NEXT(fsync)(file); }
int ftruncate(int file, off_t size) { return fails_on("truncate", file) ? -1 : NEXT(ftruncate)(file, size); }
int ftruncate64(int file, off64_t size) { return fails_on("truncate", file) ? -1 : NEXT(ftruncate64)(file, size); }
int rename(char const* from, char const* to) { return fails("rename", to) ? -1 : NEXT(rename)(from, to); }
/* Only calls that may write are counted. */
static int fails_to_open(char const* path, int flags) { return (flags & O_ACCMODE) != O_RDONLY && fails("open", path); }
static mode_t mode_of(int flags, va_list more) { return (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE ? va_arg(more, mode_t) : 0; }
int open(char const* path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  mode_t const mode = mode_of(flags, more);
  va_end(more);
  return fails_to_open(path, flags) ? -1 : NEXT(open)(path, flags, mode);
}
int open64(char const* path, int flags, ...) __attribute__((alias("open"))); /* the same call where off_t has 64 bits */

static int no_fallocate(void) {
  errno = EOPNOTSUPP;
  return -1;
}
int fallocate(int file, int mode, off_t at, off_t size) {
  if (getenv("NO_FALLOCATE")) return no_fallocate();
  return fails_on("fallocate", file) ? -1 : NEXT(fallocate)(file, mode, at, size);
}
int fallocate64(int file, int mode, off64_t at, off64_t size) { return fallocate(file, mode, at, size); }

int fcntl(int file, int command, ...) {
  va_list more;
  va_start(more, command);
  void* const argument = va_arg(more, void*);
  va_end(more);
  if (getenv("NO_LOCKS") && (command == F_OFD_SETLK || command == F_OFD_GETLK)) {
    errno = ENOLCK;
    return -1;
  }
  return NEXT(fcntl)(file, command, argument);
}
int fcntl64(int file, int command, ...) {
  va_list more;
  va_start(more, command);
  void* const argument = va_arg(more, void*);
  va_end(more);
  return fcntl(file, command, argument);
}
