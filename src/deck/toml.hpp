// The text of a deck as a tree of the shape that decks have, with positions; what no key can hold is only named.
#pragma once
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "deck/document.hpp"

namespace partita::deck {

// What no key can hold: "a date", "a table", "an array".
struct Unfit {
  std::string what;
};
using Scalar = std::variant<bool, std::int64_t, double, std::string, Unfit>;

struct WrittenValue {
  Position at;
  bool is_array = false;
  std::vector<Scalar> entries;  // one unless is_array
  bool is_bare = false;         // text that --set gave without quotes
};
struct WrittenKey {
  std::string name;
  Position at;
  WrittenValue value;
};
struct WrittenSection {
  std::string name;
  Position at;
  bool repeated = false;  // [[name]]
  std::vector<WrittenKey> keys;
};
struct WrittenDeck {
  std::vector<WrittenKey> top;  // before the first section
  std::vector<WrittenSection> sections;
};

// The first syntax error is appended to `problems`, and nothing returned.
std::optional<WrittenDeck> parse(std::string const& text, std::string const& source, std::vector<Problem>& problems);

// How to write what was meant by a word that is almost a number or a boolean (".5", "1d-3", "010", "True"); empty for other words.
std::string spelling_hint(std::string const& word);

// Whether a word is written as a number, but as one that 64 bits cannot hold.
bool is_beyond_64_bits(std::string const& word);

}  // namespace partita::deck
