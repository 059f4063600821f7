// Random numbers of a strip: normals or random words for its rows, or one word per lane and step.
#pragma once
#include "core/strip_words.hpp"

namespace partita {

// Random numbers of one stream. Number i of a step is the same function of (chain, stream, step, i) in every kernel. One Philox call gives
// four numbers: four coordinates of a step or, in one and two dimensions, one coordinate of four steps and two of two. Use a stream for one
// kind only, normals of rows, words of rows or words of lanes: all are made from the same words.
class StripNoise {
 public:
  KOKKOS_FORCEINLINE_FUNCTION StripNoise(random::RoundKeys const& keys, random::Stream stream, std::uint64_t first_chain)
      : keys_(keys), first_chain_(first_chain), stream_(stream) {}

  // row(i), called for every row i < dimension, returns a function lane(l, xi), called for every lane l: values of a row stay in registers.
  template <class Row>
  KOKKOS_FORCEINLINE_FUNCTION void each_row(Index dimension, Index step, Row const& row) {
    if (dimension == 1) {
      refill(step / 4);
      return one_row(step % 4, row(0));
    }
    for (Index i = 0; i < dimension; i += 2) two_rows(word_of(dimension, step, i), i, dimension, row);
  }
  // Calls update(i, l, xi) for every row i < dimension and lane l.
  template <class Update>
  KOKKOS_FORCEINLINE_FUNCTION void each(Index dimension, Index step, Update const& update) {
    each_row(dimension, step, [&update](Index i) { return [&update, i](Index l, Real xi) { update(i, l, xi); }; });
  }

  // As each_row, with a function lane(l, word): a random word in place of a normal.
  template <class Row>
  KOKKOS_FORCEINLINE_FUNCTION void each_row_of_words(Index dimension, Index step, Row const& row) {
    Index const steps_a_call = dimension > 2 ? 1 : dimension == 2 ? 2 : 4;
    if (steps_a_call == 1) held_ = none;
    else refill(step / steps_a_call);
    for (Index i = 0; i < dimension; i++) {
      if (steps_a_call == 1 && i % 4 == 0) fill(step, i / 4);
      std::uint32_t const* const words = words_.w[steps_a_call == 1 ? i % 4 : step % steps_a_call * dimension + i];
      auto const lane = row(i);
#pragma GCC ivdep
      for (Index l = 0; l < strip_lanes; l++) lane(l, words[l]);
    }
  }

  // One word per lane, the same for all rows; a Philox call serves four steps.
  KOKKOS_FORCEINLINE_FUNCTION std::uint32_t const* lane_words(Index step) {
    refill(step / 4);
    return words_.w[step % 4];
  }

 private:
  static constexpr Index none = -1;
  KOKKOS_FORCEINLINE_FUNCTION void fill(Index counter_step, Index draw) {
    random::fill(words_, keys_, first_chain_, stream_, std::uint64_t(counter_step), std::uint32_t(draw));
  }
  KOKKOS_FORCEINLINE_FUNCTION void refill(Index shared_step) {
    if (shared_step == held_) return;
    fill(shared_step, 0);
    held_ = shared_step;
  }
  // The first of the two words of rows i and i + 1, i even.
  KOKKOS_FORCEINLINE_FUNCTION Index word_of(Index dimension, Index step, Index i) {
    if (dimension == 2) {
      refill(step / 2);
      return step % 2 * 2;
    }
    if (i % 4 == 0) {
      fill(step, i / 4);
      held_ = none;
    }
    return i % 4;
  }
  template <class Row>
  KOKKOS_FORCEINLINE_FUNCTION void two_rows(Index word, Index i, Index dimension, Row const& row) {
    std::uint32_t const *a = words_.w[word], *b = words_.w[word + 1];
    auto const first = row(i);
    if (i + 1 < dimension) {
      auto const second = row(i + 1);
#pragma GCC ivdep
      for (Index l = 0; l < strip_lanes; l++) {
        auto const n = random::normal_pair(a[l], b[l], Real());
        first(l, n.a);
        second(l, n.b);
      }
    } else {
#pragma GCC ivdep
      for (Index l = 0; l < strip_lanes; l++) first(l, random::normal_pair(a[l], b[l], Real()).a);
    }
  }
  template <class Lane>
  KOKKOS_FORCEINLINE_FUNCTION void one_row(Index which, Lane const& lane) {
    std::uint32_t const *a = words_.w[which / 2 * 2], *b = words_.w[which / 2 * 2 + 1];
    if (which % 2 == 0) {
#pragma GCC ivdep
      for (Index l = 0; l < strip_lanes; l++) lane(l, random::normal_pair(a[l], b[l], Real()).a);
    } else {
#pragma GCC ivdep
      for (Index l = 0; l < strip_lanes; l++) lane(l, random::normal_pair(a[l], b[l], Real()).b);
    }
  }

  random::StripWords words_;
  random::RoundKeys const& keys_;
  std::uint64_t first_chain_;
  Index held_ = none;  // the step (of those that share a Philox call) whose words of draw 0 are stored
  random::Stream stream_;
};

// Independent random numbers of a strip from several streams; from<stream>() of a stream that is not listed here does
// not compile.
template <random::Stream... streams>
class StripStreams {
 public:
  KOKKOS_FORCEINLINE_FUNCTION StripStreams(random::RoundKeys const& keys, std::uint64_t first_chain)
      : noise_{StripNoise(keys, streams, first_chain)...} {}
  template <random::Stream stream>
  KOKKOS_FORCEINLINE_FUNCTION StripNoise& from() {
    static_assert(((stream == streams) + ...) == 1, "a stream that is not listed, or listed twice");
    constexpr std::size_t at = [] {
      std::size_t k = 0, found = 0;
      ((streams == stream ? found = k++ : k++), ...);
      return found;
    }();
    return noise_[at];
  }

 private:
  StripNoise noise_[sizeof...(streams)];
};

}  // namespace partita
