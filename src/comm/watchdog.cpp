#include "comm/watchdog.hpp"

#include <ifaddrs.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <vector>

#include "comm/environment.hpp"
#include "comm/signals.hpp"
#include "core/log.hpp"
#include "core/timers.hpp"

namespace partita {
namespace {

using Seconds = Watchdog::Seconds;

constexpr int reports_missed = 5;                      // so many may be lost, or late on a busy machine, before a rank counts as silent
constexpr std::string_view long_call = "HDF5: write";  // how the names of calls begin that slow storage may prolong
constexpr double least_processor_share = .01;

std::string host_name() {
  char host[64] = "unknown";
  ::gethostname(host, sizeof host - 1);
  return host;
}

// Processor time of one thread, which other threads may ask for.
class ThreadClock {
 public:
  ThreadClock() {
    if (::pthread_getcpuclockid(::pthread_self(), &clock_) != 0) clock_ = CLOCK_PROCESS_CPUTIME_ID;
  }
  double seconds() const {
    timespec t{};
    ::clock_gettime(clock_, &t);
    return double(t.tv_sec) + 1e-9 * double(t.tv_nsec);
  }

 private:
  clockid_t clock_ = CLOCK_PROCESS_CPUTIME_ID;
};

std::string duration(double seconds) { return seconds < 120 ? fmt::format("{:.0f} s", seconds) : fmt::format("{:.0f} min", seconds / 60); }

// The report that a rank's thread sends to rank 0's, which sends it back as an acknowledgement.
struct Report {
  std::uint64_t job = 0;  // a random number of the job: datagrams of others are ignored
  std::int32_t rank = 0;
  bool waits = false;  // in the collective call named below
  double waited = 0;   // seconds in that call, counted by the rank's own ticks
  double idle = 0;     // seconds without use of the processor outside of collective calls, counted likewise
  char host[64] = {};
  char phase[64] = {};
  char call[200] = {};
};

template <std::size_t size>
void copy_text(char (&to)[size], std::string const& from) {
  std::snprintf(to, size, "%s", from.c_str());
}

// Datagrams between the ranks' threads and rank 0's.
class Line {
 public:
  // Collective. All members stay empty where there is no network.
  explicit Line(Communicator const& ranks) : root_(ranks.is_root()) {
    socket_ = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct Contact {
      std::uint64_t job = 0;
      std::uint16_t port = 0;  // as in sockaddr_in
      std::uint32_t addresses[16] = {};
      char host[64] = {};
    } contact;
    if (root_) copy_text(contact.host, host_name());
    if (root_ && socket_ >= 0) {
      sockaddr_in any{};
      any.sin_family = AF_INET;
      socklen_t size = sizeof any;
      auto* const address = reinterpret_cast<sockaddr*>(&any);
      if (::bind(socket_, address, size) == 0 && ::getsockname(socket_, address, &size) == 0) contact.port = any.sin_port;
      contact.job = std::uint64_t{std::random_device{}()} << 32 | std::random_device{}();
      auto const mine = own_addresses();
      std::copy_n(mine.begin(), std::min(mine.size(), std::size(contact.addresses)), contact.addresses);
    }
    ranks.broadcast(&contact, sizeof contact);
    job = contact.job;
    root_host = contact.host;
    for (std::uint32_t const address : contact.addresses) {
      if (root_ || contact.port == 0 || address == 0) continue;
      sockaddr_in to{};
      to.sin_family = AF_INET;
      to.sin_port = contact.port;
      to.sin_addr.s_addr = address;
      ways_to_root_.push_back(to);
    }
  }
  ~Line() {
    if (socket_ >= 0) ::close(socket_);
  }
  Line(Line const&) = delete;
  Line& operator=(Line const&) = delete;

  std::uint64_t job = 0;
  std::string root_host;

