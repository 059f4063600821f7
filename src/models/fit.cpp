#include "models/fit.hpp"

#include <cctype>

namespace partita {
namespace {

bool is_letter(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; }

// The position in a message where the key occurs as a separate word.
std::size_t place_in(std::string const& message, std::string const& key) {
  for (std::size_t at = message.find(key); at != message.npos; at = message.find(key, at + 1)) {
    std::size_t const end = at + key.size();
    if ((at == 0 || !is_letter(message[at - 1])) && (end == message.size() || !is_letter(message[end]))) return at;
  }
  return message.npos;
}

}  // namespace

deck::Position place_named_in(std::string const& message, deck::Document const& deck, deck::Block const& own,
                              std::string const& otherwise) {
  std::size_t first = message.npos;
  deck::Position place = place_of(own, otherwise);
  for (deck::Block const& block : deck.blocks) {
    if (block.repeated && &block != &own) continue;
    for (auto const& entry : block.entries)
      if (std::size_t const at = place_in(message, block.section + "." + entry.key->name); at < first && entry.given_at)
        first = at, place = *entry.given_at;
  }
  return place;
}

PointsInFile const* Fit::reference() const {
  if (!loaded) return nullptr;
  auto const found = loaded->references.find(&own);
  return found == loaded->references.end() ? nullptr : &found->second;
}

}  // namespace partita
