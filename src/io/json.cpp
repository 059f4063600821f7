#include "io/json.hpp"

#include <cmath>
#include <nlohmann/json.hpp>

#include "core/log.hpp"

namespace partita {
namespace {

// Bytes that are not UTF-8, which paths and quoted input may contain, become U+FFFD.
std::string quoted(std::string const& text) { return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace); }

}  // namespace

Json& Json::operator[](std::string const& name) {
  if (std::holds_alternative<std::monostate>(value_)) value_ = Object{};
  auto& members = std::get<Object>(value_);
  for (auto& [key, value] : members)
    if (key == name) return value;
  return members.emplace_back(name, Json{}).second;
}

std::string Json::text() const {
  std::string out;
  print(out, "", 0);
  return out += '\n';
}

void Json::print(std::string& to, std::string const& name, std::size_t depth) const {
  auto const list = [&](auto const& items, char open, char close, auto&& item) {
    to += open;
    for (std::size_t i = 0; i < items.size(); i++) {
      to += i ? ",\n" : "\n";
      to.append(2 * depth + 2, ' ');
      item(items[i]);
    }
    if (!items.empty()) (to += '\n').append(2 * depth, ' ');
    to += close;
  };
  if (auto const* b = std::get_if<bool>(&value_)) to += *b ? "true" : "false";
  else if (auto const* n = std::get_if<Integer>(&value_)) to += n->digits;
  else if (auto const* s = std::get_if<std::string>(&value_)) to += quoted(*s);
  else if (auto const* a = std::get_if<Array>(&value_)) list(*a, '[', ']', [&](Json const& v) { v.print(to, name, depth + 1); });
  else if (auto const* o = std::get_if<Object>(&value_))
    list(*o, '{', '}', [&](auto const& member) {
      to += quoted(member.first) + ": ";
      member.second.print(to, name.empty() ? member.first : name + "." + member.first, depth + 1);
    });
  else if (auto const* x = std::get_if<double>(&value_); x && std::isfinite(*x)) to += fmt::format("{}", *x);
  else {
    if (x) log::warning("{} is {}: written as null", name, *x);
    to += "null";
  }
}

}  // namespace partita