  // Sends to rank 0, at the address that has answered, or at all of them while none has.
  void send(Report const& report) const {
    for (sockaddr_in const& to : ways_to_root_)
      ::sendto(socket_, &report, sizeof report, MSG_NOSIGNAL, reinterpret_cast<sockaddr const*>(&to), sizeof to);
  }
  // Waits for at most `timeout`, or until `wake` can be read; passes every report of this job to `heard`, and on rank 0 answers it.
  template <class Heard>
  void receive(std::chrono::milliseconds timeout, int wake, Heard const& heard) {
    pollfd ready[] = {{socket_, POLLIN, 0}, {wake, POLLIN, 0}};  // a negative descriptor is passed over
    if (::poll(ready, std::size(ready), int(timeout.count())) <= 0) return;
    Report report;
    sockaddr_in from{};
    for (socklen_t size = sizeof from;
         ::recvfrom(socket_, &report, sizeof report, 0, reinterpret_cast<sockaddr*>(&from), &size) == sizeof report; size = sizeof from) {
      if (report.job != job) continue;
      report.host[sizeof report.host - 1] = report.phase[sizeof report.phase - 1] = report.call[sizeof report.call - 1] = '\0';
      if (root_) ::sendto(socket_, &report, sizeof report, MSG_NOSIGNAL, reinterpret_cast<sockaddr const*>(&from), size);
      else ways_to_root_.assign(1, from);
      heard(report);
    }
  }

 private:
  static std::vector<std::uint32_t> own_addresses() {
    std::vector<std::uint32_t> found;
    ifaddrs* list = nullptr;
    if (::getifaddrs(&list) != 0) return found;
    for (ifaddrs const* one = list; one; one = one->ifa_next)
      if (one->ifa_addr && one->ifa_addr->sa_family == AF_INET)
        found.push_back(reinterpret_cast<sockaddr_in const*>(one->ifa_addr)->sin_addr.s_addr);
    ::freeifaddrs(list);
    return found;
  }

  bool root_;
  int socket_ = -1;
  std::vector<sockaddr_in> ways_to_root_;
};

Watchdog* the_watchdog = nullptr;

// State of the process's EndRecorder: global, since any thread that ends the process needs it.
struct {
  std::mutex mutex;
  EndRecorder::Write write;
  int answered = 0;  // the last signal that has been recorded
} words;

// Likewise of its StopImmediately; `record` is empty where there is none.
struct {
  std::mutex mutex;
  StopImmediately::Record record;
  std::optional<StopImmediately::Clock::time_point> deadline;
} idle;

// Runs `write` on a thread of its own, and waits at most ten seconds for it, since storage may hang.
void record_end(std::function<void()> write) {
  struct Done {
    std::mutex mutex;
    std::condition_variable changed;
    bool is = false;
  };
  auto const done = std::make_shared<Done>();
  std::thread([done, write = std::move(write)] {
    try {
      write();
    } catch (std::exception const& e) {
      log::error_line(fmt::format("the end of the run could not be recorded ({})", e.what()));
    }
    std::lock_guard const guard(done->mutex);
    done->is = true;
    done->changed.notify_all();
  }).detach();
  std::unique_lock guard(done->mutex);
  done->changed.wait_for(guard, std::chrono::seconds(10), [&] { return done->is; });
}

void write_last_words(std::optional<ExitCode> code, std::string const& reason) {
  record_end([code, reason] {
    std::lock_guard const guard(words.mutex);
    if (words.write) words.write(code, reason);
  });
}

// Ends the process where a stop was requested. It holds the mutex, so that a StopImmediately cannot end at the same time.
void exit_if_stop_requested() {
  std::lock_guard const guard(idle.mutex);
  if (!idle.record) return;
  int const signal = Signals::raised();
  bool const late = idle.deadline && StopImmediately::Clock::now() > *idle.deadline;
  if (signal == 0 && !late) return;
  std::string const reason =
      fmt::format("{} in phase {}", signal != 0 ? "signal " + Signals::name(signal) : wall_clock_limit, Timers::current_phase());
  auto const cause = signal != 0 ? StopImmediately::Cause::signal : StopImmediately::Cause::out_of_time;
  auto const code = std::make_shared<std::atomic<ExitCode>>(ExitCode::stopped_early);
  record_end([record = idle.record, cause, reason, code] { *code = record(cause, reason); });
  std::fflush(nullptr);
  std::_Exit(int(code->load()));
}

void record_signal() {
  int const signal = Signals::raised();
  {
    std::lock_guard const guard(words.mutex);
    if (signal == 0 || signal == words.answered || !words.write) return;
    words.answered = signal;
  }
  write_last_words(
      {}, fmt::format("signal {} arrived and the run was killed before it could stop in order: launchers send TERM when a rank has died, "
                      "which their own output names, and when they are stopped themselves; continue with --restart auto",
                      Signals::name(signal)));
}

[[noreturn]] void end_job(std::string const& reason) {
  std::string text = "the last collective calls of this rank, which is waiting:";
  auto const calls = CollectiveRecord::of_process().last();
  for (auto line = calls.rbegin(); line != calls.rend(); ++line) text += "\n  " + *line;
  log::error_line(text);
  log::error_line(reason + ". The job ends (run.watchdog): look at that rank's host, then continue with --restart auto");
  std::fflush(nullptr);
  write_last_words(ExitCode::communication, reason);
  std::_Exit(int(ExitCode::communication));
}

}  // namespace

void end_job_with(Failure const& failure) {
  write_last_words(failure.code(), failure.what());
  std::_Exit(Environment::report(failure));
}

struct Watchdog::Thread {
  explicit Thread(Communicator const& world) : rank(world.rank()), ranks(world.ranks()), line(world), states(root() ? ranks : 1) {
    require(end >= 0, ExitCode::internal, "no event for the watchdog (too many open files)");
    look(0);
    line.send(mine);
    thread = std::jthread([this](std::stop_token stop) {
      while (!stop.stop_requested()) tick(stop);
    });
  }
  ~Thread() {
    thread.request_stop();
    ::eventfd_write(end, 1);
    thread.join();
    ::close(end);
  }

