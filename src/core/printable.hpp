// Makes text from outside (titles, paths, quoted input) safe to print in messages.
#pragma once
#include <string>
#include <string_view>

namespace partita {

enum class Lines { one, several };

// The text with control characters, line ends (for Lines::one) and bytes that are not UTF-8 escaped ("\\n", "\\x1b"), so that quoted text
// cannot move a terminal's cursor or look like a message of its own.
std::string printable(std::string_view text, Lines = Lines::one);

}  // namespace partita
