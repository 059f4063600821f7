// Files of numbers separated by commas, semicolons or tabs: their lines and fields, with messages that name file, line and column.
#pragma once
#include <charconv>
#include <functional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "core/require.hpp"
#include "core/types.hpp"

namespace partita::data {

// visit(content, line) for each line of a plain or gzipped text that is not blank, lines counted from 1 and a byte-order mark left out,
// until it returns false. Failure(data) where the file cannot be read.
void for_each_line(std::string const& path, std::function<bool(std::string_view content, Index line)> const& visit);

// The text without spaces, tabs and carriage returns at its ends.
std::string_view trimmed(std::string_view text);

// What separates the fields of a file, from its first line: semicolons where there is one, else commas, else tabs.
char separator_of(std::string_view first_line);

// The fields of a line, and where each starts for messages: "path:line:column".
struct Field {
  std::string_view text;
  Index column;
};
std::vector<Field> fields(std::string_view content, char separator);

// Whether the whole field is a number, which is then in `value`; std::from_chars and not operator>>: no locale.
template <class T>
std::errc parse(std::string_view field, T& value) {
  std::string_view text = trimmed(field);
  if (text.starts_with('+')) text.remove_prefix(1);
  auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && end != text.data() + text.size() ? std::errc::invalid_argument : error;
}

// The number in a field; where it is not a number, Failure(data) with `advice` ("; ...").
template <class T>
T number(Field const& field, std::string const& place, std::string const& advice = {}) {
  T value = 0;
  std::errc const error = parse(field.text, value);
  require_all(error != std::errc::result_out_of_range, ExitCode::data, "{}:{}: \"{}\" is out of range; write {}, or remove the line", place,
              field.column, field.text.substr(0, 40),
              std::is_integral_v<T> ? "a whole number of at most 9223372036854775807 in size"
                                    : "0, or a number between 2.3e-308 and 1.7e308 in size");
  require_all(error == std::errc{}, ExitCode::data, "{}:{}: \"{}\" is not {} number{}", place, field.column, field.text.substr(0, 40),
              std::is_integral_v<T> ? "a whole" : "a", advice);
  return value;
}

}  // namespace partita::data
