#include "core/emulated_device.hpp"

#include <execinfo.h>
#include <sys/mman.h>
#include <unistd.h>

#include <csignal>
#include <map>
#include <mutex>
#include <stdexcept>

#include "core/memory.hpp"
#include "core/require.hpp"

namespace partita {
namespace {

constexpr std::size_t quantum = 256;
constexpr int fresh = 0xff;  // a float or a double of such bytes is NaN, an integer -1

// Address space for all arrays, of which pages are taken as they are written.
class Arena {
 public:
  char* allocate(std::size_t bytes) {
    if (bytes > reserved) refuse(bytes);
    bytes = rounded(bytes);
    auto const hole = first_hole_of(bytes);
    std::size_t const at = hole == holes_.end() ? used_ : hole->first;
    if (hole == holes_.end()) {
      if (bytes > reserved - used_ || !make_ready(used_ + bytes)) refuse(bytes);
      used_ += bytes;
    } else {
      std::size_t const rest = hole->second - bytes;
      holes_.erase(hole);
      if (rest > 0) holes_[at + bytes] = rest;
    }
    return base_ + at;
  }

  void release(char* place, std::size_t bytes) {
    auto const at = std::size_t(place - base_);
    auto const here = holes_.emplace(at, rounded(bytes)).first;
    if (auto const next = std::next(here); next != holes_.end() && here->first + here->second == next->first) {
      here->second += next->second;
      holes_.erase(next);
    }
    if (here == holes_.begin()) return;
    if (auto const previous = std::prev(here); previous->first + previous->second == here->first) {
      previous->second += here->second;
      holes_.erase(here);
    }
  }

  // Lets the calling thread access the memory or not, by the key of its pages, which takes nanoseconds. Where the processor has no such
  // keys the pages stay open: to change them at every kernel would take most of the time.
  void set_open(bool open) const {
    if (has_key()) pkey_set(key_, open ? 0 : PKEY_DISABLE_ACCESS);
  }
  bool has_key() const { return key_ >= 0; }
  bool holds(void const* address) const {
    auto const* const at = static_cast<char const*>(address);
    return base_ != nullptr && at >= base_ && at < base_ + reserved;
  }

  // As Kokkos does: core/memory.hpp makes a Failure of it.
  [[noreturn]] static void refuse(std::size_t bytes) {
    throw std::runtime_error(fmt::format("the emulated device: allocation of size {} failed", readable_bytes(double(bytes))));
  }

 private:
  static constexpr std::size_t reserved = std::size_t{64} << 30;
  static std::size_t rounded(std::size_t bytes) { return (std::max<std::size_t>(bytes, 1) + quantum - 1) / quantum * quantum; }
  std::map<std::size_t, std::size_t>::iterator first_hole_of(std::size_t bytes) {
    return std::find_if(holes_.begin(), holes_.end(), [bytes](auto const& hole) { return hole.second >= bytes; });
  }
  // Pages up to `bytes` can be opened; they are open. False where the machine has too little memory.
  bool make_ready(std::size_t bytes) {
    if (base_ == nullptr) {
      void* const place = mmap(nullptr, reserved, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
      if (place == MAP_FAILED) return false;
      base_ = static_cast<char*>(place);
      key_ = pkey_alloc(0, 0);
    }
    if (bytes <= ready_) return true;
    std::size_t const more = (bytes - ready_ + step - 1) / step * step;
    int const how = PROT_READ | PROT_WRITE;
    if ((has_key() ? pkey_mprotect(base_ + ready_, more, how, key_) : mprotect(base_ + ready_, more, how)) != 0) return false;
    ready_ += more;
    return true;
  }
  static constexpr std::size_t step = std::size_t{1} << 20;  // whole pages
  char* base_ = nullptr;
  int key_ = -1;                              // of the pages
  std::size_t used_ = 0;                      // up to the end of the last array
  std::size_t ready_ = 0;                     // of pages
  std::map<std::size_t, std::size_t> holes_;  // bytes, by where they begin
};

Arena arena;
std::recursive_mutex lock;
int depth = 0;  // of kernels and copies
EmulatedDevice::Counts counted = {};

// Says what happened and lets the access end the program, as on a GPU.
void on_fault(int signal, siginfo_t* info, void*) {
  std::signal(signal, SIG_DFL);
  if (!arena.holds(info->si_addr)) return;
  constexpr char text[] = "a bug in Partita: the host accesses the device's memory outside a kernel and a copy, called by\n";
  if (write(STDERR_FILENO, text, sizeof text - 1) < 0) return;
  void* frames[32];
  backtrace_symbols_fd(frames, backtrace(frames, 32), STDERR_FILENO);
}

void begin_kernel(char const*, std::uint32_t, std::uint64_t*) {
  counted.launches++;
  EmulatedDevice::open();
}
void begin_reduction(char const* name, std::uint32_t space, std::uint64_t* id) {
  EmulatedDevice::count_wait();
  begin_kernel(name, space, id);
}
void end_kernel(std::uint64_t) { EmulatedDevice::close(); }

}  // namespace

void EmulatedDevice::open() {
  std::lock_guard const hold(lock);
  if (depth++ == 0) arena.set_open(true);
}

void EmulatedDevice::close() {
  std::lock_guard const hold(lock);
  if (--depth == 0) arena.set_open(false);
}

bool EmulatedDevice::is_open() { return depth > 0; }
bool EmulatedDevice::closes_addresses() { return arena.has_key(); }

void EmulatedDevice::require_open() {
  require(is_open(), ExitCode::internal, "the host accesses an element of an array in the device's memory");
}

void EmulatedDevice::copy(void* to, void const* from, std::size_t bytes) {
  counted.copies++, counted.copied_bytes += bytes;
  count_wait();
  open();
  std::memcpy(to, from, bytes);
  close();
}

EmulatedDevice::Counts EmulatedDevice::counts() { return counted; }
void EmulatedDevice::count_wait() { counted.waits++; }

void EmulatedDevice::install() {
  namespace tools = Kokkos::Tools::Experimental;
  tools::set_begin_parallel_for_callback(begin_kernel), tools::set_end_parallel_for_callback(end_kernel);
  tools::set_begin_parallel_reduce_callback(begin_reduction), tools::set_end_parallel_reduce_callback(end_kernel);
  tools::set_begin_parallel_scan_callback(begin_kernel), tools::set_end_parallel_scan_callback(end_kernel);
  void* frame;
  backtrace(&frame, 1);  // loads its library, which a signal handler must not
  struct sigaction action = {};
  action.sa_sigaction = on_fault;
  action.sa_flags = SA_SIGINFO;
  sigaction(SIGSEGV, &action, nullptr);
}

void* EmulatedDevice::allocate(std::size_t bytes) const {
  std::lock_guard const hold(lock);
  counted.allocations++;
  char* const place = arena.allocate(bytes);
  open();
  std::memset(place, fresh, bytes);
  close();
  return place;
}
void* EmulatedDevice::allocate(char const*, std::size_t bytes, std::size_t) const { return allocate(bytes); }

void EmulatedDevice::deallocate(void* place, std::size_t bytes) const {
  std::lock_guard const hold(lock);
  if (place != nullptr) arena.release(static_cast<char*>(place), bytes);
}
void EmulatedDevice::deallocate(char const*, void* place, std::size_t bytes, std::size_t) const { deallocate(place, bytes); }

}  // namespace partita