  // What rank 0 knows of each rank, and every other rank of rank 0.
  struct State {
    Report last;
    bool heard = false;
    double silent = 0;  // seconds since then, by own ticks
  };

  bool root() const { return rank == 0; }
  double report_period() const { return std::clamp(limit.load() / 20, .01, 30.); }

  // A tick lasts at least its nominal length. Time beyond that, when the job was suspended or the thread got no processor, does not count.
  void tick(std::stop_token const& stop) {
    using Clock = std::chrono::steady_clock;
    double const length = std::min(report_period(), .2);
    auto const until = Clock::now() + std::chrono::duration_cast<Clock::duration>(Seconds(length));
    for (auto now = Clock::now(); now < until && !stop.stop_requested(); now = Clock::now())
      line.receive(std::chrono::ceil<std::chrono::milliseconds>(until - now), end, [&](Report const& r) {
        if (!root()) states[0].heard = true, states[0].silent = 0;
        else if (r.rank > 0 && r.rank < ranks) states[r.rank] = {r, true, 0};
      });
    exit_if_stop_requested();
    record_signal();
    for (State& s : states) s.silent += length;
    look(length);
    if (ranks == 1) return;
    if (root()) {
      states[0] = {mine, true, 0};
      judge_all();
    } else {
      if ((since_report += length) >= report_period()) {  // the period follows the limit without delay
        line.send(mine);
        since_report = 0;
      }
      judge_root();
    }
  }

  // Updates `mine` after one more tick.
  void look(double length) {
    auto const now = CollectiveRecord::of_process().current();
    double const used = main_thread.seconds(), share = (used - processor_used) / std::max(length, 1e-3);
    processor_used = used;
    bool const same = now.waiting && mine.waits && now.number == number;
    mine.waited = same ? mine.waited + length : 0;
    mine.idle = now.waiting || share > least_processor_share ? 0 : mine.idle + length;
    mine.waits = now.waiting;
    number = now.number;
    mine.job = line.job;
    mine.rank = rank;
    copy_text(mine.host, host);
    copy_text(mine.phase, Timers::current_phase());
    copy_text(mine.call, now.call.text());
  }

  bool is_silent(State const& s) const { return s.silent > reports_missed * std::max(report_period(), .6); }
  static std::string place(Report const& r) { return fmt::format("rank {} on {}", r.rank, r.host); }
  static std::string missing(std::string const& who, double silent) {
    return fmt::format("{} does not answer ({}): it is stopped, it has died, or its node is down; ", who, duration(silent));
  }
  static std::string waiting(Report const& r) {
    return fmt::format("{} has waited {} in phase {}, {}", place(r), duration(r.waited), r.phase, r.call);
  }

