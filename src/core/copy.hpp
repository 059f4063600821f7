// Copies and fills of arrays, the one place where values move between the host's memory and the device's. The work is no template: Kokkos'
// own deep_copy takes the compiler some two seconds for every pair of types, in every file anew.
#pragma once
#include <array>
#include <string>
#include <type_traits>
#include <vector>

#include "core/types.hpp"

namespace partita {

// Where the elements of a View are.
struct Elements {
  char* data;
  std::size_t bytes;  // of one
  unsigned rank;
  std::array<Index, 4> extents, strides;
  bool on_host;
};
template <class View>
Elements elements_of(View const& view) {
  static_assert(std::is_trivially_copyable_v<typename View::value_type> && unsigned(View::rank) <= 4);
  using Memory = typename View::memory_space;
  Elements e{
      const_cast<char*>(reinterpret_cast<char const*>(view.data())),    sizeof(typename View::value_type), unsigned(View::rank), {}, {},
      Kokkos::SpaceAccessibility<Kokkos::HostSpace, Memory>::accessible};
  for (unsigned axis = 0; axis < e.rank; axis++) e.extents[axis] = extent(view, axis), e.strides[axis] = Index(view.stride(axis));
  return e;
}
// Both of the same extents, with elements of as many bytes. Kernels that are called after it see what it wrote; between host and device it
// returns when the values are there, and both arrays must have their elements together, without gaps (exit code 70 if not).
void copy_elements(Elements const& to, Elements const& from);
void fill_elements(Elements const& to, void const* value);

template <class To, class From>
void copy_array(To const& to, From const& from) {
  static_assert(std::is_same_v<typename To::value_type, typename From::non_const_value_type>);
  copy_elements(elements_of(to), elements_of(from));
}
// `to` is of rank 1.
template <class To, class T>
void copy_array(To const& to, std::vector<T> const& from) {
  copy_array(to, Kokkos::View<T const*, Kokkos::HostSpace, Kokkos::MemoryUnmanaged>(from.data(), from.size()));
}
template <class View>
void fill_array(View const& view, std::type_identity_t<typename View::value_type> value) {
  fill_elements(elements_of(view), &value);
}

// The values where the host can read them: the View itself, or a copy.
template <class View>
auto values_on_host(View const& view) {
  if constexpr (Kokkos::SpaceAccessibility<Kokkos::HostSpace, typename View::memory_space>::accessible) return view;
  else {
    auto const copied_to = [](auto memory, auto const& from) {
      using Copy = Kokkos::View<typename View::non_const_data_type, typename View::array_layout, decltype(memory)>;
      Copy const to(Kokkos::view_alloc(std::string("copy"), Kokkos::WithoutInitializing), from.layout());
      copy_array(to, from);
      return to;
    };
    if (view.span_is_contiguous()) return copied_to(Kokkos::HostSpace(), view);
    return copied_to(Kokkos::HostSpace(), copied_to(typename View::memory_space(), view));
  }
}

}  // namespace partita
