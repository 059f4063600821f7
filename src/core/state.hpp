// What a checkpoint holds: every part of a run names its own Views and scalars here, once, for writing and reading.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

#include "core/copy.hpp"
#include "core/tiling.hpp"
#include "core/types.hpp"

namespace partita {

enum class Element { real32, real64, int32, int64, uint64, uint8 };

template <class T>
constexpr Element element_of() {
  if constexpr (std::is_same_v<T, float>) return Element::real32;
  else if constexpr (std::is_same_v<T, double>) return Element::real64;
  else if constexpr (std::is_same_v<T, std::int32_t>) return Element::int32;
  else if constexpr (std::is_same_v<T, std::int64_t>) return Element::int64;
  else if constexpr (std::is_same_v<T, std::uint64_t>) return Element::uint64;
  else {
    static_assert(std::is_same_v<T, std::uint8_t>, "element type that a checkpoint can hold");
    return Element::uint8;
  }
}
constexpr std::size_t bytes_of(Element e) {
  return e == Element::real64 || e == Element::int64 || e == Element::uint64 ? 8 : e == Element::uint8 ? 1 : 4;
}

// One array of the state. A replicated field is the same on every rank; a field by tile has the rank's tiles along axis 0. Rows along axis
// 0 are copied a few at a time, so that a field need not be there twice; a scalar is one row.
struct StateField {
  std::string name;  // path inside the file, "sampler/x"
  Element element;
  std::vector<Index> extents;  // on this rank, row-major
  bool by_tile = false;
  TileRange rows;         // by_tile: this rank's rows of axis 0
  Index global_rows = 0;  // by_tile: extent of axis 0 over all ranks
  // Copies `count` of this rank's rows from local row `first` on, contiguous, to host memory, and back.
  std::function<void(void* to, Index first, Index count)> save_rows;
  std::function<void(void const* from, Index first, Index count)> restore_rows;
  std::function<void()> restored = {};  // called when all rows are back

  Index length() const { return extents.empty() ? 1 : extents[0]; }  // rows
  Index elements_of_row() const {
    Index n = 1;
    for (std::size_t axis = 1; axis < extents.size(); axis++) n *= extents[axis];
    return n;
  }
  Index size() const { return length() * elements_of_row(); }
  Index bytes_of_row() const { return elements_of_row() * Index(bytes_of(element)); }
  void save(void* to) const { save_rows(to, 0, length()); }
  void restore(void const* from) const {
    restore_rows(from, 0, length());
    if (restored) restored();
  }
};

class State {
 public:
  // A View that every rank holds alike.
  template <class View>
  void add(std::string name, View const& view) {
    fields_.push_back(field(std::move(name), view));
  }
  // A View whose axis 0 counts this rank's tiles.
  template <class View>
  void add_by_tile(std::string name, View const& view, TileRange mine, Index all_tiles) {
    StateField f = field(std::move(name), view);
    f.by_tile = true;
    f.rows = mine;
    f.global_rows = all_tiles;
    fields_.push_back(std::move(f));
  }
  // A host scalar that every rank holds alike; it must outlive the State.
  template <class T>
  requires std::is_arithmetic_v<T>
  void add_scalar(std::string name, T& value) {
    fields_.push_back({std::move(name),
                       element_of<T>(),
                       {},
                       false,
                       {},
                       0,
                       [&value](void* to, Index, Index) { *static_cast<T*>(to) = value; },
                       [&value](void const* from, Index, Index) { value = *static_cast<T const*>(from); }});
  }
  // A field with its own copy functions (a container that is not a View).
  void add_field(StateField f) { fields_.push_back(std::move(f)); }

  // All fields of another state, inside the group `prefix`.
  void add_group(std::string const& prefix, State const& other) {
    for (StateField f : other.fields_) {
      f.name = prefix + "/" + f.name;
      fields_.push_back(std::move(f));
    }
  }

  // All fields but those whose names begin with one of these.
  State without(std::vector<std::string> const& beginnings) const {
    State rest;
    for (StateField const& f : fields_) {
      bool left_out = false;
      for (std::string const& b : beginnings) left_out = left_out || f.name.starts_with(b);
      if (!left_out) rest.fields_.push_back(f);
    }
    return rest;
  }

  std::vector<StateField> const& fields() const { return fields_; }

 private:
  template <class View>
  static StateField field(std::string name, View const& view) {
    static_assert(std::is_same_v<typename View::array_layout, Kokkos::LayoutRight>, "state Views are contiguous and row-major");
    return field(std::move(name), element_of<typename View::non_const_value_type>(), elements_of(view), std::make_shared<View>(view));
  }
  // `owner` keeps the elements.
  static StateField field(std::string name, Element, Elements const&, std::shared_ptr<void const> owner);

  std::vector<StateField> fields_;
};

}  // namespace partita
