#include <hdf5.h>

#include <cmath>
#include <filesystem>
#include <utility>

#include "core/require.hpp"
#include "data/ratings.hpp"
#include "data/table.hpp"

namespace partita::data {
namespace {

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
  std::vector<hsize_t> raw(static_cast<std::size_t>(std::max(axes, 0)));
  if (!raw.empty() && H5Sget_simple_extent_dims(space.id(), raw.data(), nullptr) < 0) return {};
  return {raw.begin(), raw.end()};
}

// The datasets below a group as "name [extents]", for messages: at most 20, and no deeper than 8 groups since links may form a ring.
void list_datasets(hid_t group, std::string const& prefix, int depth, std::vector<std::string>& found) {
  H5G_info_t info;
  if (depth > 8 || H5Gget_info(group, &info) < 0) return;
  for (hsize_t i = 0; i < info.nlinks && found.size() < 20; i++) {
    char name[256];
    if (H5Lget_name_by_idx(group, ".", H5_INDEX_NAME, H5_ITER_INC, i, name, sizeof name, H5P_DEFAULT) < 0) continue;
    Handle const object(H5Oopen(group, name, H5P_DEFAULT), H5Oclose);
    if (!object.open()) continue;
    H5I_type_t const type = H5Iget_type(object.id());
    if (type == H5I_DATASET) found.push_back(prefix + name + " " + to_text(extents_of(object.id())));
    if (type == H5I_GROUP) list_datasets(object.id(), fmt::format("{}{}/", prefix, name), depth + 1, found);
  }
}

std::string datasets_in(hid_t file) {
  std::vector<std::string> found;
  list_datasets(file, "", 0, found);
  std::string text;
  for (std::string const& dataset : found) text += (text.empty() ? "" : "; ") + dataset;
  return found.empty() ? "none" : text;
}

std::string source_of(std::string const& path, std::string const& dataset) { return fmt::format("{}: dataset \"{}\"", path, dataset); }

Handle open_file(std::string const& path) {
  require_all(!std::filesystem::is_directory(path), ExitCode::data, "{}: a directory; name a file", path);
  require_all(std::filesystem::exists(path), ExitCode::data, "{}: no such file; check data.path", path);
  Handle file(H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT), H5Fclose);
  require_all(file.open(), ExitCode::data, "{}: cannot be opened as HDF5 (truncated, of another format, or locked by its writer)", path);
  return file;
}

Handle open_dataset(hid_t file, std::string const& path, std::string const& name) {
  Handle dataset(H5Dopen2(file, name.c_str(), H5P_DEFAULT), H5Dclose);
  require_all(dataset.open(), ExitCode::data, "{}: no dataset \"{}\"; it holds: {}", path, name, datasets_in(file));
  return dataset;
}

// A dataset of one axis, its first `limit` values, 0: all.
template <class T>
std::vector<T> read_column(hid_t file, std::string const& path, std::string const& name, Index limit) {
  Handle const dataset = open_dataset(file, path, name);
  std::vector<Index> const extents = extents_of(dataset.id());
  require_all(extents.size() == 1, ExitCode::data, "{}: extents {}; wanted one axis", source_of(path, name), to_text(extents));
  Handle const type(H5Dget_type(dataset.id()), H5Tclose);
  H5T_class_t const kind = H5Tget_class(type.id());
  require_all(kind == H5T_INTEGER || (kind == H5T_FLOAT && std::is_floating_point_v<T>), ExitCode::data, "{}: elements are not {}",
              source_of(path, name), std::is_floating_point_v<T> ? "numbers" : "integers");
  std::vector<T> values(static_cast<std::size_t>(limit > 0 ? std::min(limit, extents[0]) : extents[0]));
  hsize_t const start = 0, count = values.size();
  Handle const file_space(H5Dget_space(dataset.id()), H5Sclose), memory_space(H5Screate_simple(1, &count, nullptr), H5Sclose);
  bool const read = count == 0 || (file_space.open() && memory_space.open() &&
                                   H5Sselect_hyperslab(file_space.id(), H5S_SELECT_SET, &start, nullptr, &count, nullptr) >= 0 &&
                                   H5Dread(dataset.id(), std::is_floating_point_v<T> ? H5T_NATIVE_DOUBLE : H5T_NATIVE_INT64,
                                           memory_space.id(), file_space.id(), H5P_DEFAULT, values.data()) >= 0);
  require_all(read, ExitCode::data, "{}: reading {} values failed (damaged file or missing filter)", source_of(path, name), count);
  return values;
}

