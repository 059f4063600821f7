// Random numbers of a strip: normals for its rows, two rows at a time straight from the random words, and one uniform a lane and step.
#pragma once
#include "core/strip.hpp"

namespace partita {

// Normal i of a step is the same function of (chain, stream, step, i) for every kernel. One Philox call gives four numbers: four
// coordinates of a step, or, in one and two dimensions, one coordinate of four steps and two of two.
class StripNoise {
 public:
  KOKKOS_FORCEINLINE_FUNCTION StripNoise(random::RoundKeys const& keys, random::Stream stream, std::uint64_t first_chain)
      : keys_(keys), first_chain_(first_chain), stream_(stream) {}

  // row(i) is called for every row i < dimension and gives lane(l, xi), called for every lane l: what belongs to a row stays in registers.
  template <class Row>
  KOKKOS_FORCEINLINE_FUNCTION void each_row(Index dimension, Index step, Row const& row) {
    if (dimension > 2) {
      for (Index i = 0; i < dimension; i += 4) {
        random::fill(words_, keys_, first_chain_, stream_, static_cast<std::uint64_t>(step), static_cast<std::uint32_t>(i / 4));
        two_rows(0, i, dimension, row);
        if (i + 2 < dimension) two_rows(2, i + 2, dimension, row);
      }
    } else if (dimension == 2) {
      refill(step / 2);
      two_rows(step % 2 * 2, 0, 2, row);
    } else {
      refill(step / 4);
      one_row(step % 4, row(0));
    }
  }
  // update(i, l, xi) for every row i < dimension and lane l.
  template <class Update>
  KOKKOS_FORCEINLINE_FUNCTION void each(Index dimension, Index step, Update const& update) {
    each_row(dimension, step, [&update](Index i) { return [&update, i](Index l, Real xi) { update(i, l, xi); }; });
  }

  // One word a lane for this step's uniform numbers; a Philox call serves four steps.
  KOKKOS_FORCEINLINE_FUNCTION std::uint32_t const* uniform_words(random::Stream stream, Index step) {
    if (step / 4 != uniforms_held_) {
      random::fill(uniforms_, keys_, first_chain_, stream, static_cast<std::uint64_t>(step / 4), 0);
      uniforms_held_ = step / 4;
    }
    return uniforms_.w[step % 4];
  }

 private:
  KOKKOS_FORCEINLINE_FUNCTION void refill(Index shared_step) {
    if (shared_step == held_) return;
    random::fill(words_, keys_, first_chain_, stream_, static_cast<std::uint64_t>(shared_step), 0);
    held_ = shared_step;
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

  random::StripWords words_, uniforms_;
  random::RoundKeys const& keys_;
  std::uint64_t first_chain_;
  Index held_ = -1, uniforms_held_ = -1;
  random::Stream stream_;
};

}  // namespace partita
