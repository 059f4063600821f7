#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string_view>

#include "core/require.hpp"
#include "data/table.hpp"

namespace partita::data {
namespace {

std::string_view trimmed(std::string_view text) {
  std::size_t const first = text.find_first_not_of(" \t\r");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

// std::from_chars and not operator>>: no locale, and the whole field must be a number.
float number(std::string_view field, std::string const& where) {
  std::string_view text = trimmed(field);
  if (text.starts_with('+')) text.remove_prefix(1);
  double value = 0;
  auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  require_all(error != std::errc::result_out_of_range, ExitCode::data, "{}: \"{}\" is out of range", where, field);
  require_all(error == std::errc{} && end == text.data() + text.size(), ExitCode::data, "{}: \"{}\" is not a number{}", where,
              field.substr(0, 40), where.find(":1:") != std::string::npos ? "; if line 1 names the columns, set data.header = true" : "");
  return static_cast<float>(value);
}

// Appends the numbers of one line and returns how many there were.
Index read_line(std::string_view line, std::string const& place, std::vector<float>& values) {
  Index columns = 0;
  for (std::size_t start = 0; start <= line.size(); columns++) {
    std::size_t const comma = std::min(line.find(',', start), line.size());
    values.push_back(number(line.substr(start, comma - start), fmt::format("{}:{}", place, start + 1)));
    start = comma + 1;
  }
  return columns;
}

}  // namespace

Table read_csv(std::string const& path, bool header, Index limit) {
  require_all(!std::filesystem::is_directory(path), ExitCode::data, "{}: a directory; name a file", path);
  require_all(std::filesystem::exists(path), ExitCode::data, "{}: no such file; check data.path", path);
  std::ifstream file(path, std::ios::binary);
  require_all(file.is_open(), ExitCode::data, "{}: cannot be read ({})", path, std::strerror(errno));
  Table table{path, 0, {}, std::vector<float>{}};
  auto& values = std::get<std::vector<float>>(table.values);
  std::string text;
  for (Index line = 1; (limit == 0 || table.rows < limit) && std::getline(file, text); line++) {
    std::string_view content = text;
    if (line == 1 && content.starts_with("\xEF\xBB\xBF")) content.remove_prefix(3);  // byte-order mark
    if ((line == 1 && header) || trimmed(content).empty()) continue;
    std::string const place = fmt::format("{}:{}", path, line);
    Index const columns = read_line(content, place, values);
    if (table.shape.empty()) table.shape = {columns};
    require_all(columns == table.shape[0], ExitCode::data, "{}: {} columns found, {} wanted as in the rows before", place, columns,
                table.shape[0]);
    table.rows++;
  }
  require_all(!file.bad(), ExitCode::data, "{}: reading failed ({})", path, std::strerror(errno));
  require_all(table.rows > 0, ExitCode::data, "{}: empty, no row of numbers", path);
  return table;
}

}  // namespace partita::data
