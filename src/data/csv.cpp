#include "data/csv.hpp"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "data/table.hpp"

namespace partita::data {

std::string_view trimmed(std::string_view text) {
  std::size_t const first = text.find_first_not_of(" \t\r");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

std::vector<Field> fields(std::string_view content) {
  std::vector<Field> out;
  for (std::size_t start = 0; start <= content.size();) {
    std::size_t const comma = std::min(content.find(',', start), content.size());
    out.push_back({content.substr(start, comma - start), static_cast<Index>(start) + 1});
    start = comma + 1;
  }
  return out;
}

void for_each_line(std::string const& path, std::function<bool(std::string_view, Index)> const& visit) {
  require_all(!std::filesystem::is_directory(path), ExitCode::data, "{}: a directory; name a file", path);
  require_all(std::filesystem::exists(path), ExitCode::data, "{}: no such file; check data.path", path);
  std::ifstream file(path, std::ios::binary);
  require_all(file.is_open(), ExitCode::data, "{}: cannot be read ({})", path, std::strerror(errno));
  std::string text;
  bool wanted = true;
  for (Index line = 1; wanted && std::getline(file, text); line++) {
    std::string_view content = text;
    if (line == 1 && content.starts_with("\xEF\xBB\xBF")) content.remove_prefix(3);  // byte-order mark
    if (!trimmed(content).empty()) wanted = visit(content, line);
  }
  require_all(!file.bad(), ExitCode::data, "{}: reading failed ({})", path, std::strerror(errno));
}

Table read_csv(std::string const& path, bool header, Index limit) {
  Table table{path, 0, {}, std::vector<float>{}};
  auto& values = std::get<std::vector<float>>(table.values);
  for_each_line(path, [&](std::string_view content, Index line) {
    if (line == 1 && header) return true;
    std::string const place = fmt::format("{}:{}", path, line);
    auto const row = fields(content);
    for (Field const& field : row)
      values.push_back(
          static_cast<float>(number<double>(field, place, line == 1 ? "; if line 1 names the columns, set data.header = true" : "")));
    auto const columns = static_cast<Index>(row.size());
    if (table.shape.empty()) table.shape = {columns};
    require_all(columns == table.shape[0], ExitCode::data, "{}: {} columns found, {} wanted as in the rows before", place, columns,
                table.shape[0]);
    table.rows++;
    return limit == 0 || table.rows < limit;
  });
  require_all(table.rows > 0, ExitCode::data, "{}: empty, no row of numbers", path);
  return table;
}

}  // namespace partita::data
