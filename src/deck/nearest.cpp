#include <algorithm>
#include <numeric>
#include <utility>

#include "deck/document.hpp"

namespace partita::deck {

namespace {

char folded(char c) { return c == '-' || c == ' ' ? '_' : c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

// Insertions, deletions, substitutions and swaps of neighbours that turn a into b (the "optimal string alignment" distance); case, '-' and
// '_' alike.
std::size_t edits(std::string const& a, std::string const& b) {
  std::vector<std::size_t> before, last(b.size() + 1), now(b.size() + 1);
  std::iota(last.begin(), last.end(), 0);
  for (std::size_t i = 1; i <= a.size(); i++) {
    now[0] = i;
    for (std::size_t j = 1; j <= b.size(); j++) {
      bool const equal = folded(a[i - 1]) == folded(b[j - 1]);
      now[j] = std::min({last[j] + 1, now[j - 1] + 1, last[j - 1] + (equal ? 0 : 1)});
      bool const swapped = i > 1 && j > 1 && folded(a[i - 1]) == folded(b[j - 2]) && folded(a[i - 2]) == folded(b[j - 1]);
      if (swapped) now[j] = std::min(now[j], before[j - 2] + 1);
    }
    before = std::exchange(last, now);
  }
  return last[b.size()];
}

}  // namespace

std::string nearest(std::string const& word, std::vector<std::string> const& candidates) {
  std::string best;
  constexpr std::size_t longest_name = 64;
  if (word.size() > longest_name) return best;
  std::size_t fewest = std::max<std::size_t>(1, word.size() / 3) + 1;  // the first count that is too many
  for (std::string const& candidate : candidates)
    if (std::size_t const n = edits(word, candidate); n < fewest && n < candidate.size()) {
      fewest = n;
      best = candidate;
    }
  return best;
}

}  // namespace partita::deck
