// What an optimizer's `type` in a deck stands for.
#pragma once
#include <memory>

#include "core/arrays.hpp"
#include "deck/document.hpp"
#include "deck/entry.hpp"
#include "optimizers/optimizer.hpp"

namespace partita {

using OptimizerEntry = deck::Entry<std::unique_ptr<Optimizer>(deck::Block const&, Index parameters, Arrays)>;

template <class Class, class Options>
OptimizerEntry optimizer_entry(deck::Schema schema) {
  return {std::move(schema), [](deck::Block const& b, Index parameters, Arrays arrays) {
            return std::make_unique<Class>(b.as<Options>(), parameters, arrays);
          }};
}

}  // namespace partita
