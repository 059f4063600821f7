// Times in decks and on the command line: "30s", "5min", "2h", "1d", "1.5h"; a plain number counts seconds.
#pragma once
#include <string>

#include "deck/schema.hpp"

namespace partita::deck {

// In seconds, finite and not negative. Anything else: Failure(usage, all ranks).
double seconds(std::string const& duration);

// For Key::checked_by: why the text is no duration, empty where it is one.
std::string reason_against_duration(Value const& text);

}  // namespace partita::deck
