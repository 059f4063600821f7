// A random permutation of 0..n-1 that needs no memory: entry i is computed from i and the key alone.
#pragma once
#include "core/random.hpp"

namespace partita::data {

// Generalised Feistel cipher on Z_a x Z_b with a b >= n just above n, followed along its cycle until it is inside 0..n-1 (Black and
// Rogaway, Ciphers with arbitrary finite domains, CT-RSA 2002, methods 2 and 3). Round functions are Philox words keyed by (stream, which,
// round).
class Permutation {
 public:
  // `which` distinguishes permutations of one stream: the epoch.
  Permutation(Index n, random::Key, random::Stream, std::uint64_t which = 0);
  Index size() const { return n_; }
  Index operator()(Index i) const;  // 0 <= i < size()

 private:
  static constexpr std::uint32_t rounds = 8;
  std::uint32_t shift(Index half, std::uint32_t round, Index modulus) const;

  Index n_, a_, b_;
  random::Key key_;
  random::Stream stream_;
  std::uint64_t which_;
};

}  // namespace partita::data
