// The one way to fail: require(condition, code, "problem (reason), what to do").
#pragma once
#include <fmt/format.h>

#include <source_location>
#include <stdexcept>
#include <string>
#include <utility>

namespace partita {

// Exit codes of the program; each tells what kind of action is needed, and whose.
enum class ExitCode : int {
  done = 0,
  usage = 2,          // bad command line or deck
  data = 3,           // bad data or checkpoint
  storage = 4,        // disk full, read-only, permission
  numerical = 5,      // non-finite state
  locked = 6,         // run directory in use by another run
  communication = 7,  // dead or hung rank, MPI or NCCL error
  internal = 70,      // a bug in Partita
  stopped_early = 85  // valid checkpoint written: restart the run
};

// Who knows of a failure. A failure that every rank meets at the same place is reported once and all ranks leave in order;
// one that only this rank has met aborts the others.
enum class FailedOn { this_rank, all_ranks };

// How a failure ends the program. In the middle of a collective operation nothing that needs all ranks can be closed in order, neither a
// file that they write together nor MPI: code that catches such a failure makes no collective call and rethrows it.
enum class Shutdown { orderly, immediate };

class Failure : public std::runtime_error {
 public:
  Failure(ExitCode code, std::string const& message, FailedOn where, std::source_location at, Shutdown shutdown = Shutdown::orderly);
  ExitCode code() const { return code_; }
  FailedOn where() const { return where_; }
  std::source_location location() const { return location_; }
  Shutdown shutdown() const { return shutdown_; }

 private:
  ExitCode code_;
  FailedOn where_;
  std::source_location location_;
  Shutdown shutdown_;
};

[[noreturn]] void fail(ExitCode code, std::string const& message, FailedOn where = FailedOn::this_rank,
                       std::source_location at = std::source_location::current(), Shutdown shutdown = Shutdown::orderly);

// A format string that remembers where it was written, so that messages need no macro.
template <class... Args>
struct Message {
  fmt::format_string<Args...> text;
  std::source_location at;
  template <class T>
  consteval Message(T const& t, std::source_location l = std::source_location::current()) : text(t), at(l) {}
};

// Failures met by one rank alone.
template <class... Args>
void require(bool condition, ExitCode code, Message<std::type_identity_t<Args>...> message, Args&&... args) {
  if (!condition) [[unlikely]]
    fail(code, fmt::format(message.text, std::forward<Args>(args)...), FailedOn::this_rank, message.at);
}
// Failures that every rank meets together (the same deck, an already reduced verdict).
template <class... Args>
void require_all(bool condition, ExitCode code, Message<std::type_identity_t<Args>...> message, Args&&... args) {
  if (!condition) [[unlikely]]
    fail(code, fmt::format(message.text, std::forward<Args>(args)...), FailedOn::all_ranks, message.at);
}

}  // namespace partita
