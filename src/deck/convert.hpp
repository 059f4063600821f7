// A value as written in a deck, taken as the type of a key.
#pragma once
#include <string>
#include <variant>

#include "deck/toml.hpp"

namespace partita::deck {

// Why a value is none for the key, and what to do (may be empty).
struct Refusal {
  std::string reason, hint;
};

// The value in the key's type, within its limits. Whole numbers may be written as 1e6, numbers as 1.
std::variant<Value, Refusal> convert(Key const&, WrittenValue const&);

// For messages: "a whole number", "text", "an array", "a date".
std::string kind_of(WrittenValue const&);
// For messages: the value as TOML, shortened.
std::string text_of(WrittenValue const&);
// As many whole characters as fit a message.
std::string shortened(std::string const& text);

}  // namespace partita::deck
