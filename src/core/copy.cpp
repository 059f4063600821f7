#include "core/copy.hpp"

#include <algorithm>
#include <cstring>

#include "core/require.hpp"

namespace partita {
namespace {

// Nested loops over the elements of two arrays, outermost first, as few as there can be.
struct Loops {
  int depth = 0;
  Index count[4] = {}, to[4] = {}, from[4] = {};  // strides in elements

  void add(Index n, Index to_stride, Index from_stride) {
    bool const goes_on = depth > 0 && to[depth - 1] == n * to_stride && from[depth - 1] == n * from_stride;
    if (!goes_on) count[depth++] = 1;
    count[depth - 1] *= n, to[depth - 1] = to_stride, from[depth - 1] = from_stride;
  }
  bool together() const { return depth == 1 && to[0] == 1 && from[0] == 1; }
  Index rows() const {
    Index n = 1;
    for (int k = 0; k + 1 < depth; k++) n *= count[k];
    return n;
  }
};

Loops loops_over(Elements const& to, std::array<Index, 4> const& from_strides) {
  Loops loops;
  for (unsigned axis = 0; axis < to.rank; axis++)
    if (to.extents[axis] != 1) loops.add(to.extents[axis], to.strides[axis], from_strides[axis]);
  if (loops.depth == 0) loops.add(1, 1, 1);
  return loops;
}

bool is_empty(Elements const& e) {
  return std::any_of(e.extents.begin(), e.extents.begin() + e.rank, [](Index n) { return n == 0; });
}

// Calls piece(first element of `to`, of `from`, number of elements) for all pieces of all rows, in parallel: on the host long ones, on a
// device elements.
template <class Space, class Piece>
void for_pieces(Loops const& loops, Piece const& piece) {
  bool const on_host = Kokkos::SpaceAccessibility<Kokkos::HostSpace, typename Space::memory_space>::accessible;
  int const last = loops.depth - 1;
  Index const row = loops.count[last], length = on_host ? std::min(row, Index{1} << 16) : 1, pieces = divide_up(row, length);
  Kokkos::parallel_for(
      "pieces of arrays", Kokkos::RangePolicy<Space, Kokkos::IndexType<Index>>(0, loops.rows() * pieces), KOKKOS_LAMBDA(Index k) {
        Index const first = k % pieces * length;
        Index to = first * loops.to[last], from = first * loops.from[last];
        Index rest = k / pieces;
        for (int axis = last - 1; axis >= 0; axis--) {
          Index const i = rest % loops.count[axis];
          rest /= loops.count[axis];
          to += i * loops.to[axis], from += i * loops.from[axis];
        }
        piece(to, from, length < row - first ? length : row - first);
      });
}

template <class Space, std::size_t bytes>
void copy_pieces(Loops const& loops, char* to, char const* from) {
  Index const a = loops.to[loops.depth - 1] * bytes, b = loops.from[loops.depth - 1] * bytes;
  for_pieces<Space>(
      loops, KOKKOS_LAMBDA(Index to_first, Index from_first, Index n) {
        char* const t = to + to_first * bytes;
        char const* const f = from + from_first * bytes;
        if (a == bytes && b == bytes) std::memcpy(t, f, std::size_t(n) * bytes);
        else
          for (Index i = 0; i < n; i++) std::memcpy(t + i * a, f + i * b, bytes);
      });
}

template <class Space, class Word>
void fill_pieces(Loops const& loops, char* to, void const* value) {
  Word word;
  std::memcpy(&word, value, sizeof(Word));
  Index const a = loops.to[loops.depth - 1] * Index(sizeof(Word));
  for_pieces<Space>(
      loops, KOKKOS_LAMBDA(Index first, Index, Index n) {
        char* const t = to + first * Index(sizeof(Word));
        if (a == sizeof(Word))
          for (Index i = 0; i < n; i++) std::memcpy(t + i * Index(sizeof(Word)), &word, sizeof(Word));
        else
          for (Index i = 0; i < n; i++) std::memcpy(t + i * a, &word, sizeof(Word));
      });
}

template <class Space>
void copy_within(Loops const& loops, Elements const& to, Elements const& from) {
  if (to.bytes == 1) copy_pieces<Space, 1>(loops, to.data, from.data);
  else if (to.bytes == 4) copy_pieces<Space, 4>(loops, to.data, from.data);
  else copy_pieces<Space, 8>(loops, to.data, from.data);
}

template <class Space>
void fill_within(Loops const& loops, Elements const& to, void const* value) {
  if (to.bytes == 1) fill_pieces<Space, std::uint8_t>(loops, to.data, value);
  else if (to.bytes == 4) fill_pieces<Space, std::uint32_t>(loops, to.data, value);
  else fill_pieces<Space, std::uint64_t>(loops, to.data, value);
}

template <class To, class From>
void move_bytes(Elements const& to, Elements const& from, Index elements) {
  std::size_t const bytes = to.bytes * std::size_t(elements);
  Kokkos::deep_copy(Kokkos::View<char*, To, Kokkos::MemoryUnmanaged>(to.data, bytes),
                    Kokkos::View<char const*, From, Kokkos::MemoryUnmanaged>(from.data, bytes));
}

void require_size(Elements const& e) {
  require(e.bytes == 1 || e.bytes == 4 || e.bytes == 8, ExitCode::internal, "arrays with elements of {} bytes", e.bytes);
}

}  // namespace

void copy_elements(Elements const& to, Elements const& from) {
  require_size(to);
  require(to.rank == from.rank && std::equal(to.extents.begin(), to.extents.begin() + to.rank, from.extents.begin()), ExitCode::internal,
          "arrays of other extents are copied");
  if (is_empty(to) || to.data == from.data) return;
  Loops const loops = loops_over(to, from.strides);
  if (to.on_host && from.on_host) return copy_within<Kokkos::DefaultHostExecutionSpace>(loops, to, from);
  if constexpr (!runs_on_host) {
    if (!to.on_host && !from.on_host) return copy_within<Execution>(loops, to, from);
    require(loops.together(), ExitCode::internal, "arrays with gaps are copied between host and device");
    if (to.on_host) move_bytes<Kokkos::HostSpace, DeviceMemory>(to, from, loops.count[0]);
    else move_bytes<DeviceMemory, Kokkos::HostSpace>(to, from, loops.count[0]);
  }
}

void fill_elements(Elements const& to, void const* value) {
  require_size(to);
  if (is_empty(to)) return;
  Loops const loops = loops_over(to, to.strides);
  if (to.on_host) fill_within<Kokkos::DefaultHostExecutionSpace>(loops, to, value);
  else fill_within<Execution>(loops, to, value);
}

}  // namespace partita
