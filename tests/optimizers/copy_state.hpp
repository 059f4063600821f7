// From one object to another through what a checkpoint holds.
#pragma once
#include <gtest/gtest.h>

#include <cstddef>
#include <vector>

#include "core/state.hpp"

namespace partita::test {

template <class Stateful>
void copy_state(Stateful& from, Stateful& to) {
  State source, target;
  from.describe_state(source);
  to.describe_state(target);
  ASSERT_EQ(source.fields().size(), target.fields().size());
  for (std::size_t k = 0; k < source.fields().size(); k++) {
    StateField const &a = source.fields()[k], &b = target.fields()[k];
    ASSERT_EQ(a.name, b.name);
    ASSERT_EQ(a.extents, b.extents);
    for (std::size_t other = 0; other < k; other++) ASSERT_NE(a.name, source.fields()[other].name);
    std::vector<std::byte> bytes(std::size_t(a.size()) * bytes_of(a.element));
    a.save(bytes.data());
    b.restore(bytes.data());
  }
}

}  // namespace partita::test
