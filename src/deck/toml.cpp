#include "deck/toml.hpp"

#include <algorithm>
#include <cctype>
#include <regex>

#include "core/require.hpp"

#define TOML_HEADER_ONLY 0
#include <toml++/toml.h>

namespace partita::deck {

namespace {

// toml++ builds and destroys dotted keys recursively, so some ten thousand parts overflow the stack (nested brackets it bounds itself).
constexpr int most_dots = 16;

// Bytes of the UTF-8 sequence that starts at `i`, 0 where it is invalid (RFC 3629: no overlong forms, surrogates or values above U+10FFFF).
std::size_t utf8_length(std::string const& s, std::size_t i) {
  auto const byte = [&](std::size_t k) { return i + k < s.size() ? static_cast<unsigned char>(s[i + k]) : 0u; };
  unsigned const lead = byte(0);
  if (lead < 0x80) return 1;
  std::size_t const length = lead >= 0xc2 && lead < 0xe0 ? 2 : lead >= 0xe0 && lead < 0xf0 ? 3 : lead >= 0xf0 && lead < 0xf5 ? 4 : 0;
  for (std::size_t k = 1; k < length; k++)
    if ((byte(k) & 0xc0) != 0x80) return 0;
  bool const overlong = (lead == 0xe0 && byte(1) < 0xa0) || (lead == 0xf0 && byte(1) < 0x90);
  bool const beyond = (lead == 0xed && byte(1) >= 0xa0) || (lead == 0xf4 && byte(1) >= 0x90);
  return overlong || beyond ? 0 : length;
}

std::size_t first_invalid_utf8(std::string const& s) {
  for (std::size_t i = 0; i < s.size();) {
    std::size_t const length = utf8_length(s, i);
    if (length == 0) return i;
    i += length;
  }
  return s.npos;
}

// Index of the last character of the string that opens at `i`; a string in single quotes has no escapes, a short one ends with its line.
std::size_t end_of_string(std::string const& s, std::size_t i) {
  char const quote = s[i];
  bool const is_long = s.compare(i, 3, std::string(3, quote)) == 0;
  std::string const closing(is_long ? 3 : 1, quote);
  for (i += closing.size(); i < s.size(); i++) {
    if (quote == '"' && s[i] == '\\') i++;
    else if (!is_long && s[i] == '\n') return i;
    else if (s.compare(i, closing.size(), closing) == 0) return i + closing.size() - 1;
  }
  return i;
}

// The dot that makes a dotted key too long, outside strings and comments.
std::size_t first_excess_dot(std::string const& s) {
  int dots = 0;
  for (std::size_t i = 0; i < s.size(); i++) {
    char const c = s[i];
    if (c == '.' && ++dots > most_dots) return i;
    if (c == '"' || c == '\'') i = end_of_string(s, i);
    else if (c == '#') i = std::min(s.find('\n', i), s.size()) - 1;
    else if (std::string_view("=,{}[]\n").find(c) != std::string_view::npos) dots = 0;
  }
  return s.npos;
}

// Line and column of a byte, both from 1, columns in characters as toml++ counts them.
Position position_of(std::string const& s, std::size_t offset, std::string const& source) {
  std::string const before = s.substr(0, offset);
  std::size_t const line_start = before.rfind('\n') + 1;  // 0 on the first line
  auto const starts_character = [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; };
  auto const lines = std::count(before.begin(), before.end(), '\n');
  auto const columns = std::count_if(before.begin() + static_cast<std::ptrdiff_t>(line_start), before.end(), starts_character);
  return {source, int(lines) + 1, int(columns) + 1};
}

Position position(toml::source_region const& region, std::string const& source) {
  return {source, int(region.begin.line), int(region.begin.column)};
}

std::string line_of(std::string const& s, int number) {
  std::size_t start = 0;
  for (int line = 1; line < number && start < s.size(); line++) start = std::min(s.find('\n', start), s.size() - 1) + 1;
  constexpr std::size_t readable = 200;  // a longer line gets no hint
  std::size_t const length = std::min(s.find('\n', start), s.size()) - start;
  return length > readable ? "" : s.substr(start, length);
}

// The value's word that holds or ends at a column, and the column where it starts.
std::pair<std::string, int> word_at(std::string const& line, int column) {
  std::string_view const breaks = " \t\r\n,=[]{}#\"'";
  auto const is_break = [&](std::size_t i) { return breaks.find(line[i]) != std::string_view::npos; };
  std::size_t start = std::min(std::size_t(std::max(column, 1)) - 1, line.size());
  std::size_t end = start;
  while (start > 0 && !is_break(start - 1)) start--;
  while (end < line.size() && !is_break(end)) end++;
  return {line.substr(start, end - start), int(start) + 1};
}

// toml++ says what it met; this adds what to do, and moves to where the mistake starts.
Problem explained(std::string const& text, std::string const& source, Position at, std::string description) {
  constexpr std::size_t readable = 200;
  if (description.size() > readable) description = description.substr(0, readable) + "...";
  auto const says = [&](char const* words) { return description.find(words) != description.npos; };
  std::string const line = line_of(text, at.line);
  auto const [word, start] = word_at(line, at.column);
  bool const is_value = line.find('=') < std::size_t(start);
  std::string hint = is_value ? spelling_hint(word) : "";
  if (!hint.empty()) at.column = start;
  else if (says("cannot redefine")) {
    hint = "it stands twice: remove one, or add the section header that is missing between them";
    at.column = int(std::min(line.find_first_not_of(" \t"), line.size())) + 1;
  } else if (says("could not determine value type")) hint = "put text in quotes: " + toml_text(word);
  else if (says("could not be interpreted as a value") || says("not representable in 64 bits"))
    hint = "a number must fit 64 bits: whole ones from -9223372036854775808 to 9223372036854775807, others at most 1.7e308 in size";
  else if (says("comment or whitespace")) hint = "write one key a line, several values in [brackets], text in quotes";
  else if (says("in string") || says("parsing string") || says("parsing literal string"))
    hint = "close the quotes on the same line; write \\\\ for a backslash";
  else if (says("nested value depth")) {
    description = "values nested too deeply";
    hint = "a deck's values are at most arrays";
  } else if (says("root table")) hint = "a deck is text: [section] lines and key = value lines";
  else hint = "see 'partita reference'";
  std::string const prefix = "Error while parsing ";
  if (description.rfind(prefix, 0) == 0) description = "in this " + description.substr(prefix.size());
  return {{source, at.line, at.column}, fmt::format("not valid TOML: {}; {}", description, hint)};
}

Scalar scalar(toml::node const& node) {
  if (auto const v = node.value_exact<bool>()) return *v;
  if (auto const v = node.value_exact<std::int64_t>()) return *v;
  if (auto const v = node.value_exact<double>()) return *v;
  if (auto v = node.value_exact<std::string>()) return std::move(*v);
  return Unfit{node.is_table() ? "a table" : node.is_array() ? "an array" : node.is_time() ? "a time of day" : "a date"};
}

WrittenKey written_key(toml::key const& name, toml::node const& node, std::string const& source) {
  WrittenKey k{std::string(name.str()), position(name.source(), source), {position(node.source(), source), node.is_array(), {}}};
  if (toml::array const* array = node.as_array())
    for (toml::node const& entry : *array) k.value.entries.push_back(scalar(entry));
  else k.value.entries.push_back(scalar(node));
  return k;
}

WrittenSection written_section(toml::key const& name, toml::table const& table, bool repeated, std::string const& source) {
  WrittenSection s{std::string(name.str()), position(table.source(), source), repeated, {}};
  for (auto const& [key, node] : table) s.keys.push_back(written_key(key, node, source));
  return s;
}

WrittenDeck written_deck(toml::table const& root, std::string const& source) {
  WrittenDeck deck;
  for (auto const& [name, node] : root) {
    toml::array const* array = node.as_array();
    if (toml::table const* table = node.as_table()) deck.sections.push_back(written_section(name, *table, false, source));
    else if (array && !array->empty() && array->is_homogeneous(toml::node_type::table))
      for (toml::node const& entry : *array) deck.sections.push_back(written_section(name, *entry.as_table(), true, source));
    else deck.top.push_back(written_key(name, node, source));
  }
  return deck;
}

}  // namespace

std::optional<WrittenDeck> parse(std::string const& text, std::string const& source, std::vector<Problem>& problems) {
  auto const refuse_at = [&](std::size_t offset, std::string reason) {
    problems.push_back({position_of(text, offset, source), std::move(reason)});
    return std::nullopt;
  };
  if (auto const at = first_invalid_utf8(text); at != text.npos)
    return refuse_at(at, fmt::format("not UTF-8 text (byte 0x{:02x}); save the deck as UTF-8, or check that this file is a deck",
                                     static_cast<unsigned char>(text[at])));
  if (auto const at = text.find('\0'); at != text.npos) return refuse_at(at, "the character NUL; check that this file is a deck");
  if (auto const at = first_excess_dot(text); at != text.npos)
    return refuse_at(at, fmt::format("a key of more than {} parts; a deck needs at most section.key", most_dots));
  try {
    return written_deck(toml::parse(std::string_view(text)), source);
  } catch (toml::parse_error const& e) {
    problems.push_back(explained(text, source, position(e.source(), source), std::string(e.description())));
    return std::nullopt;
  }
}

bool is_beyond_64_bits(std::string const& word) {
  constexpr std::size_t longest = 400;  // the matcher is recursive
  static std::regex const number(R"([+-]?(\d[\d_]*(\.\d[\d_]*)?([eE][+-]?\d+)?)|0x[\da-fA-F_]+|0o[0-7_]+|0b[01_]+)");
  std::vector<Problem> refused;
  return word.size() <= longest && std::regex_match(word, number) && spelling_hint(word).empty() && !parse("value = " + word, "", refused);
}

std::string spelling_hint(std::string const& word) {
  constexpr std::size_t longest = 40;
  if (word.size() > longest) return {};
  std::string lower = word;
  for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  if (lower == "true" || lower == "yes" || lower == "on") return "write true";
  if (lower == "false" || lower == "no" || lower == "off") return "write false";
  if (lower == "+nan" || lower == "-nan" || lower == "nan" || lower.find("infinity") != lower.npos) return "a number must be finite";
  static std::regex const number(R"(([+-]?)0*(\d*)(?:\.(\d*))?(?:[ed]([+-]?\d+))?)");
  std::smatch part;
  if (!std::regex_match(lower, part, number) || lower.find_first_of("0123456789") == lower.npos) return {};
  auto const or_zero = [](std::string const& digits) { return digits.empty() ? "0" : digits; };
  std::string correct = part[1].str() + or_zero(part[2]);
  if (part[3].matched) correct += "." + or_zero(part[3]);
  if (part[4].matched) correct += "e" + part[4].str();
  return correct == lower ? "" : "write " + correct;
}

}  // namespace partita::deck
