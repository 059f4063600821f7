// Models that remember the patterns they are shown.
#pragma once
#include <vector>

#include "core/types.hpp"

namespace partita {

class AssociativeMemory {
 public:
  virtual ~AssociativeMemory() = default;
  virtual Index patterns() const = 0;  // how many it remembers
  // Remembers these (pattern, dimension) in place of what it has remembered so far.
  virtual void remember(std::vector<double> const& points) = 0;
};

}  // namespace partita
