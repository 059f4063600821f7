#include "data/csv.hpp"

#include <algorithm>
#include <utility>

#include "data/compressed_file.hpp"
#include "data/table.hpp"

namespace partita::data {

std::string_view trimmed(std::string_view text) {
  std::size_t const first = text.find_first_not_of(" \t\r");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

char separator_of(std::string_view line) {
  auto const holds = [&](char c) { return line.find(c) != std::string_view::npos; };
  return holds(';') ? ';' : holds(',') || !holds('\t') ? ',' : '\t';
}

std::vector<Field> fields(std::string_view content, char separator) {
  content = content.substr(0, content.find_last_not_of(' ') + 1);
  std::vector<Field> out;
  for (std::size_t start = 0; start <= content.size();) {
    std::size_t const end = std::min(content.find(separator, start), content.size());
    out.push_back({content.substr(start, end - start), Index(start) + 1});
    start = end + 1;
  }
  return out;
}

namespace {

// Lines of a file without their ends (a line feed, a carriage return, or both), from blocks of bytes.
class Lines {
 public:
  explicit Lines(std::string const& path) : file_(path) { fill(); }
  std::string const& first_block() const { return block_; }
  bool next(std::string& line) {
    line.clear();
    while (true) {
      if (at_ == block_.size() && !fill()) return !line.empty();
      if (std::exchange(returned_, false) && block_[at_] == '\n' && ++at_ == block_.size()) continue;
      std::size_t const end = block_.find_first_of("\r\n", at_);
      line.append(block_, at_, end - at_);
      at_ = end == std::string::npos ? block_.size() : end + 1;
      if (end == std::string::npos) continue;
      returned_ = block_[end] == '\r';
      return true;
    }
  }

 private:
  bool fill() {
    constexpr Index bytes = 1 << 20;
    block_.resize(bytes);
    block_.resize(file_.read_some(block_.data(), bytes));
    at_ = 0;
    return !block_.empty();
  }
  CompressedFile file_;
  std::string block_;
  std::size_t at_ = 0;
  bool returned_ = false;  // the last line ended with a carriage return
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

namespace {

bool is_number(Field const& field) {
  double value;
  return parse(field.text, value) == std::errc{};
}

// Why a field may not be a number, and what to do; `first`: it is in the first line that could be a row.
std::string advice_on(Field const& field, std::vector<Field> const& row, bool first) {
  auto const in_field = [&](char c) { return field.text.find(c) != std::string_view::npos; };
  auto const numbers = std::count_if(row.begin(), row.end(), is_number);
  if (trimmed(field.text).empty()) return "; fill in a number, or remove the row";
  if (in_field(',')) return "; write numbers with decimal points, not commas";
  if (in_field('"') || in_field('\'')) return "; write numbers without quotes";
  if (row.size() == 1 && trimmed(field.text).find_first_of(" \t") != std::string_view::npos)
    return "; separate numbers by commas, semicolons or tabs, not by spaces";
  if (first && numbers == 0) return "; if this line names the columns, set data.header = true";
  return "; correct it, or remove the row or column";
}

bool counts_up(std::vector<Field> const& row) {
  for (std::size_t k = 0; k < row.size(); k++)
    if (double value; parse(row[k].text, value) != std::errc{} || value != double(k)) return false;
  return row.size() > 2;
}

}  // namespace

TableSize size_of_csv(std::string const& path, bool header) {
  TableSize size{header ? -1 : 0, 0, sizeof(double)};
  for_each_line(path, [&](std::string_view content, Index) {
    if (trimmed(content).starts_with('#')) return true;
    if (size.entries == 0) size.entries = Index(fields(content, separator_of(content)).size());
    size.rows++;
    return true;
  });
  return {std::max<Index>(size.rows, 0), size.entries, size.bytes_of_entry};
}

// With `header` the first line is skipped, as names; after comments, which may be the names, only if it is not a row of numbers.
Table read_csv(std::string const& path, bool header, Index limit) {
  Table table{path, 0, {}, std::vector<double>{}};
  auto& values = std::get<std::vector<double>>(table.values);
  bool comments = false, first = true;
  char separator = 0;
  for_each_line(path, [&](std::string_view content, Index line) {
    if (trimmed(content).starts_with('#')) return comments = true;
    std::string const place = fmt::format("{}:{}", path, line);
    if (separator == 0) separator = separator_of(content);
    auto row = fields(content, separator);
    if (table.shape.empty()) table.shape = {std::ssize(row)};
    if (std::ssize(row) == table.shape[0] + 1 && trimmed(row.back().text).empty()) row.pop_back();  // a separator at the end
    auto const columns = std::ssize(row);
    bool const as_before = columns == table.shape[0];
    if (std::exchange(header, false)) {
      bool const is_row = std::all_of(row.begin(), row.end(), is_number);
      if (is_row && !comments && !counts_up(row))
        table.warnings.push_back(place + ": a row of numbers, skipped because data.header = true says that it names the columns");
      if (!is_row || !comments) return true;
    }
    require_all(as_before || row.size() > 1 || is_number(row[0]), ExitCode::data,
                "{}: \"{}\" is not {} numbers separated by {}, as in the lines before; correct or remove this line", place,
                trimmed(content).substr(0, 40), table.shape[0], separator == '\t' ? "tabs" : std::string("'") + separator + "'");
    for (Field const& field : row) {
      double value;
      if (parse(field.text, value) != std::errc{}) value = number<double>(field, place, advice_on(field, row, first));
      values.push_back(value);
    }
    if (first && counts_up(row))
      table.warnings.push_back(place + ": the row 0, 1, 2, ... looks like column names; if it is, set data.header = true");
    first = false;
    require_all(as_before, ExitCode::data, "{}: {} columns found, {} wanted as in the lines before; correct or remove this line", place,
                columns, table.shape[0]);
    table.rows++;
    return limit == 0 || table.rows < limit;
  });
  require_all(table.rows > 0, ExitCode::data, "{}: empty, no row of numbers; name a file that has some", path);
  return table;
}

}  // namespace partita::data
