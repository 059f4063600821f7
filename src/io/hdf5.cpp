#include "io/hdf5.hpp"

#include <fcntl.h>
#include <hdf5_hl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <limits>

#include "comm/parallel_hdf5.hpp"
#include "core/regular_file.hpp"
#include "io/together.hpp"

namespace partita::hdf5 {
namespace {

#if H5_VERSION_GE(1, 12, 0)
constexpr auto visit_objects = H5Ovisit3;
#else
constexpr auto visit_objects = H5Ovisit2;
#endif

// HDF5's most specific message; where that quotes the operating system's, only the quoted part.
std::string reason() {
  std::string text;
  auto const innermost = [](unsigned n, H5E_error2_t const* e, void* to) -> herr_t {
    if (n == 0 && e->desc) *static_cast<std::string*>(to) = e->desc;
    return 0;
  };
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, innermost, &text);
  constexpr char quote[] = "error message = '";
  if (std::size_t const at = text.find(quote); at != std::string::npos) {
    std::size_t const from = at + sizeof quote - 1;
    return text.substr(from, text.find('\'', from) - from);
  }
  return text.empty() ? "HDF5 gives no reason" : text;
}

[[noreturn]] void fail_with_reason(ExitCode code, std::string const& where, std::string const& action,
                                   Shutdown shutdown = Shutdown::orderly) {
  std::string const why = reason();
  if (shutdown == Shutdown::immediate) abandon_files();
  fail(code, fmt::format("{}: cannot {} ({})", where, action, why), FailedOn::this_rank, std::source_location::current(), shutdown);
}

// After a file could not be opened.
std::string advice_on(Path const& path) {
  if (::access(path.c_str(), R_OK) != 0) return "; give yourself the right to read it";
  if (H5Fis_hdf5(path.c_str()) > 0) return "; it is damaged, or not whole: copy or make it again";
  return "; it is of another format, or damaged: name an HDF5 file, or copy or make it again";
}

bool abandoned = false;

Handle property_list(hid_t kind) { return {H5Pcreate(kind), H5Pclose}; }
Handle simple_space(Extents const& extents) {
  std::vector<hsize_t> const n(extents.begin(), extents.end());
  return {n.empty() ? H5Screate(H5S_SCALAR) : H5Screate_simple(int(n.size()), n.data(), nullptr), H5Sclose};
}
Handle text_type() {
  Handle type(H5Tcopy(H5T_C_S1), H5Tclose);
  H5Tset_size(type, H5T_VARIABLE);
  H5Tset_cset(type, H5T_CSET_UTF8);
  return type;
}

// The run lock protects the files of a run, and file systems without flock would refuse HDF5's own locks.
Handle file_access() {
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
  Handle access = property_list(H5P_FILE_ACCESS);
#if H5_VERSION_GE(1, 12, 1) || (H5_VERS_MINOR == 10 && H5_VERS_RELEASE >= 7)
  H5Pset_file_locking(access, false, true);
#endif
  return access;
}

struct NamedType {
  Element element;
  char const* name;
};
constexpr NamedType element_names[] = {{Element::real32, "float32"}, {Element::real64, "float64"}, {Element::int32, "int32"},
                                       {Element::int64, "int64"},    {Element::uint64, "uint64"},  {Element::uint8, "uint8"}};

std::string type_name(hid_t stored) {
  for (auto const& known : element_names)
    if (H5Tequal(stored, native_type(known.element)) > 0) return known.name;
  std::size_t const bytes = H5Tget_size(stored);
  switch (H5Tget_class(stored)) {
    case H5T_INTEGER:
      return fmt::format("{}integer of {} bytes", H5Tget_sign(stored) == H5T_SGN_NONE ? "unsigned " : "", bytes);
    case H5T_FLOAT:
      return fmt::format("floating-point number of {} bytes", bytes);
    case H5T_STRING:
      return "text";
    case H5T_ENUM:
      return fmt::format("enumeration of {} names", H5Tget_nmembers(stored));  // with two names often truth values
    case H5T_COMPOUND:
      return fmt::format("record of {} fields", H5Tget_nmembers(stored));
    default:
      return "opaque value";
  }
}

std::string described(std::string const& type, Extents const& extents) {
  return extents.empty() ? "one " + type : fmt::format("{} ({})", type, fmt::join(extents, ", "));
}

}  // namespace

void abandon_files() { abandoned = true; }
herr_t Handle::close() {
  hid_t const id = std::exchange(id_, H5I_INVALID_HID);
  return id < 0 || abandoned ? 0 : close_(id);
}

