// What a rank calls together with the others: each call is described, the last ones are kept, and a call that is under way is known to the
// watchdog.
#pragma once
#include <array>
#include <mutex>
#include <source_location>
#include <string>
#include <string_view>
#include <vector>

#include "core/types.hpp"

namespace partita {

// One collective call. The texts are literals; what all ranks must have alike is compared by PARTITA_CHECK_COLLECTIVES.
struct CollectiveCall {
  std::string_view operation;       // "all_reduce"
  std::source_location at = {};     // the caller's place
  std::string_view type = {};       // of the elements; empty: the call has none
  std::string_view reduction = {};  // empty: not a reduction
  Index count = -1;                 // of elements; -1: each rank has its own
  int root = -1;                    // -1: none
  std::string text() const;         // "all_reduce(sum, 3 double) at src/driver/stop.cpp:45:20"
};

// The part of a source file's name from src/ or tests/ on.
std::string source_path(std::string_view file);

// The last calls of this process, written by the thread that makes them and read by the watchdog.
class CollectiveRecord {
 public:
  static constexpr std::size_t length = 64;
  struct Current {
    Index number = 0;      // of calls begun so far
    bool waiting = false;  // the last of these calls has not returned yet
    CollectiveCall call;
  };

  static CollectiveRecord& of_process();
  void enter(CollectiveCall const&);
  void leave();
  Current current() const;
  // The last calls, the newest first: "1204 all_reduce(...) at ..., 0.3 s ago".
  std::vector<std::string> last() const;

 private:
  struct Entry {
    CollectiveCall call;
    double begun = 0;  // seconds of a steady clock
  };
  mutable std::mutex mutex_;
  std::array<Entry, length> ring_;
  Index number_ = 0;
  bool waiting_ = false;
};

// Time that the process spends in one collective call.
class CollectiveWait {
 public:
  explicit CollectiveWait(CollectiveCall const& call) { CollectiveRecord::of_process().enter(call); }
  ~CollectiveWait() { CollectiveRecord::of_process().leave(); }
  CollectiveWait(CollectiveWait const&) = delete;
  CollectiveWait& operator=(CollectiveWait const&) = delete;
};

}  // namespace partita
