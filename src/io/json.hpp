// JSON values for summary.json and run.status.json: built, then printed.
#pragma once
#include <concepts>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace partita {

class Json {
 public:
  using Array = std::vector<Json>;
  using Object = std::vector<std::pair<std::string, Json>>;  // printed in this order

  Json() = default;  // null
  Json(bool b) : value_(b) {}
  template <std::integral T>
  requires(!std::same_as<T, bool>) Json(T n) : value_(Integer{std::to_string(n)}) {}
  template <std::floating_point T>
  Json(T x) : value_(double(x)) {}
  Json(std::string text) : value_(std::move(text)) {}
  Json(char const* text) : value_(std::string(text)) {}
  Json(Array values) : value_(std::move(values)) {}
  Json(Object members) : value_(std::move(members)) {}

  // The member of that name, added where it is missing; a null value becomes an object first.
  Json& operator[](std::string const& name);

  // Indented text, numbers with all their digits. JSON has no NaN and no infinity: they become null, with a warning that names them.
  std::string text() const;

 private:
  struct Integer {
    std::string digits;
  };
  void print(std::string& to, std::string const& name, std::size_t depth) const;
  std::variant<std::monostate, bool, Integer, double, std::string, Array, Object> value_;
};

}  // namespace partita