hid_t native_type(Element e) {
  switch (e) {
    case Element::real32:
      return H5T_NATIVE_FLOAT;
    case Element::real64:
      return H5T_NATIVE_DOUBLE;
    case Element::int32:
      return H5T_NATIVE_INT32;
    case Element::int64:
      return H5T_NATIVE_INT64;
    case Element::uint64:
      return H5T_NATIVE_UINT64;
    case Element::uint8:
      return H5T_NATIVE_UINT8;
  }
  fail(ExitCode::internal, "element type without an HDF5 type");
}
std::string description(Element element, Extents const& extents) {
  for (auto const& known : element_names)
    if (known.element == element) return described(known.name, extents);
  fail(ExitCode::internal, "element type without a name");
}

Object::Object(Handle handle, std::string file, std::string name, ExitCode code, Shutdown shutdown)
    : handle_(std::move(handle)), file_(std::move(file)), name_(std::move(name)), code_(code), shutdown_(shutdown) {}

void Object::failed(std::string const& action) const { fail_with_reason(code_, where(), action, shutdown_); }

void Object::set_attribute(std::string const& name, std::string const& text) const {
  char const* const characters = text.c_str();
  set_attribute(name, text_type(), {}, &characters);
}
void Object::set_attribute(std::string const& name, hid_t type, Extents const& extents, void const* values) const {
  Handle const space = simple_space(extents);
  Handle const attribute(H5Acreate2(id(), name.c_str(), type, space, H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
  checked(hid_t{attribute}, "create attribute '" + name + "'");
  checked(H5Awrite(attribute, type, values), "write attribute '" + name + "'");
}
bool Object::has_attribute(std::string const& name) const {
  return checked(H5Aexists(id(), name.c_str()), "look for attribute '" + name + "'") > 0;
}

std::size_t Object::attribute_size(std::string const& name) const {
  constexpr hssize_t most = 1 << 20;
  Handle const attribute(H5Aopen(id(), name.c_str(), H5P_DEFAULT), H5Aclose);
  checked(hid_t{attribute}, "open attribute '" + name + "'");
  Handle const space(H5Aget_space(attribute), H5Sclose);
  auto const size = checked(H5Sget_simple_extent_npoints(space), "read the shape of attribute '" + name + "'");
  require(size <= most, code_, "{}: attribute '{}' has {} values, more than an attribute of this program's files has", where(), name, size);
  return std::size_t(size);
}
void Object::require_one(std::string const& name, std::size_t values) const {
  require(values == 1, code_, "{}: attribute '{}' has {} values, wanted one", where(), name, values);
}
void Object::read_attribute(std::string const& name, hid_t type, void* values) const {
  Handle const attribute(H5Aopen(id(), name.c_str(), H5P_DEFAULT), H5Aclose);
  checked(hid_t{attribute}, "open attribute '" + name + "'");
  checked(H5Aread(attribute, type, values), "read attribute '" + name + "'");
}
std::string Object::text_attribute(std::string const& name) const {
  Handle const attribute(H5Aopen(id(), name.c_str(), H5P_DEFAULT), H5Aclose);
  checked(hid_t{attribute}, "open attribute '" + name + "'");
  Handle const stored(H5Aget_type(attribute), H5Tclose);
  require(H5Tget_class(stored) == H5T_STRING, code_, "{}: attribute '{}' is not text", where(), name);
  require_one(name, attribute_size(name));
  if (H5Tis_variable_str(stored) > 0) {
    char* characters = nullptr;
    checked(H5Aread(attribute, stored, &characters), "read attribute '" + name + "'");
    std::string text = characters ? characters : "";
    H5free_memory(characters);
    return text;
  }
  std::string text(H5Tget_size(stored) + 1, '\0');
  checked(H5Aread(attribute, stored, text.data()), "read text attribute '" + name + "'");
  return text.c_str();
}

Extents Dataset::extents() const {
  Handle const space(H5Dget_space(id()), H5Sclose);
  std::vector<hsize_t> n(checked(H5Sget_simple_extent_ndims(space), "read its shape"));
  if (!n.empty()) checked(H5Sget_simple_extent_dims(space, n.data(), nullptr), "read its shape");
  return {n.begin(), n.end()};
}
Index Dataset::size() const {
  Index n = 1;
  for (Index e : extents())
    require(!__builtin_mul_overflow(n, e, &n), code_, "{}: found {}, more values than can be counted", where(), description());
  return n;
}
Index Dataset::storage_bytes() const {
  Handle const properties(H5Dget_create_plist(id()), H5Pclose), stored(H5Dget_type(id()), H5Tclose);
  Index const value = Index(H5Tget_size(stored));
  if (H5Pget_layout(properties) != H5D_CHUNKED) return size() * value;
  constexpr Index about_each_chunk = 128;  // bytes; a generous bound for its entry in the index and its checksum
  Extents const whole = extents();
  std::vector<hsize_t> chunk(whole.size());
  checked(H5Pget_chunk(properties, int(chunk.size()), chunk.data()), "read its chunk shape");
  Index chunks = 1, values = 1;
  for (std::size_t axis = 0; axis < whole.size(); axis++) {
    chunks *= divide_up(whole[axis], Index(chunk[axis]));
    values *= Index(chunk[axis]);
  }
  return chunks * (values * value + about_each_chunk);
}
Index Dataset::rows() const {
  Extents const e = extents();
  return e.empty() ? 1 : e[0];
}
bool Dataset::fits_single_precision() const {
  Handle const stored(H5Dget_type(id()), H5Tclose);
  return H5Tget_size(stored) <= (H5Tget_class(stored) == H5T_INTEGER ? 2 : sizeof(float));
}
std::string Dataset::description() const {
  Handle const stored(H5Dget_type(id()), H5Tclose);
  return described(type_name(stored), extents());
}
bool Dataset::holds_numbers() const {
  Handle const stored(H5Dget_type(id()), H5Tclose);
  H5T_class_t const kind = H5Tget_class(stored);
  return kind == H5T_INTEGER || kind == H5T_FLOAT || kind == H5T_ENUM;  // HDF5 reads names of an enumeration as their numbers
}
bool Dataset::holds(Element element, Extents const& wanted) const {
  Handle const stored(H5Dget_type(id()), H5Tclose);
  return H5Tequal(stored, native_type(element)) > 0 && extents() == wanted;
}

std::pair<Handle, Handle> Dataset::select_rows(Index first, Index count) const {
  Extents part = extents();
  bool const scalar = part.empty();
  if (!scalar) part[0] = count;
  Handle stored(H5Dget_space(id()), H5Sclose), memory = simple_space(part);
  if (scalar) return {std::move(stored), std::move(memory)};
  std::vector<hsize_t> const n(part.begin(), part.end());
  std::vector<hsize_t> start(n.size(), 0);
  start[0] = static_cast<hsize_t>(first);
  bool const nothing = std::find(n.begin(), n.end(), hsize_t{0}) != n.end();
  if (nothing) checked(H5Sselect_none(memory), "select nothing");
  checked(nothing ? H5Sselect_none(stored) : H5Sselect_hyperslab(stored, H5S_SELECT_SET, start.data(), nullptr, n.data(), nullptr),
          "select rows");
  return {std::move(stored), std::move(memory)};
}
void Dataset::write_rows(Index first, Index count, hid_t type, void const* values, Transfer transfer) const {
  auto const [stored, memory] = select_rows(first, count);
  Handle const properties = property_list(H5P_DATASET_XFER);
  if (transfer == Transfer::collective) checked(H5Pset_dxpl_mpio(properties, H5FD_MPIO_COLLECTIVE), "ask for a collective transfer");
  double const nothing = 0;  // HDF5 refuses a null pointer even where no rows are written
  checked(H5Dwrite(id(), type, memory, stored, properties, values ? values : &nothing), "write");
}
void Dataset::read_rows(Index first, Index count, hid_t type, void* values) const {
  require(holds_numbers(), code_,
          "{}: found {}, wanted numbers; write them as such (array.astype(\"float64\") in Python), or name another dataset", where(),
          description());
  auto const [stored, memory] = select_rows(first, count);
  double nothing = 0;
  checked(H5Dread(id(), type, memory, stored, H5P_DEFAULT, values ? values : &nothing), "read");
}

void Dataset::make_scale(std::string const& name) const { checked(H5DSset_scale(id(), name.c_str()), "make it a dimension scale"); }
void Dataset::attach_scales(std::vector<Dataset const*> const& scales) const {
  for (unsigned axis = 0; axis < scales.size(); axis++)
    checked(H5DSattach_scale(id(), scales[axis]->id(), axis), "attach " + scales[axis]->where());
}
std::vector<std::string> Dataset::sources() const {
  Handle const properties(H5Dget_create_plist(id()), H5Pclose);
  std::size_t count = 0;
  if (H5Pget_layout(properties) == H5D_VIRTUAL) checked(H5Pget_virtual_count(properties, &count), "count its parts");
  std::vector<std::string> files;
  for (std::size_t i = 0; i < count; i++) {
    std::string name(checked(H5Pget_virtual_filename(properties, i, nullptr, 0), "name its parts"), '\0');
    checked(H5Pget_virtual_filename(properties, i, name.data(), name.size() + 1), "name its parts");
    files.push_back(name);
  }
  return files;
}

bool Group::has(std::string const& path) const {
  for (std::size_t end = path.find('/'); end != std::string::npos; end = path.find('/', end + 1))
    if (end > 0 && H5Lexists(id(), path.substr(0, end).c_str(), H5P_DEFAULT) <= 0) return false;
  return H5Lexists(id(), path.c_str(), H5P_DEFAULT) > 0;
}
std::vector<std::string> Group::names() const {
  std::vector<std::string> found;
  auto const add = [](hid_t, char const* name, H5L_info_t const*, void* to) -> herr_t {
    static_cast<std::vector<std::string>*>(to)->push_back(name);
    return 0;
  };
  checked(H5Literate(id(), H5_INDEX_NAME, H5_ITER_INC, nullptr, add, &found), "list its contents");
  return found;
}
std::vector<std::string> Group::datasets(std::size_t most) const {
  struct Found {
    std::size_t most;
    std::vector<std::string> paths;
  } found{most, {}};
  auto const add = [](hid_t, char const* path, H5O_info_t const* object, void* to) -> herr_t {
    auto& all = *static_cast<Found*>(to);
    if (object->type == H5O_TYPE_DATASET) all.paths.emplace_back(path);
    return all.paths.size() >= all.most;
  };
  checked(visit_objects(id(), H5_INDEX_NAME, H5_ITER_INC, add, &found, H5O_INFO_BASIC), "list its contents");
  return found.paths;
}
bool Group::is_dataset(std::string const& path) const {
  if (!has(path)) return false;
  Handle const object(H5Oopen(id(), path.c_str(), H5P_DEFAULT), H5Oclose);
  return object >= 0 && H5Iget_type(object) == H5I_DATASET;
}
Group Group::group(std::string const& path) const {
  Handle handle(H5Gopen2(id(), path.c_str(), H5P_DEFAULT), H5Gclose);
  checked(hid_t{handle}, "open group '" + path + "'");
  return Group(std::move(handle), file_, path, code_, shutdown_);
}
Dataset Group::dataset(std::string const& path) const {
  require(has(path), code_, "{}: no dataset '{}' (it holds: {})", where(), path, fmt::join(names(), ", "));
  Handle handle(H5Dopen2(id(), path.c_str(), H5P_DEFAULT), H5Dclose);
  checked(hid_t{handle}, "open dataset '" + path + "'");
  return Dataset(std::move(handle), file_, name_.empty() ? path : name_ + "/" + path, code_, shutdown_);
}
Group Group::create_group(std::string const& path) const {
  Handle handle(H5Gcreate2(id(), path.c_str(), H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT), H5Gclose);
  checked(hid_t{handle}, "create group '" + path + "'");
  return Group(std::move(handle), file_, path, code_, shutdown_);
}
Dataset Group::create(std::string const& path, hid_t type, Handle const& space, Handle const& properties) const {
  Handle const links = property_list(H5P_LINK_CREATE);
  H5Pset_create_intermediate_group(links, 1);
  Handle handle(H5Dcreate2(id(), path.c_str(), type, space, links, properties, H5P_DEFAULT), H5Dclose);
  checked(hid_t{handle}, "create dataset '" + path + "'");
  return Dataset(std::move(handle), file_, name_.empty() ? path : name_ + "/" + path, code_, shutdown_);
}
Dataset Group::create_dataset(std::string const& path, hid_t type, Extents const& extents, Extents const& chunk) const {
  Handle const properties = property_list(H5P_DATASET_CREATE);
  checked(H5Pset_fill_time(properties, H5D_FILL_TIME_NEVER), "leave dataset '" + path + "' unfilled");
  if (!chunk.empty()) {
    std::vector<hsize_t> const c(chunk.begin(), chunk.end());
    checked(H5Pset_chunk(properties, int(c.size()), c.data()), "divide dataset '" + path + "' into chunks");
    checked(H5Pset_shuffle(properties), "shuffle the bytes of dataset '" + path + "'");
    checked(H5Pset_fletcher32(properties), "checksum dataset '" + path + "'");
  }
  return create(path, type, simple_space(extents), properties);
}
Dataset Group::create_virtual(std::string const& path, hid_t type, Extents const& extents, int axis,
                              std::vector<VirtualPart> const& parts) const {
  Handle const properties = property_list(H5P_DATASET_CREATE);
  Handle const whole = simple_space(extents);
  double const nan = std::numeric_limits<double>::quiet_NaN();
  if (H5Tget_class(type) == H5T_FLOAT)
    checked(H5Pset_fill_value(properties, H5T_NATIVE_DOUBLE, &nan), "fill dataset '" + path + "' with NaN");
  for (VirtualPart const& part : parts) {
    Handle const source = simple_space(part.extents);
    std::vector<hsize_t> const n(part.extents.begin(), part.extents.end());
    std::vector<hsize_t> start(n.size(), 0);
    start[axis] = static_cast<hsize_t>(part.first);
    checked(H5Sselect_hyperslab(whole, H5S_SELECT_SET, start.data(), nullptr, n.data(), nullptr), "place part " + part.file);
    checked(H5Pset_virtual(properties, whole, part.file.c_str(), part.dataset.c_str(), source), "show part " + part.file);
  }
  H5Sselect_all(whole);
  return create(path, type, whole, properties);
}

// MPI libraries keep a file's name in arrays of 256 bytes, together with what they add to it, and abort where it does not fit (Open MPI 4.1
// from 193 on). While a file with a longer name is being opened, it is named relative to a folder that this process keeps open.
class ShortName {
 public:
  explicit ShortName(Path const& path) : name_(path) {
    constexpr std::size_t longest = 160;
    if (path.native().size() <= longest) return;
    folder_ = ::open(path.parent_path().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (folder_ >= 0) name_ = Path(fmt::format("/proc/self/fd/{}", folder_)) / path.filename();
  }
  ~ShortName() {
    if (folder_ >= 0) ::close(folder_);
  }
  ShortName(ShortName const&) = delete;
  char const* c_str() const { return name_.c_str(); }

 private:
  int folder_ = -1;
  Path name_;
};

File File::in_memory(Path const& name) {
  constexpr std::size_t growth = std::size_t{1} << 20;
  Handle const access = file_access();
  if (H5Pset_fapl_core(access, growth, false) < 0) fail_with_reason(ExitCode::internal, name.string(), "keep the file in memory");
  Handle handle(H5Fcreate(name.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, access), H5Fclose);
  if (handle < 0) fail_with_reason(ExitCode::storage, name.string(), "create the file in memory");
  return File(std::move(handle), name.string(), "", ExitCode::storage, Shutdown::orderly);
}
File File::open(Path const& path, ExitCode code) {
  require_regular_file(path, code);
  Handle const access = file_access();
  Handle handle(H5Fopen(path.c_str(), H5F_ACC_RDONLY, access), H5Fclose);
  if (handle < 0) {
    std::string const why = reason();  // before other calls
    fail(code, fmt::format("{}: cannot open it as an HDF5 file ({}){}", path.string(), why, advice_on(path)));
  }
  return File(std::move(handle), path.string(), "", code, Shutdown::orderly);
}
File File::open_together(Path const& path, Communicator const& ranks) {
  // Open MPI 4.1 waits for ever in MPI_File_open if one rank cannot open the file. That is found out here, where all ranks learn of it.
  together(ranks, [&] {
    int const file = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
    require(file >= 0, ExitCode::storage, "{} cannot be opened on this rank ({})", path.string(), std::generic_category().message(errno));
    ::close(file);
  });
  auto const scope = ranks.scope("HDF5: open a file");
  ShortName const name(path);
  Handle const access = file_access();
  use_parallel_access(access, ranks);
  Handle handle(H5Fopen(name.c_str(), H5F_ACC_RDWR, access), H5Fclose);
  if (handle < 0) fail_with_reason(ExitCode::storage, path.string(), "open the file on all ranks", Shutdown::immediate);
  return File(std::move(handle), path.string(), "", ExitCode::storage, Shutdown::immediate);
}
std::string_view File::image() const {
  flush();
  void* memory = nullptr;  // of the core driver: a pointer to where it has the file
  checked(H5Fget_vfd_handle(id(), H5P_DEFAULT, &memory), "find it in memory");
  return {*static_cast<char const**>(memory), std::size_t(checked(H5Fget_file_image(id(), nullptr, 0), "measure it"))};
}
void File::flush() const { checked(H5Fflush(id(), H5F_SCOPE_GLOBAL), "write it to disk"); }
void File::close() {
  flush();
  checked(handle_.close(), "close it");
}

}  // namespace partita::hdf5
