// Models that remember the patterns they are shown.
#pragma once
#include <vector>

#include "core/arrays.hpp"

namespace partita {

class AssociativeMemory {
 public:
  virtual ~AssociativeMemory() = default;
  virtual Index patterns() const = 0;  // how many it remembers
  // Makes, or lists, the arrays for so many.
  virtual void expect(Index patterns, Arrays) = 0;
  // Remembers these (pattern, dimension) in place of what it has remembered so far.
  virtual void remember(std::vector<double> const& points) = 0;
};

}  // namespace partita