  // Whether all ranks are in the same call on a file: storage is slow or hangs, and the ranks do not wait for each other.
  bool all_in_one_file(State const& one) const {
    return std::string_view(one.last.call).starts_with(long_call) && std::all_of(states.begin(), states.end(), [&](State const& s) {
             return s.last.waits && !is_silent(s) && std::strcmp(s.last.call, one.last.call) == 0;
           });
  }

  void judge_all() {
    double const most = limit;
    auto const longest = std::max_element(states.begin(), states.end(), [](State const& a, State const& b) {
      return (a.last.waits ? a.last.waited : 0) < (b.last.waits ? b.last.waited : 0);
    });
    if (!longest->last.waits || longest->last.waited < most) return;
    if (all_in_one_file(*longest) && longest->last.waited < stuck_limits * most) return;
    std::string silent, stuck;
    for (int r = 0; r < ranks; r++) {
      State const& s = states[r];
      if (!s.heard) silent += fmt::format("rank {} has never answered; ", r);
      else if (is_silent(s)) silent += missing(place(s.last), s.silent);
      else if (!s.last.waits && s.last.idle > stuck_limits * most)
        stuck += fmt::format("{} has neither computed nor waited for {} in phase {}, as when storage hangs; ", place(s.last),
                             duration(s.last.idle), s.last.phase);
      else if (!s.last.waits || s.last.waited < most / 2)
        return;  // it computes, or did until a moment ago, and the others wait for its work
    }
    std::string reason = silent + stuck;
    if (reason.empty()) {
      auto const other =
          std::find_if(states.begin(), states.end(), [&](State const& s) { return std::strcmp(s.last.call, longest->last.call) != 0; });
      reason = other == states.end() ? "all ranks are in the same call, in which storage or the network does not answer: "
                                     : "all ranks wait for each other: " + waiting(other->last) + "; ";
    }
    end_job(reason + waiting(longest->last));
  }

  void judge_root() {
    if (!mine.waits || mine.waited < limit) return;
    if (states[0].heard && !is_silent(states[0])) return;  // rank 0 judges
    std::string const zero = fmt::format("rank 0 on {}", line.root_host);
    end_job((states[0].heard ? missing(zero, states[0].silent) : zero + " has never answered; ") + waiting(mine));
  }

  int rank, ranks;
  std::string host = host_name();
  Line line;
  std::vector<State> states;  // rank 0: of each rank; elsewhere of rank 0
  std::atomic<double> limit{default_limit.count()};
  Report mine;
  Index number = 0;         // of the call that `mine` describes
  ThreadClock main_thread;  // of the constructing thread, which computes
  double processor_used = main_thread.seconds();
  double since_report = 0;
  int end = ::eventfd(0, EFD_CLOEXEC);  // wakes the thread
  std::jthread thread;                  // last member: it uses all others
};

Watchdog::Watchdog() { the_watchdog = this; }
Watchdog::~Watchdog() { the_watchdog = nullptr; }
Watchdog& Watchdog::of_process() {
  require(the_watchdog != nullptr, ExitCode::internal, "the watchdog is asked for outside the life of the Environment");
  return *the_watchdog;
}
void Watchdog::start(Communicator const& ranks) { thread_ = std::make_unique<Thread>(ranks); }
void Watchdog::set_limit(Seconds limit) { thread_->limit = limit.count(); }

EndRecorder::EndRecorder(Write write) {
  std::lock_guard const guard(words.mutex);
  words.write = std::move(write);
  words.answered = 0;
}
void EndRecorder::end() {
  std::lock_guard const guard(words.mutex);
  words.write = nullptr;
}
EndRecorder::~EndRecorder() { end(); }

StopImmediately::StopImmediately(std::optional<Clock::time_point> deadline, Record record) {
  std::lock_guard const guard(idle.mutex);
  idle.record = std::move(record);
  idle.deadline = deadline;
}
StopImmediately::~StopImmediately() {
  std::lock_guard const guard(idle.mutex);
  idle.record = nullptr;
}

}  // namespace partita
