#include "deck/schema.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>

#include "core/require.hpp"

namespace partita::deck {

namespace {

std::string float_text(double v) {
  std::string text = fmt::format("{}", v);
  if (text.find_first_of(".en") == text.npos) text += ".0";
  return text;
}

std::string string_text(std::string const& v) {
  std::string text = "\"";
  for (char const c : v) {
    if (c == '"' || c == '\\') text += {'\\', c};
    else if (c == '\n') text += "\\n";
    else if (c == '\t') text += "\\t";
    else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) text += fmt::format("\\u{:04X}", c);
    else text += c;
  }
  return text + '"';
}

std::string scalar_text(bool v) { return v ? "true" : "false"; }
std::string scalar_text(std::int64_t v) { return fmt::format("{}", v); }
std::string scalar_text(double v) { return float_text(v); }
std::string scalar_text(std::string const& v) { return string_text(v); }
template <class T>
std::string scalar_text(std::vector<T> const& v) {
  std::vector<std::string> entries;
  for (T const& entry : v) entries.push_back(scalar_text(entry));
  return fmt::format("[{}]", joined(entries, ", "));
}

std::string range_text(Key const& k) {
  std::vector<std::string> bounds;
  if (std::isfinite(k.lowest)) bounds.push_back(fmt::format("{} {}", k.lowest_open ? "above" : "at least", k.lowest));
  if (std::isfinite(k.highest)) bounds.push_back(fmt::format("{} {}", k.highest_open ? "below" : "at most", k.highest));
  return joined(bounds, " and ");
}

std::string problem_of(Key const& k, double v) {
  if (!std::isfinite(v)) return "must be finite";
  if (v < k.lowest || v > k.highest || (k.lowest_open && v == k.lowest) || (k.highest_open && v == k.highest))
    return "must be " + range_text(k);
  using Single = std::numeric_limits<float>;
  if (k.is_in_single_precision && std::abs(v) > double(Single::max()))
    return fmt::format("must be at most {:.2g} in size, the largest number of single precision", Single::max());
  if (k.is_in_single_precision && v != 0 && std::abs(v) < double(Single::min()))
    return fmt::format("must be 0 or at least {:.2g} in size, the smallest number of single precision", Single::min());
  if (v < k.smallest_held) return fmt::format("must be at least {}", k.smallest_held);
  if (v > k.largest_held) return fmt::format("must be at most {}", k.largest_held);
  return {};
}
// Whole numbers but seeds, which are unsigned, count things and steps. Where a key sets no bound, this one keeps products of two counts and
// the size of a number within 64 bits.
constexpr std::int64_t most_counted = std::int64_t{1} << 28;
std::string problem_of(Key const& k, std::int64_t v) {
  if (std::string const reason = problem_of(k, double(v)); !reason.empty()) return reason;
  if (v > most_counted && !std::isfinite(k.highest) && k.smallest_held < 0) return fmt::format("must be at most {}", most_counted);
  if (v % k.multiple != 0) return fmt::format("must be a multiple of {}, such as {}", k.multiple, (v / k.multiple + 1) * k.multiple);
  return {};
}
std::string problem_of(Key const&, bool) { return {}; }
std::string problem_of(Key const& k, std::string const& v) {
  if (v.find('\0') != v.npos) return "must not hold the character NUL";
  if (!k.choices.empty() && std::find(k.choices.begin(), k.choices.end(), v) == k.choices.end())
    return "must be " + alternatives(k.choices);
  return {};
}
template <class T>
std::string problem_of(Key const& k, std::vector<T> const& v) {
  auto const* const usual = std::get_if<std::vector<T>>(&k.default_value);
  if (v.empty() && (k.is_required || !usual->empty())) return "must not be empty";
  if (k.length && v.size() != *k.length)
    return fmt::format("must have {} {}, not {}", *k.length, *k.length == 1 ? "entry" : "entries", v.size());
  for (std::size_t i = 0; i < v.size(); i++)
    if (std::string const reason = problem_of(k, v[i]); !reason.empty()) return fmt::format("entry {} {}", i + 1, reason);
  return {};
}

}  // namespace

Key::Key() = default;
Key::Key(Key const&) = default;
Key::Key(Key&&) noexcept = default;
Key& Key::operator=(Key const&) = default;
Key& Key::operator=(Key&&) noexcept = default;
Key::~Key() = default;