bool is_unsigned_byte(hid_t type) {
  return H5Tget_class(type) == H5T_INTEGER && H5Tget_size(type) == 1 && H5Tget_sign(type) == H5T_SGN_NONE;
}

template <class T>
bool read_rows(hid_t dataset, hid_t memory_type, std::vector<Index> const& extents, Table& table) {
  auto& values = table.values.emplace<std::vector<T>>(static_cast<std::size_t>(table.rows * table.dimension()));
  std::vector<hsize_t> const start(extents.size(), 0);
  std::vector<hsize_t> count(extents.begin(), extents.end());
  count[0] = static_cast<hsize_t>(table.rows);
  Handle const file_space(H5Dget_space(dataset), H5Sclose),
      memory_space(H5Screate_simple(static_cast<int>(count.size()), count.data(), nullptr), H5Sclose);
  return file_space.open() && memory_space.open() &&
         H5Sselect_hyperslab(file_space.id(), H5S_SELECT_SET, start.data(), nullptr, count.data(), nullptr) >= 0 &&
         H5Dread(dataset, memory_type, memory_space.id(), file_space.id(), H5P_DEFAULT, values.data()) >= 0;
}

}  // namespace

Table read_hdf5(std::string const& path, std::string const& name, Index limit) {
  QuietErrors const quiet;
  Handle const file = open_file(path);
  Handle const dataset = open_dataset(file.id(), path, name);
  std::string const source = source_of(path, name);
  std::vector<Index> const extents = extents_of(dataset.id());
  require_all(extents.size() >= 2, ExitCode::data, "{}: {} axes {}; wanted rows and at least one more; the file holds: {}", source,
              extents.size(), to_text(extents), datasets_in(file.id()));
  Handle const type(H5Dget_type(dataset.id()), H5Tclose);
  H5T_class_t const kind = H5Tget_class(type.id());
  require_all(kind == H5T_INTEGER || kind == H5T_FLOAT, ExitCode::data,
              "{}: elements are neither integers nor floating-point numbers (HDF5 class {})", source, static_cast<int>(kind));
  Table table{source, extents[0], {extents.begin() + 1, extents.end()}, {}};
  if (limit > 0) table.rows = std::min(table.rows, limit);
  require_all(table.rows * table.dimension() > 0, ExitCode::data, "{}: empty, extents {}", source, to_text(extents));
  bool const read = is_unsigned_byte(type.id()) ? read_rows<std::uint8_t>(dataset.id(), H5T_NATIVE_UINT8, extents, table)
                                                : read_rows<float>(dataset.id(), H5T_NATIVE_FLOAT, extents, table);
  require_all(read, ExitCode::data, "{}: reading {} rows failed (damaged file or missing filter)", source, table.rows);
  return table;
}

bool is_hdf5(std::string const& path) {
  QuietErrors const quiet;
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
              "{}: {} users, {} items and {} ratings; wanted as many of each", list.source, list.user.size(), list.item.size(),
              list.size());
  require_all(list.size() > 0, ExitCode::data, "{}: empty, no rating", list.source);
  for (Index i = 0; i < list.size(); i++) {
    require_all(std::isfinite(list.value[static_cast<std::size_t>(i)]), ExitCode::data, "{}:{}: a rating of {}; remove the entry",
                list.source, i, list.value[static_cast<std::size_t>(i)]);
    list.at.push_back(i);
  }
  return list;
}

}  // namespace partita::data
