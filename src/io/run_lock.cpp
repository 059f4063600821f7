#include "io/run_lock.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <mutex>
#include <thread>

#include "core/log.hpp"
#include "io/together.hpp"

namespace partita {
namespace fs = std::filesystem;
using std::chrono::milliseconds;

namespace {

std::string this_process() {
  char host[256] = "unknown", start[32] = "";
  ::gethostname(host, sizeof host - 1);
  std::time_t const now = std::time(nullptr);
  std::tm local{};
  std::strftime(start, sizeof start, "%FT%T%z", ::localtime_r(&now, &local));
  char const* const job = std::getenv("SLURM_JOB_ID");
  return fmt::format("host {}, process {}, job {}, started {}", host, ::getpid(), job ? job : "none", start);
}

[[noreturn]] void refuse(RunDirectory const& run, std::string const& holder) {
  fail(ExitCode::locked, fmt::format("{} is in use by another run ({}): wait for it to end, stop it, or choose another run.output",
                                     run.root().string(), holder.empty() ? "holder unknown" : holder));
}

}  // namespace

// The lock file's descriptor, and the thread that beats where the file system has no locks.
class RunLock::Holding {
 public:
  Holding(RunDirectory const& run, LockKind kind, milliseconds heartbeat) : alive_(Path(run.lock()) += ".alive") {
    bool const locked = kind == LockKind::fcntl_or_heartbeat && lock(run);
    if (!locked) {
      claim(run, heartbeat);
      beat_ = std::jthread([this, heartbeat](std::stop_token stop) {
        std::unique_lock guard(mutex_);
        while (!wake_.wait_for(guard, stop, heartbeat, [] { return false; }) && !stop.stop_requested())
          ::utimensat(AT_FDCWD, alive_.c_str(), nullptr, 0);
      });
    }
  }
  ~Holding() {
    if (beat_.joinable()) {
      beat_.request_stop();
      beat_.join();
      ::unlink(alive_.c_str());
    }
    if (file_ >= 0) ::close(file_);
  }

 private:
  // False where the file system has no locks.
  bool lock(RunDirectory const& run) {
    file_ = ::open(run.lock().c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    require(file_ >= 0, ExitCode::storage, "cannot open {} ({})", run.lock().string(), storage_reason(run.lock(), errno));
    struct flock whole {};
    whole.l_type = F_WRLCK;
    whole.l_whence = SEEK_SET;
    // A lock of the open file: unlike one of the process, it is not lost when some other part of the program opens and closes the file.
    if (::fcntl(file_, F_OFD_SETLK, &whole) != 0) {
      int const error = errno;
      if (error == EACCES || error == EAGAIN) refuse_after_close(run);
      require(error == ENOLCK || error == ENOSYS || error == EOPNOTSUPP || error == EINVAL, ExitCode::storage, "cannot lock {} ({})",
              run.lock().string(), std::strerror(error));
      log::warning("{} has no file locks ({}): the run directory is held by a heartbeat", run.root().string(), std::strerror(error));
      return false;
    }
    std::string const content = this_process() + "\n";
    bool const written =
        ::ftruncate(file_, 0) == 0 && ::pwrite(file_, content.data(), content.size(), 0) == ssize_t(content.size()) && ::fsync(file_) == 0;
    require(written, ExitCode::storage, "cannot write {} ({})", run.lock().string(), storage_reason(run.lock(), errno));
    return true;
  }
  [[noreturn]] void refuse_after_close(RunDirectory const& run) {
    ::close(std::exchange(file_, -1));
    std::string holder = read_text(run.lock());
    refuse(run, holder.substr(0, holder.find('\n')));
  }

  void claim(RunDirectory const& run, milliseconds heartbeat) {
    if (create_alive()) return;
    auto const beats = [&] {
      struct stat s {};
      return ::stat(alive_.c_str(), &s) == 0 ? std::pair(s.st_mtim.tv_sec, s.st_mtim.tv_nsec) : std::pair(std::time_t{0}, 0L);
    };
    auto const before = beats();
    std::string const holder = read_text(alive_);
    std::this_thread::sleep_for(3 * heartbeat);
    if (beats() != before) refuse(run, holder);
    log::warning("taking over {} from a dead run ({})", run.root().string(), holder);
    ::unlink(alive_.c_str());
    // Of several that saw the same death, the last to create the file has it.
    bool const created = create_alive();
    std::this_thread::sleep_for(heartbeat);
    if (!created || read_text(alive_) != this_process_) refuse(run, read_text(alive_));
  }
  bool create_alive() {
    int const file = ::open(alive_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (file < 0 && errno == EEXIST) return false;
    require(file >= 0, ExitCode::storage, "cannot create {} ({})", alive_.string(), storage_reason(alive_, errno));
    bool const written = ::write(file, this_process_.data(), this_process_.size()) == ssize_t(this_process_.size());
    ::close(file);
    require(written, ExitCode::storage, "cannot write {} ({})", alive_.string(), storage_reason(alive_, errno));
    return true;
  }

  Path alive_;
  std::string this_process_ = this_process();
  int file_ = -1;
  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::jthread beat_;
};

RunLock::RunLock(RunDirectory const& run, Communicator const& ranks, LockKind kind, milliseconds heartbeat) {
  on_root(ranks, [&] { holding_ = std::make_unique<Holding>(run, kind, heartbeat); });
}
RunLock::~RunLock() = default;
RunLock::RunLock(RunLock&&) noexcept = default;

}  // namespace partita