Key& Key::required() {
  is_required = true;
  return *this;
}
Key& Key::above(double v) {
  lowest = v;
  lowest_open = true;
  return *this;
}
Key& Key::at_least(double v) {
  lowest = v;
  lowest_open = false;
  return *this;
}
Key& Key::below(double v) {
  highest = v;
  highest_open = true;
  return *this;
}
Key& Key::at_most(double v) {
  highest = v;
  highest_open = false;
  return *this;
}
Key& Key::multiple_of(std::int64_t n) {
  multiple = n;
  return *this;
}
Key& Key::one_of(std::vector<std::string> v) {
  choices = std::move(v);
  return *this;
}
Key& Key::of_length(std::size_t n) {
  length = n;
  return *this;
}
Key& Key::checked_by(std::function<std::string(Value const&)> reason) {
  reason_against = std::move(reason);
  return *this;
}
Key& Key::of_any_size() {
  is_in_single_precision = false;
  return *this;
}
Key& Key::in(std::string u) {
  unit = std::move(u);
  return *this;
}
Key& Key::for_tasks(std::vector<std::string> t) {
  tasks = std::move(t);
  return *this;
}
Key& Key::excludes(std::vector<std::string> names) {
  conflicts = std::move(names);
  return *this;
}
Key& Key::only_with(std::string other, std::vector<Value> values) {
  condition = Condition{std::move(other), std::move(values), false};
  return *this;
}
Key& Key::not_with(std::string other, std::vector<Value> values) {
  condition = Condition{std::move(other), std::move(values), true};
  return *this;
}
Key& Key::formerly(std::string former) {
  former_names.push_back(std::move(former));
  return *this;
}
Key& Key::of_learning() {
  is_of_learning = true;
  return *this;
}
Key& Key::free_on_restart() {
  on_restart = OnRestart::free;
  return *this;
}

std::string Key::problem(Value const& v) const {
  std::string const reason = std::visit([this](auto const& held) { return problem_of(*this, held); }, v);
  return reason.empty() && reason_against ? reason_against(v) : reason;
}

std::string Key::limits() const {
  std::vector<std::string> parts;
  if (length) parts.push_back(fmt::format("{} {}", *length, *length == 1 ? "entry" : "entries"));
  if (std::string const range = range_text(*this); !range.empty()) parts.push_back((default_value.index() > 3 ? "each " : "") + range);
  if (multiple > 1) parts.push_back(fmt::format("a multiple of {}", multiple));
  if (!choices.empty()) parts.push_back((default_value.index() > 3 ? "each " : "") + alternatives(choices));
  return joined(parts, ", ");
}

std::string Key::held() const {
  bool const is_whole = default_value.index() == 1 || default_value.index() == 5;
  if (!is_whole) {
    std::string const range = range_text(*this);
    return range + (range.empty() ? "" : " and ") + (is_in_single_precision ? "at most 3.4e+38 in size" : "at most 1.7e+308 in size");
  }
  using Whole = std::numeric_limits<std::int64_t>;
  // No double but a power of two is near the ends of 64 bits, so that these are compared before they are converted.
  auto const whole = [](double v) { return v >= 0x1p63 ? Whole::max() : v < -0x1p63 ? Whole::min() : std::int64_t(v); };
  bool const counts = !std::isfinite(highest) && smallest_held < 0;
  std::int64_t const least = whole(std::max(std::ceil(lowest) + (lowest_open && lowest == std::ceil(lowest)), smallest_held)),
                     most = whole(std::min(std::floor(highest) - (highest_open && highest == std::floor(highest)), largest_held));
  return fmt::format("from {} to {}", least, counts ? std::min(most, most_counted) : most);
}

std::string Key::kind() const {
  char const* const names[] = {"true or false",    "a whole number",      "a number",
                               "text in quotes",   "an array of numbers", "an array of whole numbers",
                               "an array of texts"};
  return names[default_value.index()];
}

bool Condition::met_by(Value const& v) const { return (std::find(values.begin(), values.end(), v) != values.end()) != negated; }

std::string Condition::text() const {
  std::vector<std::string> all;
  for (Value const& v : values) all.push_back(toml_text(v));
  return fmt::format("{} {} = {}", negated ? "not used with" : "used only with", key, joined(all, " or "));
}

bool exclusive(Key const& a, Key const& b) {
  auto const names = [](Key const& k, Key const& other) {
    return std::find(k.conflicts.begin(), k.conflicts.end(), other.name) != k.conflicts.end();
  };
  return names(a, b) || names(b, a);
}

double same_decimal(float x) { return std::strtod(fmt::format("{}", x).c_str(), nullptr); }

std::string toml_text(Value const& value) {
  return std::visit([](auto const& v) { return scalar_text(v); }, value);
}

std::string header(std::string const& section, bool repeated) {
  return repeated ? fmt::format("[[{}]]", section) : fmt::format("[{}]", section);
}

std::string joined(std::vector<std::string> const& words, std::string const& between) {
  std::string text;
  for (std::size_t i = 0; i < words.size(); i++) text += (i ? between : "") + words[i];
  return text;
}

std::string alternatives(std::vector<std::string> const& names) {
  std::string text;
  for (std::size_t i = 0; i < names.size(); i++) text += (i == 0 ? "" : i + 1 == names.size() ? " or " : ", ") + string_text(names[i]);
  return text;
}

void require_bound(std::vector<Key> const& keys, std::type_index options, std::string const& schema) {
  for (Key const& k : keys)
    require_all(
        k.bound_to == options, ExitCode::internal,
        "deck key \"{}\" of schema \"{}\" is bound to another struct ({}) than its schema's ({}); give it a member of that struct itself",
        k.name, schema, k.bound_to.name(), options.name());
}

std::string to_string(Position const& p) { return p.line > 0 ? fmt::format("{}:{}:{}", p.source, p.line, p.column) : p.source; }

Block::Entry const* Block::find(std::string const& key) const {
  auto const found = std::find_if(entries.begin(), entries.end(), [&](Entry const& e) { return e.key->name == key; });
  return found == entries.end() ? nullptr : &*found;
}

}  // namespace partita::deck
