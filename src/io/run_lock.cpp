#include "io/run_lock.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <thread>

#include "core/log.hpp"
#include "io/run_status.hpp"
#include "io/together.hpp"

namespace partita {
namespace fs = std::filesystem;
using std::chrono::milliseconds;

namespace {

std::string this_process() {
  auto const p = ProcessIdentity::of_this_process();
  char const* const job = std::getenv("SLURM_JOB_ID");
  return fmt::format("host {}, process {}, job {}, started {}\n", p.host, p.process, job ? job : "none", p.started);
}

struct flock whole_file() {
  struct flock whole {};
  whole.l_type = F_WRLCK;
  whole.l_whence = SEEK_SET;
  return whole;
}

// None where it cannot be read, for example while the file server does not answer.
std::optional<std::string> content(Path const& path) {
  try {
    return read_text(path);
  } catch (Failure const&) {
    std::error_code absent;
    return fs::exists(fs::symlink_status(path, absent)) || absent.value() != ENOENT ? std::nullopt : std::optional<std::string>("");
  }
}

[[noreturn]] void refuse(RunDirectory const& run, std::string const& holder) {
  std::string const who = holder.substr(0, holder.find('\n'));
  fail(ExitCode::locked, fmt::format("{} is in use by another run ({}): wait for it to end, stop it, or choose another run.output",
                                     run.root().string(), who.empty() ? "holder unknown" : who));
}

}  // namespace

// The lock file's descriptor, and the heartbeat thread.
class RunLock::Holding {
 public:
  Holding(RunDirectory const& run, LockKind kind, milliseconds heartbeat) : run_(run), heartbeat_(heartbeat) {
    open_lock_file();
    try {
      by_system_ = kind == LockKind::fcntl_or_heartbeat && lock();
      if (!by_system_) claim();
      write_lock_file();
    } catch (...) {
      ::close(file_);
      throw;
    }
    beat_ = std::jthread([this](std::stop_token stop) {
      std::unique_lock guard(mutex_);
      while (!wake_.wait_for(guard, stop, heartbeat_, [] { return false; }) && !stop.stop_requested()) {
        confirm();
        ::futimens(file_, nullptr);
        if (!by_system_) ::utimensat(AT_FDCWD, run_.alive().c_str(), nullptr, AT_SYMLINK_NOFOLLOW);
      }
    });
  }
  ~Holding() {
    beat_.request_stop();
    beat_.join();
    if (!by_system_ && content(run_.alive()) == this_process_) ::unlink(run_.alive().c_str());
    ::close(file_);
  }

  void confirm() const {
    auto const others = [&](Path const& path) {
      auto const holder = content(path);
      return holder && *holder != this_process_ ? holder : std::nullopt;
    };
    auto lost = others(run_.lock());
    if (!lost && !by_system_) lost = others(run_.alive());
    if (!lost) return;
    std::string const now = lost->substr(0, lost->find('\n'));
    // Not through the log: run.log now belongs to the other run.
    std::fprintf(stderr,
                 "error: this process lost the lock of %s (%s), as after a long suspension: it ends at once and writes nothing more\n",
                 run_.root().c_str(), now.empty() ? "the lock file is gone" : ("now " + now).c_str());
    std::_Exit(int(ExitCode::locked));
  }

 private:
  void open_lock_file() {
    // Without blocking should there be a pipe in its place.
    file_ = ::open(run_.lock().c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0666);
    require(file_ >= 0, ExitCode::storage, "cannot open {} ({})", run_.lock().string(),
            errno == ELOOP ? "it is a symbolic link" : storage_reason(run_.lock(), errno));
    struct stat s {};
    if (::fstat(file_, &s) == 0 && S_ISREG(s.st_mode)) return;
    ::close(file_);
    fail(ExitCode::storage, fmt::format("cannot use {} (it is not a regular file)", run_.lock().string()));
  }
  // False where the file system has no locks.
  bool lock() {
    // An open-file-description lock: unlike a process lock, it is not lost when another part of the program opens and closes the file.
    struct flock whole = whole_file();
    if (::fcntl(file_, F_OFD_SETLK, &whole) == 0) return true;
    int const error = errno;
    if (error == EACCES || error == EAGAIN) refuse(run_, read_text(run_.lock()));
    require(error == ENOLCK || error == ENOSYS || error == EOPNOTSUPP || error == EINVAL, ExitCode::storage, "cannot lock {} ({})",
            run_.lock().string(), std::strerror(error));
    log::warning("{} is on a file system without locks ({}): a heartbeat file protects the run directory instead", run_.root().string(),
                 std::strerror(error));
    return false;
  }
  void write_lock_file() const {
    std::string const& text = this_process_;
    bool const written = ::pwrite(file_, text.data(), text.size(), 0) == ssize_t(text.size()) &&
                         ::ftruncate(file_, ssize_t(text.size())) == 0 && ::fsync(file_) == 0;
    require(written, ExitCode::storage, "cannot write {} ({})", run_.lock().string(), storage_reason(run_.lock(), errno));
  }

  void claim() {
    if (create_alive()) return;
    Path const alive = run_.alive();
    auto const beats = [&] {
      struct stat s {};
      return ::lstat(alive.c_str(), &s) == 0 ? std::pair(s.st_mtim.tv_sec, s.st_mtim.tv_nsec) : std::pair(std::time_t{0}, 0L);
    };
    auto const before = beats();
    std::string const holder = read_text(alive);
    std::this_thread::sleep_for(3 * heartbeat_);
    if (beats() != before) refuse(run_, holder);
    log::warning("taking over {} from a dead run ({})", run_.root().string(), holder.substr(0, holder.find('\n')));
    ::unlink(alive.c_str());
    // If several runs found the holder dead, the last one to create the file gets the lock. The wait also lets a suspended holder that
    // wakes up see that it has lost the lock.
    bool const created = create_alive();
    std::this_thread::sleep_for(2 * heartbeat_);
    if (!created || content(alive) != this_process_) refuse(run_, content(alive).value_or(""));
  }
  bool create_alive() {
    int const file = ::open(run_.alive().c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (file < 0 && errno == EEXIST) return false;
    require(file >= 0, ExitCode::storage, "cannot create {} ({})", run_.alive().string(), storage_reason(run_.alive(), errno));
    bool const written = ::write(file, this_process_.data(), this_process_.size()) == ssize_t(this_process_.size());
    ::close(file);
    require(written, ExitCode::storage, "cannot write {} ({})", run_.alive().string(), storage_reason(run_.alive(), errno));
    return true;
  }

  RunDirectory run_;
  milliseconds heartbeat_;
  std::string this_process_ = this_process();
  int file_ = -1;
  bool by_system_ = false;
  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::jthread beat_;
};

RunLock::RunLock(RunDirectory const& run, Communicator const& ranks, LockKind kind, milliseconds heartbeat) {
  on_root(ranks, [&] { holding_ = std::make_unique<Holding>(run, kind, heartbeat); });
}
RunLock::~RunLock() = default;
RunLock::RunLock(RunLock&&) noexcept = default;

void RunLock::confirm() const {
  if (holding_) holding_->confirm();
}

bool RunLock::is_held(RunDirectory const& run) {
  int const file = ::open(run.lock().c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (file < 0) return false;
  struct flock whole = whole_file();
  bool const held = ::fcntl(file, F_OFD_GETLK, &whole) == 0 && whole.l_type != F_UNLCK;
  ::close(file);
  return held;
}

}  // namespace partita
