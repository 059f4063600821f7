// Models that store patterns.
#pragma once
#include <vector>

#include "core/arrays.hpp"

namespace partita {

class AssociativeMemory {
 public:
  virtual ~AssociativeMemory() = default;
  virtual Index patterns() const = 0;  // number of stored patterns
  // Makes, or lists, the arrays for so many.
  virtual void expect(Index patterns, Arrays) = 0;
  // Stores these patterns (pattern, dimension) in place of the present ones.
  virtual void remember(std::vector<double> const& points) = 0;
};

}  // namespace partita
