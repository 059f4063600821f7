#include "data/permutation.hpp"

#include <cmath>

namespace partita::data {

Permutation::Permutation(Index n, random::Key key, random::Stream stream, std::uint64_t which)
    : n_(n),
      a_(std::max<Index>(1, Index(std::ceil(std::sqrt(double(n)))))),
      b_(divide_up(n, a_)),
      key_(key),
      stream_(stream),
      which_(which) {}

std::uint32_t Permutation::shift(Index half, std::uint32_t round, Index modulus) const {
  return random::below(random::words(key_, std::uint64_t(half), stream_, which_, round).w[0], std::uint32_t(modulus));
}

Index Permutation::operator()(Index i) const {
  do {
    Index left = i / b_, right = i % b_;  // in Z_a and Z_b
    for (std::uint32_t round = 0; round < rounds; round += 2) {
      left = (left + shift(right, round, a_)) % a_;
      right = (right + shift(left, round + 1, b_)) % b_;
    }
    i = left * b_ + right;
  } while (i >= n_);
  return i;
}

}  // namespace partita::data
