#include <hdf5.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <utility>

#include "core/regular_file.hpp"
#include "core/require.hpp"
#include "data/compressed_file.hpp"
#include "data/ratings.hpp"
#include "data/table.hpp"

namespace partita::data {
namespace {

#if H5_VERSION_GE(1, 12, 0)
constexpr auto visit_objects = H5Ovisit3;
#else
constexpr auto visit_objects = H5Ovisit2;
#endif

// Closes an HDF5 identifier at the end of its scope; a negative one is a failed call.
class Handle {
 public:
  Handle(hid_t id, herr_t (*close)(hid_t)) : id_(id), close_(close) {}
  ~Handle() {
    if (id_ >= 0) close_(id_);
  }
  Handle(Handle&& other) noexcept : id_(std::exchange(other.id_, H5I_INVALID_HID)), close_(other.close_) {}
  Handle& operator=(Handle&&) = delete;
  hid_t id() const { return id_; }
  bool open() const { return id_ >= 0; }

 private:
  hid_t id_;
  herr_t (*close_)(hid_t);
};

// HDF5 prints its own error stack unless told otherwise; here every failure becomes one message.
class QuietErrors {
 public:
  QuietErrors() {
    H5Eget_auto2(H5E_DEFAULT, &print_, &data_);
    H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
  }
  ~QuietErrors() { H5Eset_auto2(H5E_DEFAULT, print_, data_); }
  QuietErrors(QuietErrors const&) = delete;
  QuietErrors& operator=(QuietErrors const&) = delete;

