#include "data/csv.hpp"

#include <algorithm>

#include "data/compressed_file.hpp"
#include "data/table.hpp"

namespace partita::data {

std::string_view trimmed(std::string_view text) {
  std::size_t const first = text.find_first_not_of(" \t\r");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

std::vector<Field> fields(std::string_view content) {
  content = content.substr(0, content.find_last_not_of(" \t\r") + 1);
  auto const holds = [&](char c) { return content.find(c) != std::string_view::npos; };
  char const separator = holds(';') ? ';' : holds(',') || !holds('\t') ? ',' : '\t';
  std::vector<Field> out;
  for (std::size_t start = 0; start <= content.size();) {
    std::size_t const end = std::min(content.find(separator, start), content.size());
    out.push_back({content.substr(start, end - start), static_cast<Index>(start) + 1});
    start = end + 1;
  }
  return out;
}

namespace {

// Lines of a file without their ends, from blocks of bytes.
class Lines {
 public:
  explicit Lines(std::string const& path) : file_(path) { fill(); }
  std::string const& first_block() const { return block_; }
  bool next(std::string& line) {
    line.clear();
    while (true) {
      std::size_t const end = block_.find('\n', at_);
      line.append(block_, at_, end - at_);
      at_ = end == std::string::npos ? block_.size() : end + 1;
      if (end != std::string::npos) return true;
      if (!fill()) return !line.empty();
    }
  }

 private:
  bool fill() {
    constexpr Index bytes = 1 << 20;
    block_.resize(bytes);
    block_.resize(static_cast<std::size_t>(file_.read_some(block_.data(), bytes)));
    at_ = 0;
    return !block_.empty();
  }
  CompressedFile file_;
  std::string block_;
  std::size_t at_ = 0;
};

}  // namespace

void for_each_line(std::string const& path, std::function<bool(std::string_view, Index)> const& visit) {
  Lines lines(path);
  std::string const foreign = foreign_format(lines.first_block());
  require_all(foreign.empty(), ExitCode::data, "{}{}", path, foreign);
  require_all(lines.first_block().find('\0') == std::string::npos, ExitCode::data,
              "{}: binary, or UTF-16 text (it holds bytes of 0); save it as UTF-8 text", path);
  std::string text;
  bool wanted = true;
  for (Index line = 1; wanted && lines.next(text); line++) {
    std::string_view content = text;
    if (line == 1 && content.starts_with("\xEF\xBB\xBF")) content.remove_prefix(3);  // byte-order mark
    if (!trimmed(content).empty()) wanted = visit(content, line);
  }
}

Table read_csv(std::string const& path, bool header, Index limit) {
  Table table{path, 0, {}, std::vector<double>{}};
  auto& values = std::get<std::vector<double>>(table.values);
  for_each_line(path, [&](std::string_view content, Index line) {
    if (line == 1 && header) return true;
    std::string const place = fmt::format("{}:{}", path, line);
    auto const row = fields(content);
    for (Field const& field : row)
      values.push_back(number<double>(field, place, line == 1 ? "; if line 1 names the columns, set data.header = true" : ""));
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
