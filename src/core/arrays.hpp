// The arrays of a class: one list of names and extents, from which they are made, or counted before there is any. A class makes all its
// arrays, work memory included, through an Arrays; `partita check` hands it one that lists them and makes none.
#pragma once
#include <algorithm>
#include <array>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "core/tiling.hpp"
#include "core/types.hpp"

namespace partita {

// What arrays take in memory.
class ArrayList {
 public:
  struct Line {
    std::string name;
    std::vector<Index> extents;  // of one of these arrays
    double bytes;                // of all of them
  };
  // Those with the name and the extents of one before are counted with it.
  // `on_one_rank`: they count once, whatever set_copies says.
  void add(std::string const& name, std::vector<Index> const& extents, std::size_t bytes_of_element, bool on_one_rank);
  // Arrays added from now on count so many times: as many ranks have them.
  void set_copies(Index n) { copies_ = n; }
  std::vector<Line> const& lines() const { return lines_; }
  double bytes() const;

 private:
  std::vector<Line> lines_;
  Index copies_ = 1;
};

// A new View, of zeros or of whatever is there. The usual ones are compiled once, in arrays.cpp.
template <class View>
View allocate(std::string const& name, bool zeros, std::array<std::size_t, std::size_t(View::rank)> const& extents) {
  return std::apply(
      [&](auto... n) {
        return zeros ? View(Kokkos::view_alloc(name), n...) : View(Kokkos::view_alloc(name, Kokkos::WithoutInitializing), n...);
      },
      extents);
}
template <class T>
using Allocated = Kokkos::View<T, Kokkos::LayoutRight, DeviceMemory>;
extern template Allocated<float*> allocate(std::string const&, bool, std::array<std::size_t, 1> const&);
extern template Allocated<float**> allocate(std::string const&, bool, std::array<std::size_t, 2> const&);
extern template Allocated<float***> allocate(std::string const&, bool, std::array<std::size_t, 3> const&);
extern template Allocated<double*> allocate(std::string const&, bool, std::array<std::size_t, 1> const&);
extern template Allocated<double**> allocate(std::string const&, bool, std::array<std::size_t, 2> const&);
extern template Allocated<double***> allocate(std::string const&, bool, std::array<std::size_t, 3> const&);
extern template Allocated<Index*> allocate(std::string const&, bool, std::array<std::size_t, 1> const&);
extern template Allocated<std::uint8_t*> allocate(std::string const&, bool, std::array<std::size_t, 1> const&);

class Arrays {
 public:
  Arrays() = default;                                 // makes them
  explicit Arrays(ArrayList& list) : list_(&list) {}  // lists them: Views and vectors stay empty
  bool makes() const { return list_ == nullptr; }
  // Lists what follows as "group: name".
  Arrays in(std::string const& group) const;
  // Lists what follows as held by one rank alone.
  Arrays on_one_rank() const;

  // A View of zeros, and one with whatever is there.
  template <class View, class... Extents>
  View make(char const* name, Extents... extents) const {
    return make_filled<View>(name, true, extents...);
  }
  template <class View, class... Extents>
  View make_unset(char const* name, Extents... extents) const {
    return make_filled<View>(name, false, extents...);
  }
  template <class T, class... Extents>
  std::vector<T> vector(char const* name, Extents... extents) const {
    count<T>(name, extents...);
    return std::vector<T>(makes() ? (std::size_t{1} * ... * std::size_t(extents)) : 0);
  }

  // Work memory that is kept between calls: made anew, and what it held is gone, where an extent is too small. grow_unset: not set to zero.
  template <class View, class... Extents>
  void grow(View& view, char const* name, Extents... extents) const {
    if (!holds(view, name, extents...)) enlarge(view, name, true, extents...);
  }
  template <class View, class... Extents>
  void grow_unset(View& view, char const* name, Extents... extents) const {
    if (!holds(view, name, extents...)) enlarge(view, name, false, extents...);
  }

  // The same where it is to have these extents and no others.
  template <class View, class... Extents>
  void fit(View& view, char const* name, Extents... extents) const {
    unsigned axis = 0;
    if (makes() && ((extent(view, axis++) == Index(extents)) && ...)) return;
    view = View();
    view = make<View>(name, extents...);
  }

  // Of memory that something else takes.
  template <class T, class... Extents>
  void count(char const* name, Extents... extents) const {
    if (!makes()) list_->add(group_ + name, {Index(extents)...}, sizeof(T), on_one_rank_);
  }

 private:
  template <class View, class... Extents>
  View make_filled(char const* name, bool zeros, Extents... extents) const {
    count<typename View::value_type>(name, extents...);
    return makes() ? allocate<View>(name, zeros, {std::size_t(extents)...}) : View();
  }
  // True, too, where nothing is to be made.
  template <class View, class... Extents>
  bool holds(View const& view, char const* name, Extents... extents) const {
    count<typename View::value_type>(name, extents...);
    unsigned axis = 0;
    return !makes() || ((extent(view, axis++) >= Index(extents)) && ...);
  }
  template <class View, class... Extents>
  static void enlarge(View& view, char const* name, bool zeros, Extents... extents) {
    unsigned axis = 0;
    std::array<std::size_t, sizeof...(Extents)> const wanted{std::max(view.extent(axis++), std::size_t(extents))...};
    view = View();
    view = allocate<View>(name, zeros, wanted);
  }

  ArrayList* list_ = nullptr;
  std::string group_;
  bool on_one_rank_ = false;
};

// The first of the tiles, rows and lanes of work memory.
inline Tiles leading(TileStorage const& storage, Index tiles, Index rows, Index lanes) {
  return Kokkos::subview(storage, std::pair(Index{0}, tiles), std::pair(Index{0}, rows), std::pair(Index{0}, lanes));
}
inline TileScalars leading(TileScalarStorage const& storage, Index tiles, Index lanes) {
  return Kokkos::subview(storage, std::pair(Index{0}, tiles), std::pair(Index{0}, lanes));
}

}  // namespace partita