 private:
  H5E_auto2_t print_ = nullptr;
  void* data_ = nullptr;
};

std::vector<Index> extents_of(hid_t dataset) {
  Handle const space(H5Dget_space(dataset), H5Sclose);
  int const axes = space.open() ? H5Sget_simple_extent_ndims(space.id()) : 0;
  std::vector<hsize_t> raw(std::max(axes, 0));
  if (!raw.empty() && H5Sget_simple_extent_dims(space.id(), raw.data(), nullptr) < 0) return {};
  return {raw.begin(), raw.end()};
}

// The datasets of a file as "name [extents]", for messages, at most 20; each object once even if it has several links.
std::string datasets_in(hid_t file) {
  struct Found {
    hid_t file;
    std::vector<std::string> names;
  } found{file, {}};
  auto const add = [](hid_t, char const* name, H5O_info_t const* object, void* to) -> herr_t {
    auto& all = *static_cast<Found*>(to);
    if (object->type != H5O_TYPE_DATASET) return 0;
    Handle const dataset(H5Dopen2(all.file, name, H5P_DEFAULT), H5Dclose);
    all.names.push_back(std::string(name) + " " + to_text(extents_of(dataset.id())));
    return all.names.size() >= 20;
  };
  visit_objects(file, H5_INDEX_NAME, H5_ITER_INC, add, &found, H5O_INFO_BASIC);
  return found.names.empty() ? "none" : fmt::format("{}", fmt::join(found.names, "; "));
}

std::string source_of(std::string const& path, std::string const& dataset) { return fmt::format("{}: dataset \"{}\"", path, dataset); }

std::string first_bytes(std::string const& path) {
  std::string bytes(16, '\0');
  std::ifstream(path, std::ios::binary).read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  return bytes;
}

std::string advice_on_file(std::string const& path) {
  if (H5Fis_hdf5(path.c_str()) > 0) return "; close the program that writes it, or fetch it again";
  std::string const foreign = foreign_format(first_bytes(path));
  return foreign.empty() ? "; name an HDF5 file, or set data.type to the format of this one" : foreign;
}

Handle open_file(std::string const& path) {
  require_regular_file(path, ExitCode::data, FailedOn::all_ranks);
  Handle file(H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT), H5Fclose);
  require_all(file.open(), ExitCode::data, "{}: cannot be opened as HDF5 (truncated, of another format, or locked by its writer){}", path,
              advice_on_file(path));
  return file;
}

// External links, like paths, may lead to regular files only: HDF5 would wait for ever to open a pipe.
herr_t require_regular_target(char const* parent, char const*, char const* target, char const*, unsigned*, hid_t, void*) {
  std::error_code error;
  auto const regular = [&](std::filesystem::path const& path) { return std::filesystem::is_regular_file(path, error); };
  return regular(std::filesystem::path(parent).parent_path() / target) && (regular(target) || !std::filesystem::exists(target, error)) ? 0
                                                                                                                                       : -1;
}

Handle open_dataset(hid_t file, std::string const& path, std::string const& name) {
  Handle const access(H5Pcreate(H5P_DATASET_ACCESS), H5Pclose);
  H5Pset_elink_cb(access.id(), require_regular_target, nullptr);
  Handle dataset(H5Dopen2(file, name.c_str(), access.id()), H5Dclose);
  require_all(dataset.open(), ExitCode::data, "{}: no dataset \"{}\"; it holds: {}", path, name, datasets_in(file));
  Handle const creation(H5Dget_create_plist(dataset.id()), H5Pclose);
  require_all(H5Pget_external_count(creation.id()) <= 0, ExitCode::data,
              "{}: its values are stored in other files, which are not read; merge them into one file (h5repack)", source_of(path, name));
  return dataset;
}

// What the elements of a type are, in a few words.
std::string kind_of(hid_t type) {
  switch (H5Tget_class(type)) {
    case H5T_INTEGER:
      return "integers";
    case H5T_FLOAT:
      return "floating-point numbers";
    case H5T_STRING:
      return "text";
    case H5T_ENUM:
      return "names of an enumeration";
    case H5T_COMPOUND:
      return "records of several fields (complex numbers, tables)";
    default:
      return "not numbers (but bit fields, references, opaque or ragged values)";
  }
}

// The first `limit` values of a dataset of one axis; 0: all.
template <class T>
std::vector<T> read_column(hid_t file, std::string const& path, std::string const& name, Index limit) {
  Handle const dataset = open_dataset(file, path, name);
  std::vector<Index> const extents = extents_of(dataset.id());
  require_all(extents.size() == 1, ExitCode::data,
              "{}: extents {}; wanted one axis, with an entry for each rating: write it flat (array.ravel() in Python)",
              source_of(path, name), to_text(extents));
  Handle const type(H5Dget_type(dataset.id()), H5Tclose);
  H5T_class_t const kind = H5Tget_class(type.id());
  require_all(kind == H5T_INTEGER || (kind == H5T_FLOAT && std::is_floating_point_v<T>), ExitCode::data,
              "{}: its elements are {}; wanted {} (array.astype(\"{}\") in Python)", source_of(path, name), kind_of(type.id()),
              std::is_floating_point_v<T> ? "numbers, the ratings: write them as such" : "integers, which are ids: write them as such",
              std::is_floating_point_v<T> ? "float64" : "int64");
  std::vector<T> values(limit > 0 ? std::min(limit, extents[0]) : extents[0]);
  hsize_t const start = 0, count = values.size();
  Handle const file_space(H5Dget_space(dataset.id()), H5Sclose), memory_space(H5Screate_simple(1, &count, nullptr), H5Sclose);
  bool const read = count == 0 || (file_space.open() && memory_space.open() &&
                                   H5Sselect_hyperslab(file_space.id(), H5S_SELECT_SET, &start, nullptr, &count, nullptr) >= 0 &&
                                   H5Dread(dataset.id(), std::is_floating_point_v<T> ? H5T_NATIVE_DOUBLE : H5T_NATIVE_INT64,
                                           memory_space.id(), file_space.id(), H5P_DEFAULT, values.data()) >= 0);
  require_all(read, ExitCode::data,
              "{}: reading {} values failed (damaged file or missing filter); copy or fetch it again, or write it without compression",
              source_of(path, name), count);
  return values;
}

// How elements of an HDF5 type are held without loss of digits. Integers of 8 bytes are read as double, and must be exact in it.
enum class HeldAs { bytes, booleans, floats, doubles, none };

bool names_truth_values(hid_t type) {
  if (H5Tget_size(type) != 1 || H5Tget_nmembers(type) != 2) return false;
  for (unsigned k = 0; k < 2; k++) {
    char* const name = H5Tget_member_name(type, k);
    std::string text = name ? name : "";
    H5free_memory(name);
    for (char& c : text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    signed char value = -1;
    H5Tget_member_value(type, k, &value);
    if (text != (value == 0 ? "FALSE" : value == 1 ? "TRUE" : "")) return false;
  }
  return true;
}

HeldAs held_as(hid_t type) {
  std::size_t const size = H5Tget_size(type);
  switch (H5Tget_class(type)) {
    case H5T_INTEGER:
      if (size == 1 && H5Tget_sign(type) == H5T_SGN_NONE) return HeldAs::bytes;
      return size <= 2 ? HeldAs::floats : size <= 8 ? HeldAs::doubles : HeldAs::none;
    case H5T_FLOAT:
      return size <= 4 ? HeldAs::floats : size <= 8 ? HeldAs::doubles : HeldAs::none;
    case H5T_ENUM:  // what h5py makes of numpy.bool
      return names_truth_values(type) ? HeldAs::booleans : HeldAs::none;
    case H5T_BITFIELD:  // what PyTables makes of it
      return size == 1 ? HeldAs::booleans : HeldAs::none;
    default:
      return HeldAs::none;
  }
}

// What rows cannot be made of, and what to write instead.
std::string unfit_for_rows(hid_t type) {
  auto const kind = H5Tget_class(type);
  if (kind == H5T_FLOAT || kind == H5T_INTEGER)
    return fmt::format("numbers of {} bytes, more than double precision holds; write them as float64", H5Tget_size(type));
  std::string const advice = kind == H5T_STRING     ? "write numbers, array.astype(float) in Python"
                             : kind == H5T_COMPOUND ? "write each field to a dataset, or all to columns of one array"
                             : kind == H5T_ENUM     ? "write the numbers that they stand for, array.astype(\"int32\") in Python"
                                                    : "write integers or floating-point numbers";
  return kind_of(type) + "; " + advice;
}

template <class T>
bool read_rows(hid_t dataset, hid_t memory_type, std::vector<Index> const& extents, Table& table) {
  auto& values = table.values.emplace<std::vector<T>>(table.rows * table.dimension());
  std::vector<hsize_t> const start(extents.size(), 0);
  std::vector<hsize_t> count(extents.begin(), extents.end());
  count[0] = static_cast<hsize_t>(table.rows);
  Handle const file_space(H5Dget_space(dataset), H5Sclose),
      memory_space(H5Screate_simple(int(count.size()), count.data(), nullptr), H5Sclose);
  return file_space.open() && memory_space.open() &&
         H5Sselect_hyperslab(file_space.id(), H5S_SELECT_SET, start.data(), nullptr, count.data(), nullptr) >= 0 &&
         H5Dread(dataset, memory_type, memory_space.id(), file_space.id(), H5P_DEFAULT, values.data()) >= 0;
}

// Requires integers to be exact in double precision.
void require_exact(std::vector<double> const& values, Table const& table) {
  constexpr double most = 9007199254740992;  // 2^53
  auto const beyond = std::find_if(values.begin(), values.end(), [](double v) { return !(std::abs(v) < most); });
  if (beyond == values.end()) return;
  Index const at = beyond - values.begin();
  fail(ExitCode::data,
       fmt::format("{}: row {}, entry {} is {:.17g}, and integers from 2^53 on lose digits in double precision; subtract the smallest "
                   "value, or use larger units",
                   table.source, at / table.dimension(), at % table.dimension(), *beyond),
       FailedOn::all_ranks);
}

bool read_as(HeldAs held, hid_t dataset, hid_t type, std::vector<Index> const& extents, Table& table) {
  if (held == HeldAs::floats) return read_rows<float>(dataset, H5T_NATIVE_FLOAT, extents, table);
  if (held == HeldAs::doubles) {
    if (!read_rows<double>(dataset, H5T_NATIVE_DOUBLE, extents, table)) return false;
    if (H5Tget_class(type) == H5T_INTEGER && H5Tget_size(type) == 8) require_exact(std::get<std::vector<double>>(table.values), table);
    return true;
  }
  if (held == HeldAs::bytes) return read_rows<std::uint8_t>(dataset, H5T_NATIVE_UINT8, extents, table);
  if (!read_rows<std::uint8_t>(dataset, type, extents, table)) return false;  // one byte each, as stored
  table.highest_byte = 1;
  auto const& values = std::get<std::vector<std::uint8_t>>(table.values);
  return std::all_of(values.begin(), values.end(), [](std::uint8_t v) { return v <= 1; });
}

}  // namespace

namespace {
struct Stored {
  Handle file, dataset, type;
  std::vector<Index> extents;
  HeldAs held;
};
Stored open_table(std::string const& path, std::string const& name) {
  Handle file = open_file(path);
  Handle dataset = open_dataset(file.id(), path, name);
  std::string const source = source_of(path, name);
  std::vector<Index> const extents = extents_of(dataset.id());
  require_all(extents.size() >= 2, ExitCode::data, "{}: extents {}; wanted an axis of rows and at least one more; {}the file holds: {}",
              source, to_text(extents),
              extents.size() == 1
                  ? fmt::format("write it with extents [{}, 1] if each row is one number, or name another dataset; ", extents[0])
                  : "name another dataset; ",
              datasets_in(file.id()));
  Handle type(H5Dget_type(dataset.id()), H5Tclose);
  HeldAs const held = held_as(type.id());
  require_all(held != HeldAs::none, ExitCode::data, "{}: its elements are {}", source, unfit_for_rows(type.id()));
  return {std::move(file), std::move(dataset), std::move(type), extents, held};
}
}  // namespace

TableSize size_of_hdf5(std::string const& path, std::string const& name) {
  QuietErrors const quiet;
  Stored const stored = open_table(path, name);
  Table const table{path, stored.extents[0], {stored.extents.begin() + 1, stored.extents.end()}, {}};
  return {table.rows, table.dimension(), stored.held == HeldAs::doubles ? 8 : stored.held == HeldAs::floats ? 4 : 1};
}

Table read_hdf5(std::string const& path, std::string const& name, Index limit) {
  QuietErrors const quiet;
  auto const [file, dataset, type, extents, held] = open_table(path, name);
  std::string const source = source_of(path, name);
  Table table{source, extents[0], {extents.begin() + 1, extents.end()}, {}};
  if (limit > 0) table.rows = std::min(table.rows, limit);
  Index count = table.rows;
  for (Index e : table.shape)
    require_all(!__builtin_mul_overflow(count, e, &count), ExitCode::data, "{}: extents {} are more values than can be counted", source,
                to_text(extents));
  require_all(count > 0, ExitCode::data, "{}: empty, extents {}; name another dataset; the file holds: {}", source, to_text(extents),
              datasets_in(file.id()));
  require_all(read_as(held, dataset.id(), type.id(), extents, table), ExitCode::data,
              "{}: reading {} rows failed (damaged file or missing filter); copy or fetch it again, or write it without compression",
              source, table.rows);
  return table;
}

void require_hdf5(std::string const& path) {
  QuietErrors const quiet;
  open_file(path);
}

bool is_hdf5(std::string const& path) {
  QuietErrors const quiet;
  require_regular_file(path, ExitCode::data, FailedOn::all_ranks);
  return H5Fis_hdf5(path.c_str()) > 0;
}

RatingList read_ratings_hdf5(std::string const& path, std::string const& group, Index limit) {
  QuietErrors const quiet;
  Handle const file = open_file(path);
  std::string const prefix = group.empty() ? "" : group + "/";
  RatingList list{
      group.empty() ? path : fmt::format("{}: {}", path, group),      "entry",
      read_column<Index>(file.id(), path, prefix + "user", limit),    read_column<Index>(file.id(), path, prefix + "item", limit),
      read_column<double>(file.id(), path, prefix + "rating", limit), {}};
  require_all(list.user.size() == list.value.size() && list.item.size() == list.value.size(), ExitCode::data,
              "{}: {} users, {} items and {} ratings; all three must have the same length", list.source, list.user.size(), list.item.size(),
              list.size());
  require_all(list.size() > 0, ExitCode::data, "{}: empty, no rating; name a file or a group that has some", list.source);
  for (Index i = 0; i < list.size(); i++) {
    require_all(std::isfinite(list.value[i]), ExitCode::data, "{}:{}: a rating of {}; remove the entry", list.source, i, list.value[i]);
    list.at.push_back(i);
  }
  return list;
}

}  // namespace partita::data
