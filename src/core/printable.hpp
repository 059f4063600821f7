// Text from outside (titles, paths, quoted input) in messages.
#pragma once
#include <string>
#include <string_view>

namespace partita {

enum class Lines { one, several };

// The text with control characters, line ends of Lines::one and bytes that are no UTF-8 written out ("\\n", "\\x1b"), so that nothing that
// is quoted moves a terminal's cursor or looks like a message of its own.
std::string printable(std::string_view text, Lines = Lines::one);

}  // namespace partita
