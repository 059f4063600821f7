// An entry of a table of what the `type` of a deck's section can name.
#pragma once
#include <functional>

#include "deck/schema.hpp"

namespace partita::deck {

template <class... Arguments>
struct Entry {
  Schema schema;
  std::function<Arguments...> make;
};

}  // namespace partita::deck
