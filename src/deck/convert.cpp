#include "deck/convert.hpp"

#include <cmath>
#include <optional>

#include "core/require.hpp"

namespace partita::deck {

namespace {

template <class... F>
struct Overloaded : F... {
  using F::operator()...;
};
template <class... F>
Overloaded(F...) -> Overloaded<F...>;

std::string text_of(Scalar const& s) {
  return std::visit(Overloaded{[](Unfit const& u) { return u.what; }, [](auto const& v) { return toml_text(v); }}, s);
}

bool is_number_beyond_64_bits(Scalar const& s) {
  std::string const* const text = std::get_if<std::string>(&s);
  return text && is_beyond_64_bits(*text);
}

std::string kind_of(Scalar const& s) {
  return std::visit(
      Overloaded{[](bool) { return std::string("true or false"); }, [](std::int64_t) { return std::string("a whole number"); },
                 [](double) { return std::string("a number with a fraction"); }, [](std::string const&) { return std::string("text"); },
                 [](Unfit const& u) { return u.what; }},
      s);
}

// A scalar as the type that a key holds; empty where it has another type. Whole numbers may be written as 1e6, numbers as 1.
template <class T>
std::optional<T> converted(Scalar const& s) {
  if (T const* v = std::get_if<T>(&s)) return *v;
  if constexpr (std::is_same_v<T, double>)
    if (std::int64_t const* v = std::get_if<std::int64_t>(&s)) return double(*v);
  if constexpr (std::is_same_v<T, std::int64_t>)
    if (double const* v = std::get_if<double>(&s); v && std::trunc(*v) == *v && std::abs(*v) < 0x1p63) return std::int64_t(*v);
  return {};
}

template <class T>
std::string unlike(Scalar const& s) {
  if (double const* v = std::get_if<double>(&s); v && std::is_same_v<T, std::int64_t>)
    return !std::isfinite(*v) ? "nan or inf" : std::trunc(*v) == *v ? "one beyond 64 bits" : "a fraction";
  if constexpr (std::is_same_v<T, std::int64_t> || std::is_same_v<T, double>)
    if (is_number_beyond_64_bits(s)) return "one beyond 64 bits";
  return kind_of(s);
}

bool is_too_large(Key const& k, Scalar const& s) {
  double const* const v = std::get_if<double>(&s);
  bool const whole = k.default_value.index() == 1 || k.default_value.index() == 5;
  return is_number_beyond_64_bits(s) || (whole && v && std::isfinite(*v) && std::abs(*v) >= 0x1p63);
}

std::string hint_for(Key const& k, Scalar const& s, bool is_bare) {
  std::string const* text = std::get_if<std::string>(&s);
  bool const wants_text = k.default_value.index() == 3 || k.default_value.index() == 6;
  if (wants_text) return std::holds_alternative<Unfit>(s) ? "" : "put it in quotes";
  bool const wants_number = k.default_value.index() != 0;
  if (wants_number && is_too_large(k, s)) return "write one " + k.held();
  if (!text) return "";
  if (std::string const hint = spelling_hint(*text); !hint.empty()) return hint;
  return !is_bare && !text->empty() && text->find_first_not_of("0123456789+-.eE") == text->npos ? "remove the quotes" : "";
}

std::string mismatch(Key const& k, std::string const& found) { return fmt::format("must be {}, not {}", k.kind(), found); }

template <class T>
struct Converter {
  static std::variant<Value, Refusal> convert(Key const& k, WrittenValue const& v) {
    if (v.is_array) return Refusal{mismatch(k, "an array"), "remove the brackets"};
    if (auto value = converted<T>(v.entries.front())) return Value(std::move(*value));
    return Refusal{mismatch(k, unlike<T>(v.entries.front())), hint_for(k, v.entries.front(), v.is_bare)};
  }
};
template <class T>
struct Converter<std::vector<T>> {
  static std::variant<Value, Refusal> convert(Key const& k, WrittenValue const& v) {
    if (!v.is_array) return Refusal{mismatch(k, kind_of(v.entries.front())), fmt::format("write [{}]", text_of(v))};
    std::vector<T> values;
    for (Scalar const& entry : v.entries) {
      auto value = converted<T>(entry);
      if (!value)
        return Refusal{fmt::format("must be {}, but entry {} is {}", k.kind(), values.size() + 1, unlike<T>(entry)),
                       hint_for(k, entry, false)};
      values.push_back(std::move(*value));
    }
    return Value(std::move(values));
  }
};

}  // namespace

// As many whole characters as fit a message.
std::string shortened(std::string const& text) {
  constexpr std::size_t readable = 60;
  if (text.size() <= readable) return text;
  std::size_t end = readable;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) end--;
  return text.substr(0, end) + "...";
}

std::string text_of(WrittenValue const& v) {
  if (v.is_bare && is_number_beyond_64_bits(v.entries.front())) return shortened(std::get<std::string>(v.entries.front()));
  if (!v.is_array) return shortened(text_of(v.entries.front()));
  std::string text = "[";
  for (std::size_t i = 0; i < v.entries.size() && text.size() < 80; i++) text += (i ? ", " : "") + text_of(v.entries[i]);
  return shortened(text + "]");
}

std::string kind_of(WrittenValue const& v) { return v.is_array ? "an array" : kind_of(v.entries.front()); }

std::variant<Value, Refusal> convert(Key const& k, WrittenValue const& v) {
  auto result = std::visit([&](auto const& sample) { return Converter<std::decay_t<decltype(sample)>>::convert(k, v); }, k.default_value);
  if (Value const* value = std::get_if<Value>(&result))
    if (std::string reason = k.problem(*value); !reason.empty()) return Refusal{std::move(reason), ""};
  return result;
}

}  // namespace partita::deck
