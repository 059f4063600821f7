// A block of a deck beside the others that it has to work with, as the rules of the registry's entries see it: what cannot work is found
// from the deck alone, before anything is allocated.
#pragma once
#include <algorithm>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "deck/document.hpp"
#include "driver/capabilities.hpp"

namespace partita {

// The block of a section that stands in the deck; null where there is none.
inline deck::Block const* given(deck::Document const& deck, std::string const& section) {
  deck::Block const* const block = deck.find(section);
  return block && block->given ? block : nullptr;
}

// What a deck's model can do and how large it is, from its block.
struct ModelTraits {
  Capabilities can = {};
  std::optional<Sizes> sizes = {};
};

class Fit {
 public:
  Fit(deck::Document const& deck_as_read, deck::Block const& own_block, ModelTraits const& model, std::vector<deck::Problem>& problems)
      : deck(deck_as_read), own(own_block), can(model.can), sizes(model.sizes), problems_(problems) {}

  deck::Document const& deck;
  deck::Block const& own;            // of the entry whose rule looks
  Capabilities const can;            // of the model, with its keys; empty where there is none
  std::optional<Sizes> const sizes;  // of the model; none where there is none, or its keys make none

  // A problem at the own block's `key`, or at its type where that is empty.
  void refuse(std::string const& key, std::string const& text) const {
    auto const* const entry = key.empty() ? nullptr : own.find(key);
    problems_.push_back({entry && entry->given_at ? *entry->given_at : own.type_given_at.value_or(own.at), text});
  }

 private:
  std::vector<deck::Problem>& problems_;
};

using Rule = std::function<void(Fit const&)>;

// The models that an entry works with: those that implement one of some interfaces and none of others, or that are of certain types.
struct Needs {
  Capabilities any = {}, none = {};
  std::vector<std::string> types = {};

  bool nothing() const { return any.empty() && types.empty(); }
  bool met_by(std::string const& type, Capabilities const& can) const {
    if (!types.empty()) return std::find(types.begin(), types.end(), type) != types.end();
    return can.meets(any) && !can.meets(none);
  }
};
template <class... Interfaces>
Needs needs() {
  return {Capabilities::only<Interfaces...>()};
}

}  // namespace partita
