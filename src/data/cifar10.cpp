#include <filesystem>
#include <fstream>

#include "core/regular_file.hpp"
#include "core/require.hpp"
#include "data/table.hpp"

namespace partita::data {
namespace {

constexpr Index records_of_batch = 10000;
constexpr Index height = 32, width = 32, channels = 3, image_bytes = height * width * channels, record_bytes = 1 + image_bytes;

// Appends the images of one file, a label byte and three planes each, as (height, width, channel), and returns their number.
Index append_images(std::vector<std::uint8_t>& to, std::string const& path) {
  if (std::filesystem::exists(path)) require_regular_file(path, ExitCode::data, FailedOn::all_ranks);
  std::ifstream file(path, std::ios::binary);
  require_all(
      file.good(), ExitCode::data,
      "{}: cannot be read; data.path must be the directory of the binary version's data_batch_1.bin to data_batch_5.bin and test_batch.bin",
      path);
  auto const bytes = Index(std::filesystem::file_size(path));
  require_all(
      bytes > 0 && bytes % record_bytes == 0, ExitCode::data,
      "{}: {} bytes are not a whole number of CIFAR-10 records of {} (a label and 3 x 32 x 32 bytes); fetch the binary version again", path,
      bytes, record_bytes);
  std::vector<char> record(record_bytes);
  for (Index r = 0; r < bytes / record_bytes; r++) {
    file.read(record.data(), record_bytes);
    require_all(file.good(), ExitCode::data, "{}: truncated at record {}; fetch it again", path, r);
    for (Index pixel = 0; pixel < height * width; pixel++)
      for (Index c = 0; c < channels; c++) to.push_back(static_cast<std::uint8_t>(record[1 + c * height * width + pixel]));
  }
  return bytes / record_bytes;
}

}  // namespace

TableSize size_of_cifar10(std::string const& directory, std::vector<std::string> const& files) {
  Index bytes = 0;
  for (std::string const& file : files) {
    std::error_code absent;
    std::filesystem::path const path = std::filesystem::path(directory) / file;
    bytes += Index(std::filesystem::file_size(path, absent));
    require_all(!absent, ExitCode::data, "{}: cannot be read ({}); check data.path", path.string(), absent.message());
  }
  return {bytes / record_bytes, image_bytes, 1};
}

Table read_cifar10(std::string const& directory, std::vector<std::string> const& files, Index limit) {
  require_all(std::filesystem::is_directory(directory), ExitCode::data,
              "{}: no such directory; data.path must be that of the binary version, cifar-10-batches-bin", directory);
  std::vector<std::uint8_t> values;
  std::vector<std::string> others;  // which are no whole batches: parts of them are useful, but should be no accident
  for (std::string const& file : files) {
    Index const images = append_images(values, (std::filesystem::path(directory) / file).string());
    if (images != records_of_batch) others.push_back(fmt::format("{} has {}", file, images));
  }
  auto rows = std::ssize(values) / image_bytes;
  if (limit > 0) rows = std::min(rows, limit);
  values.resize(rows * image_bytes);
  Table table{directory, rows, {height, width, channels}, std::move(values)};
  if (!others.empty())
    table.warnings.push_back(
        fmt::format("{}: a batch of CIFAR-10 has {} images, but {}; fetch the binary version again, unless other numbers are meant",
                    directory, records_of_batch, fmt::join(others, ", ")));
  return table;
}

}  // namespace partita::data
