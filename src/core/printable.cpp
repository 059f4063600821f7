#include "core/printable.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace partita {
namespace {

// Number of bytes of the character that the text begins with; 0 where they are not UTF-8 (RFC 3629).
std::size_t utf8_length(std::string_view text) {
  auto const byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  unsigned char const first = byte(0);
  std::size_t const length = first < 0x80                    ? 1
                             : first >= 0xc2 && first < 0xe0 ? 2
                             : first >= 0xe0 && first < 0xf0 ? 3
                             : first >= 0xf0 && first < 0xf5 ? 4
                                                             : 0;
  if (length == 0 || length > text.size()) return 0;
  for (std::size_t i = 1; i < length; i++)
    if ((byte(i) & 0xc0) != 0x80) return 0;
  if (length < 3) return length;
  unsigned char const second = byte(1);
  bool const overlong = (first == 0xe0 && second < 0xa0) || (first == 0xf0 && second < 0x90);
  bool const no_character = (first == 0xed && second >= 0xa0) || (first == 0xf4 && second >= 0x90);
  return overlong || no_character ? 0 : length;
}
bool is_control(std::string_view character) {
  unsigned char const first = static_cast<unsigned char>(character[0]);
  bool const c1 = first == 0xc2 && static_cast<unsigned char>(character[1]) < 0xa0;
  return first < 0x20 || first == 0x7f || c1;
}

}  // namespace

std::string printable(std::string_view text, Lines lines) {
  std::string out;
  while (!text.empty()) {
    std::size_t const length = utf8_length(text);
    std::string_view const character = text.substr(0, std::max<std::size_t>(length, 1));
    bool const end_of_line = character == "\n";
    if (end_of_line && lines == Lines::several) out += '\n';
    else if (end_of_line) out += "\\n";
    else if (length == 0 || is_control(character))
      for (char c : character) out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    else out += character;
    text.remove_prefix(character.size());
  }
  return out;
}

}  // namespace partita
