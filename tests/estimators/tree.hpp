// The canonical binary tree over tiles, summed in one place: what any number of ranks must give, bit for bit.
#pragma once
#include <vector>

#include "core/types.hpp"

namespace partita::test {

inline double tree_sum(std::vector<double> const& v, Index first, Index count) {
  if (count == 1) return v[first];
  Index left = 1;
  while (2 * left < count) left *= 2;
  return tree_sum(v, first, left) + tree_sum(v, first + left, count - left);
}
inline double tree_sum(std::vector<double> const& v) { return tree_sum(v, 0, std::ssize(v)); }

}  // namespace partita::test
