#include "deck/duration.hpp"

#include <cmath>
#include <cstdlib>
#include <optional>

#include "core/require.hpp"

namespace partita::deck {

namespace {

constexpr char expected[] = "a duration: a number of seconds, or one with the unit s, min, h or d, such as \"5min\"";

std::optional<double> seconds_of_unit(std::string const& unit) {
  if (unit.empty() || unit == "s") return 1;
  if (unit == "min") return 60;
  if (unit == "h") return 3600;
  if (unit == "d") return 86400;
  return {};
}

std::optional<double> parse_seconds(std::string const& text) {
  std::size_t const number_end = text.find_first_not_of("0123456789.");
  std::string const number = text.substr(0, number_end);
  auto const unit = seconds_of_unit(number_end == text.npos ? "" : text.substr(number_end));
  if (number.empty() || !unit) return {};
  char* end = nullptr;
  double const value = std::strtod(number.c_str(), &end) * *unit;
  if (*end != '\0' || !std::isfinite(value)) return {};
  return value;
}

}  // namespace

double seconds(std::string const& duration) {
  auto const value = parse_seconds(duration);
  require_all(value.has_value(), ExitCode::usage, "\"{}\" is not {}", duration, expected);
  return *value;
}

std::string reason_against_duration(Value const& text) {
  return parse_seconds(std::get<std::string>(text)) ? "" : std::string("must be ") + expected;
}

}  // namespace partita::deck
