// HDF5 files, groups and datasets that close themselves, with typed attributes and values. Every call is checked; a failure names file,
// object and HDF5's own reason, and carries ExitCode::storage where the file is being written, ExitCode::data where it is being read.
#pragma once
#include <hdf5.h>

#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "comm/communicator.hpp"
#include "core/require.hpp"
#include "core/state.hpp"
#include "io/files.hpp"

namespace partita::hdf5 {

using Extents = std::vector<Index>;

hid_t native_type(Element);
template <class T>
hid_t native_type() {
  if constexpr (std::is_same_v<T, std::int8_t>) return H5T_NATIVE_INT8;
  else return native_type(element_of<T>());
}
// "float32 (10, 3)": for messages.
std::string description(Element, Extents const&);

// Once one rank has failed to write to a shared file, HDF5 cannot close it in order: closing waits for all ranks and writes what is left.
// After this call no HDF5 object of this process is closed any more, and the process has to leave at once.
void abandon_files();

// An identifier and the call that closes it.
class Handle {
 public:
  using Close = herr_t (*)(hid_t);
  Handle(hid_t id, Close closer) : id_(id), close_(closer) {}
  Handle(Handle&& other) noexcept : id_(std::exchange(other.id_, H5I_INVALID_HID)), close_(other.close_) {}
  Handle& operator=(Handle&& other) noexcept {
    std::swap(id_, other.id_);
    std::swap(close_, other.close_);
    return *this;
  }
  ~Handle() { close(); }
  operator hid_t() const { return id_; }
  herr_t close();

 private:
  hid_t id_;
  Close close_;
};

// What files, groups and datasets have in common: attributes and a place for messages.
class Object {
 public:
  hid_t id() const { return handle_; }
  std::string const& name() const { return name_; }
  std::string where() const { return name_.empty() ? file_ : file_ + ": " + name_; }

  void set_attribute(std::string const& name, std::string const& text) const;  // variable-length UTF-8
  template <class T>
  requires std::is_arithmetic_v<T>
  void set_attribute(std::string const& name, T value) const { set_attribute(name, native_type<T>(), {}, &value); }
  template <class T>
  void set_attribute(std::string const& name, std::vector<T> const& values) const {
    set_attribute(name, native_type<T>(), {std::ssize(values)}, values.data());
  }
  bool has_attribute(std::string const& name) const;
  std::string text_attribute(std::string const& name) const;
  template <class T>
  T attribute(std::string const& name) const {
    require_one(name, attribute_size(name));
    T value{};
    read_attribute(name, native_type<T>(), &value);
    return value;
  }
  template <class T>
  std::vector<T> attributes(std::string const& name) const {
    std::vector<T> values(attribute_size(name));
    read_attribute(name, native_type<T>(), values.data());
    return values;
  }

 protected:
  Object(Handle handle, std::string file, std::string name, ExitCode code, Shutdown shutdown);
  // Throws what HDF5 reports last, as "<where>: cannot <action> (<reason>)".
  [[noreturn]] void failed(std::string const& action) const;
  template <class Result>
  Result checked(Result result, std::string const& action) const {
    if (result < 0) failed(action);
    return result;
  }

  Handle handle_;
  std::string file_, name_;
  ExitCode code_;
  Shutdown shutdown_;  // after a failure

 private:
  void set_attribute(std::string const& name, hid_t type, Extents const&, void const* values) const;
  std::size_t attribute_size(std::string const& name) const;
  void require_one(std::string const& name, std::size_t values) const;
  void read_attribute(std::string const& name, hid_t type, void* values) const;
};

enum class Transfer { independent, collective };

class Dataset : public Object {
 public:
  Extents extents() const;
  Index size() const;
  Index storage_bytes() const;                // of all values, whole chunks and their index included
  std::string description() const;            // "float32 (10, 3)"
  bool holds(Element, Extents const&) const;  // exactly this type and shape
  bool holds_numbers() const;                 // which HDF5 converts to any other number type
  bool fits_single_precision() const;         // by its type: floats of 4 bytes or less, integers of 2 or less

  // Rows first ... first + count of axis 0 (a scalar is one row). HDF5 converts between number types. In a collective transfer every rank
  // makes the call, with count = 0 if it has no rows; the caller holds the Scope.
  void write_rows(Index first, Index count, hid_t type, void const* values, Transfer = Transfer::independent) const;
  void read_rows(Index first, Index count, hid_t type, void* values) const;
  template <class T>
  void write(std::vector<T> const& values) const {
    write_rows(0, rows(), native_type<T>(), values.data());
  }
  template <class T>
  std::vector<T> read() const {
    std::vector<T> values(size());
    read_rows(0, rows(), native_type<T>(), values.data());
    return values;
  }

  void make_scale(std::string const& name) const;                       // names a dimension
  void attach_scales(std::vector<Dataset const*> const& scales) const;  // one for each axis

  // For a virtual dataset: the names of the files whose parts it shows, as stored.
  std::vector<std::string> sources() const;

 private:
  friend class Group;
  using Object::Object;
  Index rows() const;
  std::pair<Handle, Handle> select_rows(Index first, Index count) const;  // file space, memory space
};

// A dataset of another file, named relative to the folder of the virtual dataset that shows it from index `first` on.
struct VirtualPart {
  std::string file, dataset;
  Extents extents;
  Index first;
};

class Group : public Object {
 public:
  bool has(std::string const& path) const;  // "posterior/x"
  std::vector<std::string> names() const;   // of the links in this group, in alphabetical order
  // Paths of at most `most` datasets below it, each once even if it has several links; links into other files are not followed.
  std::vector<std::string> datasets(std::size_t most) const;
  bool is_dataset(std::string const& path) const;
  Group group(std::string const& path) const;
  Dataset dataset(std::string const& path) const;
  Group create_group(std::string const& path) const;
  // Missing groups of the path are created too. Without a chunk shape the values are contiguous; chunks are shuffled and carry Fletcher-32
  // checksums. Values that are never written are undefined.
  Dataset create_dataset(std::string const& path, hid_t type, Extents const&, Extents const& chunk = {}) const;
  // Parts one after the other along an axis; where a part is missing, real numbers read as NaN.
  Dataset create_virtual(std::string const& path, hid_t type, Extents const&, int axis, std::vector<VirtualPart> const&) const;
  template <class T>
  Dataset write(std::string const& path, std::vector<T> const& values) const {
    Dataset d = create_dataset(path, native_type<T>(), Extents{std::ssize(values)});
    d.write(values);
    return d;
  }

 protected:
  using Object::Object;

 private:
  Dataset create(std::string const& path, hid_t type, Handle const& space, Handle const& properties) const;
};

class File : public Group {
 public:
  static File in_memory(Path const& name);                   // by one process; image() gives the bytes to write to disk
  static File open(Path const&, ExitCode = ExitCode::data);  // to read, by any process
  // Collective, for writing. A failure from here on is in the middle of a collective operation: Shutdown::immediate.
  static File open_together(Path const&, Communicator const&);
  std::string_view image() const;  // the bytes of a file in memory, where they are; until it changes
  // Report errors that the destructor cannot; collective for a file that ranks have opened together, and the caller holds the Scope.
  void flush() const;
  void close();  // flushes first

 private:
  using Group::Group;
};

}  // namespace partita::hdf5
