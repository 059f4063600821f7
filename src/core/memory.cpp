#include "core/memory.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <new>
#include <regex>
#include <stdexcept>

namespace {
thread_local std::size_t refused = 0;  // bytes of the last allocation that failed

void* allocated(std::size_t bytes, std::size_t alignment) {
  while (true) {
    void* p = nullptr;
    if (alignment <= alignof(std::max_align_t)) p = std::malloc(bytes > 0 ? bytes : 1);
    else if (::posix_memalign(&p, alignment, bytes) != 0) p = nullptr;
    if (p) return p;
    if (std::new_handler const handler = std::get_new_handler()) {
      handler();
    } else {
      refused = bytes;
      throw std::bad_alloc();
    }
  }
}
}  // namespace

// std::bad_alloc does not say how much was requested, so these operators record it. All other forms of new and delete call these.
void* operator new(std::size_t bytes) { return allocated(bytes, 1); }
void* operator new(std::size_t bytes, std::align_val_t alignment) { return allocated(bytes, std::size_t(alignment)); }
void operator delete(void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }
void operator delete(void* p, std::align_val_t) noexcept { std::free(p); }
void operator delete(void* p, std::size_t, std::align_val_t) noexcept { std::free(p); }

namespace partita {
namespace {

// The number in a line "MemAvailable:   123 kB" of a file in /proc.
std::optional<double> kilobytes(char const* file, std::string const& name) {
  std::ifstream lines(file);
  for (std::string word; lines >> word;)
    if (double value; word == name + ":" && lines >> value) return 1024 * value;
  return {};
}

std::optional<double> available_on_machine() {
  auto const memory = kilobytes("/proc/meminfo", "MemAvailable");
  if (!memory) return {};
  return *memory + kilobytes("/proc/meminfo", "SwapFree").value_or(0);
}

// The size of a failed allocation, as its exception or operator new tells it; empty for other exceptions.
std::string wanted(std::exception const& e) {
  std::string const what = e.what();
  std::smatch size;
  if (std::regex_search(what, size, std::regex("llocation of size ([0-9.e+]+ )([KMGT]?)(i?B)?")))  // Kokkos 3.5: "3.7 G", of 2^30
    return fmt::format("{}{}{}", size[1].str(), size[2].str(), size[2].length() > 0 ? "iB" : "B");
  if (what.find("failed to allocate") != std::string::npos) return "more";
  if (dynamic_cast<std::bad_array_new_length const*>(&e) || dynamic_cast<std::length_error const*>(&e)) return "more than can be addressed";
  if (dynamic_cast<std::bad_alloc const*>(&e)) return refused > 0 ? readable_bytes(double(refused)) : "more";
  return {};
}

}  // namespace

std::string readable_bytes(double bytes) {
  char const* const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  int u = 0;
  for (; bytes >= 1024 && u < 4; u++) bytes /= 1024;
  return fmt::format("{:.3g} {}", bytes, units[u]);
}

std::optional<double> free_memory() {
  auto least = available_on_machine();
  struct Limit {
    decltype(RLIMIT_AS) which;
    char const* taken;
  };
  for (Limit const& l : {Limit{RLIMIT_AS, "VmSize"}, Limit{RLIMIT_DATA, "VmData"}}) {
    ::rlimit limit{};
    if (::getrlimit(l.which, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) continue;
    double const left = std::max(0., double(limit.rlim_cur) - kilobytes("/proc/self/status", l.taken).value_or(0));
    least = std::min(left, least.value_or(left));
  }
  return least;
}

void limit_memory_to_the_machine() {
  auto const available = available_on_machine(), taken = kilobytes("/proc/self/status", "VmData");
  ::rlimit limit{};
  if (!available || !taken || ::getrlimit(RLIMIT_DATA, &limit) != 0) return;
  limit.rlim_cur = std::min(limit.rlim_cur, static_cast<rlim_t>(*available + *taken));
  ::setrlimit(RLIMIT_DATA, &limit);
}

std::optional<Failure> memory_failure(std::exception const& e) {
  if (dynamic_cast<Failure const*>(&e)) return {};
  std::string const bytes = wanted(e);
  if (bytes.empty()) return {};
  auto const left = free_memory();
  return Failure(
      ExitCode::storage,
      fmt::format("out of memory: {} requested at once, {} free; use fewer chains or items, a smaller model or more nodes ('partita "
                  "check DECK' tells how much a run needs)",
                  bytes, left ? readable_bytes(*left) : "unknown"),
      FailedOn::this_rank, std::source_location::current());
}

}  // namespace partita
